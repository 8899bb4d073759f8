"""Tests the dashboards by the rules of Grafana's linter and by what is exported."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from dashboards.builder import write

from pgheadroom.commands.cli import main
from pgheadroom.commands.dashboards import NAMES, text
from pgheadroom.metrics import own as selfmetrics
from pgheadroom.metrics.table import TABLE
from pgheadroom.model.alert import ALERTS_OF, RUNBOOKS, SEVERITIES
from pgheadroom.model.identity import TargetKind

ROOT: Final = Path(__file__).parents[3]
DASHBOARDS: Final[list[dict[str, Any]]] = write.dashboards()
UIDS: Final = {
    "pgheadroom-fleet",
    "pgheadroom-server",
    "pgheadroom-pooler",
    "pgheadroom-leak",
    "pgheadroom-self",
}
PANELS: Final[list[tuple[dict[str, Any], dict[str, Any]]]] = [
    (dashboard, panel)
    for dashboard in DASHBOARDS
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
TARGETS: Final = [
    (dashboard, panel, target) for dashboard, panel in PANELS for target in panel["targets"]
]
UNITS: Final = {"none", "s", "percentunit", "cps", "bytes"}
"""Of the many that Grafana and its linter know, those that are used here."""
# What Prometheus says of a scrape, and what is exported of any process.
NOT_OURS: Final = {
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "ALERTS",
}
SELECTOR: Final = re.compile(r"([A-Za-z_][\w:]*)\{([^{}]*)\}")

of_each = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one["uid"])
of_each_panel = pytest.mark.parametrize(
    ("dashboard", "panel"),
    PANELS,
    ids=[f"{dashboard['uid']}: {panel['title']}" for dashboard, panel in PANELS],
)


def variables(dashboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def links(dashboard: dict[str, Any]) -> Iterator[str]:
    """Yield every address that the dashboard has anywhere."""
    text_ = json.dumps(dashboard)
    of_kind = "/d/pgheadroom-${__data.fields.Kind}"
    if of_kind in text_:  # a column says which
        kinds = set(re.findall(r'"kind\\", \\"(\w+)\\"', text_))
        assert len(kinds) == len(TargetKind)
        yield from (of_kind.replace("${__data.fields.Kind}", kind) for kind in kinds)
    yield from re.findall(
        r"https?://[^\s\"')]+|/d/[\w-]+", text_.replace(of_kind, "/d/pgheadroom-fleet")
    )


def test_the_files_are_what_the_python_makes() -> None:
    """If not: python -m dashboards.builder.write."""
    assert write.differing(ROOT / "dashboards") == []
    assert write.main(["--check"]) == 0


def test_a_difference_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "FOLDER", tmp_path)
    assert write.main([]) == 0
    assert write.main(["--check"]) == 0
    (tmp_path / "pgheadroom-fleet.json").unlink()
    (tmp_path / "pgheadroom-leak.json").write_text("{}")
    (tmp_path / "more.json").write_text("{}")
    expected = ["more.json", "pgheadroom-fleet.json", "pgheadroom-leak.json"]
    assert write.differing(tmp_path) == expected
    assert write.main(["--check"]) == 1


def test_addresses_stay_what_they_are() -> None:
    """People link to them."""
    assert {dashboard["uid"] for dashboard in DASHBOARDS} == UIDS
    assert {f"pgheadroom-{name}" for name in NAMES} == UIDS


# ---- The rules of grafana/dashboard-linter, by their names there.


@of_each
def test_lint_of_a_dashboard(dashboard: dict[str, Any]) -> None:
    assert dashboard["title"]
    assert dashboard["editable"] is False  # uneditable-dashboard
    found = variables(dashboard)
    # template-datasource
    sources = [one for one in found.values() if one["type"] == "datasource"]
    assert [(one["name"], one["label"], one["query"]) for one in sources] == [
        ("datasource", "Data source", "prometheus")
    ]
    for name in ("job", "instance"):  # template-job, template-instance
        one = found[name]
        assert (one["type"], one["label"].lower(), one["multi"], one["allValue"]) == (
            *("query", name, True),
            ".+",
        )
    for one in found.values():
        if one["type"] == "query":
            assert one["datasource"]["uid"] == "${datasource}"
            assert one["refresh"] == 2  # template-on-time-change-reload
            # template-label-promql
            assert re.fullmatch(r"label_values\([\w]+(\{[^{}]*\})?, \w+\)", one["definition"])
    assert {"datasource", "job", "instance", "target", "server"} <= found.keys()


@of_each_panel
def test_lint_of_a_panel(dashboard: dict[str, Any], panel: dict[str, Any]) -> None:
    del dashboard
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["title"]
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@of_each_panel
def test_lint_of_queries(dashboard: dict[str, Any], panel: dict[str, Any]) -> None:
    """target-promql is left to a real Prometheus."""
    del dashboard
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        expression = target["expr"]
        assert "$__interval" not in expression
        for function, span in re.findall(r"\b(\w+)\([^()]*\[([^]]*)\]", expression):
            if function in ("rate", "irate"):
                assert span == "$__rate_interval"  # target-rate-interval
        for name, matchers in SELECTOR.findall(expression):
            assert 'job=~"$job"' in matchers  # target-job
            assert 'instance=~"$instance"' in matchers  # target-instance
            if name.endswith("_total"):  # target-counter-agg
                assert re.search(rf"\b(rate|increase)\({name}\{{", expression)


# ---- Our own.


@of_each
def test_panels_are_numbered_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not own & cells
        cells |= own


@of_each_panel
def test_a_panel_says_what_to_do(dashboard: dict[str, Any], panel: dict[str, Any]) -> None:
    """By a runbook that is there, besides."""
    del dashboard
    (runbook,) = re.findall(rf"\[Runbook\]\({RUNBOOKS}/(\w+)\.md\)", panel["description"])
    assert (ROOT / "alerts" / "runbooks" / f"{runbook}.md").is_file()
    assert len(panel["description"]) < 500


@of_each
def test_links_lead_somewhere(dashboard: dict[str, Any]) -> None:
    found = list(links(dashboard))
    assert any("/runbooks" in one for one in found)
    for one in found:
        inside = one.startswith("/d/")
        assert one.removeprefix("/d/") in UIDS if inside else one.startswith(RUNBOOKS[:30])
    (others,) = (one for one in dashboard["links"] if one["type"] == "dashboards")
    assert set(others["tags"]) <= set(dashboard["tags"])


@of_each
def test_every_metric_is_exported(dashboard: dict[str, Any]) -> None:
    exported = {metric.name: set(metric.labels) | {"target", "server"} for metric in TABLE}
    known = exported.keys() | set(selfmetrics.NAMES) | NOT_OURS
    expressions = [
        *(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())),
        *(one["expr"] for one in dashboard["annotations"]["list"]),
        *(one["definition"] for one in variables(dashboard).values() if "definition" in one),
    ]
    for expression in expressions:
        selectors = SELECTOR.findall(expression)
        named = {name for name, _ in selectors}
        assert named <= known, named - known
        assert set(re.findall(r"\bpgheadroom_\w+", expression)) <= known
        for name, matchers in selectors:
            labels = set(re.findall(r"(\w+)(?:=~|!=|=)", matchers)) - {"job", "instance"}
            assert labels <= exported.get(name, labels), (name, labels)


@of_each
def test_variables_are_there_and_used(dashboard: dict[str, Any]) -> None:
    builtin = {"__rate_interval", "__range", "__value", "__url_time_range", "__field", "__data"}
    where = json.dumps([dashboard["panels"], dashboard["annotations"]])
    used = set(re.findall(r"\$\{?(\w+)", where)) - builtin
    assert used - {"datasource"} == variables(dashboard).keys() - {"datasource"}


@of_each
def test_alerts_are_marked(dashboard: dict[str, Any]) -> None:
    """By what the daemon says, and for who prefers them by the rules."""
    marks = dashboard["annotations"]["list"]
    assert any(one["expr"].startswith("pgheadroom_alert{") for one in marks)
    assert any(one["expr"].startswith("ALERTS{") for one in marks)
    ids = {panel["id"] for panel in dashboard["panels"]}
    for one in marks:
        assert one["datasource"]["uid"] == "${datasource}"
        assert set(one["filter"]["ids"]) <= ids


def test_the_names_of_alerts_are_of_those_that_exist() -> None:
    text_ = json.dumps(DASHBOARDS)
    named = set(re.findall(r"\b(?:Postgres|Pooler)[A-Z]\w+", text_))
    assert named <= {str(name) for name in SEVERITIES}


@of_each
def test_targets_are_of_the_kind_that_the_dashboard_is_about(dashboard: dict[str, Any]) -> None:
    """By an alert that only targets of this kind have; all of them are named, if of one kind."""
    kinds = {
        "pgheadroom-server": TargetKind.POSTGRES,
        "pgheadroom-leak": TargetKind.POSTGRES,
        "pgheadroom-pooler": TargetKind.PGBOUNCER,
    }
    kind = kinds.get(dashboard["uid"])
    target = variables(dashboard)["target"]
    alerts = re.findall(r'alertname="(\w+)"', target["definition"])
    assert [[k for k, names in ALERTS_OF.items() if name in names] for name in alerts] == (
        [[kind]] if kind else []
    )
    assert ("allValue" in target) == (kind is None)


# ---- The command.


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into a folder that it makes; a second time it replaces what is there."""
    folder = tmp_path / "grafana" / "dashboards"
    for _ in range(2):
        assert main(["dashboards", str(folder)]) == 0
        said = capsys.readouterr()
        assert said.out.splitlines() == [str(folder / f"pgheadroom-{name}.json") for name in NAMES]
        assert said.err == ""
    assert write.differing(folder) == []
    assert json.loads(text("self"))["uid"] == "pgheadroom-self"


def test_what_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    assert main(["dashboards", str(file / "below")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"pgheadroom: cannot write the dashboards: {file / 'below'}: Not a directory\n"
    )


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--format", "a"]], ids=repr)
def test_wrong_arguments_are_told(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["dashboards", *arguments]) == 2
    assert capsys.readouterr().err.startswith("pgheadroom: ")
