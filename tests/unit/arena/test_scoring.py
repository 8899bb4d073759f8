"""Tests what the arena's judge makes of pages, in cases worked out by hand."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from benchmarks.arena import judge as command
from benchmarks.arena import write
from benchmarks.arena.judge import outcomes
from benchmarks.arena.report import misses, summary, tables
from benchmarks.arena.scoring import BareRule, Page, judged, pages_of, tickets_of

INCIDENT: dict[str, Any] = {
    "incident": True,
    "onset": 10_000.0,
    "exhaustion": 20_000.0,
    "near_misses": [[19_000.0, 20_000.0]],
    "culprit": "api",
}
BENIGN: dict[str, Any] = {
    "incident": False,
    "onset": None,
    "exhaustion": None,
    "near_misses": [[5000.0, 5100.0]],
    "culprit": None,
}


def alert(at: float, state: str = "firing", severity: str = "critical") -> dict[str, Any]:
    return {
        "time": at,
        "state": state,
        "severity": severity,
        "alert": "Full",
        "application_name": "api",
    }


@pytest.mark.parametrize(
    ("page", "lead", "share", "idle"),
    [
        (Page(15_000.0), 5000.0, 1.0, 0),  # an hour is as good as a day
        (Page(18_200.0), 1800.0, 0.5, 0),
        (Page(20_000.0), 0.0, 0.0, 0),  # with the first refusal: too late, and not for nothing
        (Page(9000.0), 10_000.0, 1.0, 0),  # fired before the onset and still does: from there
        (Page(9000.0, 9500.0), 0.0, 0.0, 1),  # over before the onset
        (Page(6000.0), 0.0, 0.0, 1),  # more than an hour before the onset
    ],
)
def test_what_a_page_was_worth(page: Page, lead: float, share: float, idle: int) -> None:
    verdict = judged(INCIDENT, [page])
    assert verdict.lead == lead
    assert verdict.share == pytest.approx(share)
    assert verdict.before is (lead > 0)
    assert len(verdict.for_nothing) == idle


def test_a_page_just_before_a_stretch_near_the_limit_is_not_for_nothing() -> None:
    starts = (4699.0, 4700.0, 5100.0, 5101.0)
    verdict = judged(BENIGN, [Page(at) for at in starts])
    assert [page.start for page in verdict.for_nothing] == [4699.0, 5101.0]


def test_the_culprit_is_judged_where_somebody_is_named_in_time() -> None:
    named = Page(15_000.0, application_name="web")
    assert judged(INCIDENT, [named]).blamed is False
    assert judged(INCIDENT, [Page(15_000.0)]).blamed is None
    late = Page(20_001.0, application_name="api")
    assert judged(INCIDENT, [named, late]).blamed is False
    assert judged(INCIDENT | {"culprits": ["api", "web"]}, [named]).blamed is True
    assert judged(INCIDENT | {"culprit": None}, [named]).blamed is None


def test_alerts_become_pages_and_tickets() -> None:
    alerts = [
        alert(1.0, severity="warning"),
        alert(2.0),
        alert(3.0),  # fires already
        alert(4.0, "resolved"),
        alert(5.0, "resolved", "warning"),
        alert(6.0),
    ]
    assert [(page.start, page.end) for page in pages_of(alerts)] == [(2.0, 4.0), (6.0, math.inf)]
    assert tickets_of(alerts) == 1


def test_the_bare_rule_looks_every_15_seconds_and_pages_above_80_percent() -> None:
    rule = BareRule()
    for second in range(100):
        rule.add(1000.0 + second, 81 if 16 <= second < 47 else 80, 100)
    assert [(page.start, page.end) for page in rule.pages] == [(1030.0, 1060.0)]


def test_the_bare_rule_looks_at_every_sample_that_is_a_minute_from_the_last() -> None:
    rule = BareRule()
    for minute in range(100):
        rule.add(minute * 60.0, 10, 100)
    for second in range(6000, 6060):
        rule.add(float(second), 90 if second % 2 else 70, 100)  # at 15 s, not at each second
    assert len(rule.pages) == 2


def test_stories_are_written_and_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = "--families=lock_queue,surge_after_start"
    assert write.main([str(tmp_path), "--seeds", "0", chosen, "--plain"]) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        f"{name}-00.{ending}"
        for name in ("lock_queue", "surge_after_start")
        for ending in ("jsonl", "truth.json")
    ]
    assert "young" not in (tmp_path / "lock_queue-00.jsonl").read_text()
    found = outcomes(tmp_path, jobs=1)
    sums = summary(found)
    assert sums["pgheadroom"]["before"] == 1.0
    assert "lock_queue" in tables(found)
    assert "lock_queue" not in tables(found, families=False)
    assert misses(found)
    written = tmp_path / "sums.json"
    assert command.main([str(tmp_path), "--brief", "--jobs", "1", "--json", str(written)]) == 0
    assert json.loads(written.read_text()) == sums
    assert "share" in capsys.readouterr().out


def test_another_command_is_judged_by_what_it_prints(tmp_path: Path) -> None:
    write.main([str(tmp_path), "--seeds", "0", "--families=lock_queue"])
    truth = json.loads((tmp_path / "lock_queue-00.truth.json").read_text())
    line = json.dumps(alert(truth["exhaustion"] - 10.0) | {"application_name": truth["culprit"]})
    (tmp_path / "said.txt").write_text(line + "\n")
    (outcome,) = outcomes(tmp_path, f"cat {tmp_path}/said.txt", jobs=1)
    assert outcome.verdict.lead == pytest.approx(10.0)
    assert outcome.verdict.blamed is True
    with pytest.raises(RuntimeError, match="exit status 2"):
        outcomes(tmp_path, "sh -c 'exit 2'", jobs=1)


def test_a_folder_without_stories_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([str(tmp_path)])
    assert ended.value.code == 2
    with pytest.raises(SystemExit):
        write.main([str(tmp_path), "--families", "no_such"])
