"""Tests that the rules say what the code says, by the conventions, and are tested both ways."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pgheadroom.commands.cli import main
from pgheadroom.metrics.own import NAMES
from pgheadroom.metrics.table import TABLE
from pgheadroom.model.alert import RUNBOOKS, SEVERITIES, SUMMARIES
from pgheadroom.model.thresholds import Thresholds

ALERTS: Final = Path(__file__).parents[3] / "alerts"
FILE: Final = ALERTS / "pgheadroom.rules.yml"
RULES: Final[list[dict[str, Any]]] = [
    rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]
]
ALERTING: Final = [rule for rule in RULES if "alert" in rule]
RECORDED: Final = {rule["record"] for rule in RULES if "record" in rule}
TESTS: Final = sorted(ALERTS.glob("tests/*.test.yml"))

DOWN: Final = "PgheadroomDown"
LONGEST_SUMMARY: Final = 120
"""Some four lines of a phone."""
NAMED: Final = {
    *((str(name), str(severity)) for name in SEVERITIES for severity in SEVERITIES[name]),
    (DOWN, "critical"),
}
ABOUT_AN_APPLICATION: Final = {
    "PostgresConnectionsExhausted",
    "PostgresConnectionsExhaustionImminent",
    "PostgresConnectionsExhaustionExpected",
    "PostgresConnectionsLow",
    "PostgresReservedSlotsInUse",
    "PostgresApplicationLeaking",
    "PoolerClientsExhausted",
    "PoolerClientsExhaustionImminent",
    "PoolerClientsLow",
    "PoolerQueueGrowing",
}

of_each = pytest.mark.parametrize(
    "rule", ALERTING, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}"
)


def texts() -> Iterator[str]:
    """Yield everything that may hold an expression."""
    for rule in RULES:
        yield rule["expr"]
        yield from rule.get("annotations", {}).values()


of_all = pytest.mark.parametrize("text", sorted(set(texts())), ids=lambda text: text[:40])


def test_every_alert_is_there_once_in_each_severity() -> None:
    found = Counter((rule["alert"], rule["labels"]["severity"]) for rule in ALERTING)
    assert found == Counter(NAMED)


@of_each
def test_lint_as_mixtool_does(rule: dict[str, Any]) -> None:
    """The rules of monitoring-mixins/mixtool, pkg/mixer/lint.go, but for the one about summaries.

    They are to be fixed sentences there. A pager's lock screen shows nothing else of an alert, so
    ours say which server it is, and which application.
    """
    assert re.fullmatch(r"([A-Z]+[a-z0-9]+)+", rule["alert"])
    assert set(rule["labels"]) == {"severity"}
    assert "{{" in rule["annotations"]["description"]


@of_each
def test_a_summary_alone_says_what_it_is_about(rule: dict[str, Any]) -> None:
    summary = rule["annotations"]["summary"]
    about = "or $labels.instance $labels.job" if rule["alert"] == DOWN else "$labels.target"
    assert summary.startswith(f"{{{{ {about} }}}}:")
    assert "\n" not in summary
    named = ".Labels.application_name }}" in summary
    assert named == (rule["alert"] in ABOUT_AN_APPLICATION)


@of_each
def test_it_says_what_the_daemon_says(rule: dict[str, Any]) -> None:
    """Where no figures are known, in the daemon's own words."""
    words = {str(name): summary for name, summary in SUMMARIES.items()}
    words[DOWN] = "The daemon that watches the connection slots cannot be scraped."
    assert f" {words[rule['alert']].removesuffix('.')}" in rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}/{rule['alert']}.md"


@of_each
def test_the_culprit_is_no_label(rule: dict[str, Any]) -> None:
    """Else the alert would be another one whenever the culprit changes."""
    named = "application_name" in rule["annotations"]
    assert named == (rule["alert"] in ABOUT_AN_APPLICATION)
    aggregated = re.findall(r"\bby \(([^)]*)\)", rule["expr"])
    assert not any("application_name" in labels for labels in aggregated)


@of_each
def test_the_daemons_verdict_counts_too(rule: dict[str, Any]) -> None:
    verdict = (
        "job_target_alertname_severity:pgheadroom_alert:last15m"
        f'{{alertname="{rule["alert"]}", severity="{rule["labels"]["severity"]}"}} == 1'
    )
    assert (verdict in rule["expr"]) == (rule["alert"] != DOWN)


@of_each
def test_a_clients_name_is_cleaned_where_it_is_printed(rule: dict[str, Any]) -> None:
    """Clients choose most names; arguments of a query are quoted by %q instead."""
    for text in rule["annotations"].values():
        for action in re.findall(r"\{\{-?(.*?)-?\}\}", text):
            name = re.search(r"\.Labels\.(application_name|database|role|user|pooler)\b", action)
            if name is not None and "%q" not in action:
                assert action.strip() == rf'reReplaceAll `[^\pL\pN ._/+*#=-]` "?" {name[0]}'


@pytest.mark.parametrize("record", sorted(RECORDED))
def test_records_are_named_level_metric_operation(record: str) -> None:
    """The level is the labels that are left."""
    label = (
        "(job|instance|target|server|alertname|severity|application_name|role|database|user|pooler"
        "|name|unit)"
    )
    assert re.fullmatch(rf"{label}(_{label})*:pgheadroom_[a-z_]+:[a-z0-9_]+", record)


@of_all
def test_servers_are_told_apart_in_every_expression(text: str) -> None:
    """By the same labels, in the same order; those of a daemon where the daemon matters."""
    scrape = "job, cluster, namespace, env"
    daemon = rf"{scrape}, instance, target(, server)?"
    allowed = rf"{scrape}(, instance)?|{daemon}|{scrape}, target, server|job, instance|state|tier"
    more = "(, (application_name|alertname|severity|name|role|database|user|pooler))*"
    for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", text):
        assert re.fullmatch(rf"({allowed}){more}", labels), labels
    assert not re.search(r"\b(without|ignoring)\b", text)
    for selector in re.findall(r"job=%q[^}\"]*", text):
        assert selector.startswith("job=%q,cluster=%q,namespace=%q,env=%q")


@pytest.mark.parametrize("kind", ["prometheus", "prometheusrule"])
def test_more_labels_go_along(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    main(["rules", "--format", kind])
    usual = capsys.readouterr().out
    assert main(["rules", "--format", kind, "--labels", "team,env,region,team"]) == 0
    more = capsys.readouterr().out
    assert yaml.safe_load(more) != yaml.safe_load(usual)
    for text in (usual, more):
        found = " ".join(text.split())
        assert found.count("namespace, env, team, region") == (text is more) * found.count(
            "namespace, env"
        )
        assert found.count("env=%q,team=%q,region=%q") == (text is more) * found.count("env=%q")
        assert found.count("$labels.env $labels.team $labels.region") == (
            text is more
        ) * found.count("$labels.env")


@pytest.mark.parametrize("record", sorted(RECORDED))
def test_what_is_recorded_is_used(record: str) -> None:
    own = next(rule["expr"] for rule in RULES if rule.get("record") == record)
    users = [text for text in texts() if text != own and re.search(rf"{record}\b", text)]
    assert users


def test_every_metric_that_is_used_is_exported() -> None:
    exported = {metric.name for metric in TABLE} | set(NAMES)
    used = {
        name for text in texts() for name in re.findall(r"[\w:]*\bpgheadroom_[\w:]+", text)
    } - RECORDED
    assert used <= exported, used - exported


def test_every_threshold_that_is_used_is_exported_in_that_unit() -> None:
    exported = {field.name for field in fields(Thresholds)}
    used = {
        f"{name}_{unit}"
        for text in texts()
        for unit, name in re.findall(r'pgheadroom_policy_(\w+?):last1h\{name="(\w+)"\}', text)
    }
    assert used
    assert used <= exported


def cases() -> Iterator[tuple[str, frozenset[str]]]:
    """Yield what each test of the rules looks at: an alert, and the severities that fire."""
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test.get("alert_rule_test", ()):
                fired = (alert["exp_labels"]["severity"] for alert in case["exp_alerts"])
                yield case["alertname"], frozenset(fired)


def test_quiet_is_tested_as_often_as_firing() -> None:
    quiet = sum(not fired for _, fired in cases())
    firing = sum(bool(fired) for _, fired in cases())
    assert quiet >= firing > len(NAMED)


@pytest.mark.parametrize(("name", "severity"), sorted(NAMED))
def test_each_fires_and_keeps_quiet(name: str, severity: str) -> None:
    outcomes = {severity in fired for alert, fired in cases() if alert == name}
    assert outcomes == {True, False}


def annotations() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the annotations of each alert that the tests of the rules expect."""
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test.get("alert_rule_test", ()):
                for alert in case["exp_alerts"]:
                    yield case["alertname"], alert["exp_annotations"]


def test_annotations_are_compared_in_full() -> None:
    expected = {rule["alert"]: set(rule["annotations"]) for rule in ALERTING}
    for name, found in annotations():
        assert set(found) == expected[name]


def test_a_summary_fits_a_lock_screen() -> None:
    """Without blanks and commas that are left over where a figure is not known."""
    for _, found in annotations():
        summary = found["summary"]
        assert len(summary) <= LONGEST_SUMMARY, summary
        assert not re.search(r"  | [,;:.]|[,;:]$|NaN|Inf|<no value>", summary), summary


def test_a_hostile_name_is_in_a_summary_that_is_tested() -> None:
    assert any("??" in found["summary"] for _, found in annotations())


def test_the_file_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """In ASCII, so that it can be printed wherever it is."""
    assert main(["rules"]) == 0
    assert capsys.readouterr().out.encode("ascii") == FILE.read_bytes()


@pytest.mark.parametrize("kind", ["prometheus", "prometheusrule"])
def test_runbooks_can_be_elsewhere(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    main(["rules", "--format", kind])
    usual = capsys.readouterr().out
    assert main(["rules", "--format", kind, "--runbooks", "https://wiki.example/how/to/"]) == 0
    moved = capsys.readouterr().out
    assert yaml.safe_load(moved) != yaml.safe_load(usual)
    assert moved == usual.replace(RUNBOOKS, "https://wiki.example/how/to")
    assert RUNBOOKS not in moved


def test_a_prometheus_rule_has_the_same_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--format", "prometheusrule"]) == 0
    text = capsys.readouterr().out
    resource = yaml.safe_load(text)
    assert resource["apiVersion"] == "monitoring.coreos.com/v1"
    assert resource["kind"] == "PrometheusRule"
    assert resource["metadata"] == {"name": "pgheadroom"}
    assert resource["spec"] == yaml.safe_load(FILE.read_text())
    assert "\\n" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "json"],
        ["--runbooks", "wiki.example"],
        ["--runbooks", "https://wiki.example/?page="],
        ["--runbooks", "https://wiki.example/{{ $value }}"],
        ["--runbooks", "https://me:sesame@wiki.example"],
        ["--runbook", "https://wiki.example"],
        ["--labels", "team,"],
        ["--labels", "instance"],
        ["--labels", "role,team"],
        ["--labels", "__team"],
        ["--labels", "te am"],
        ["rules.yml"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_told(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["rules", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("pgheadroom: ")
    assert "sesame" not in said.err
