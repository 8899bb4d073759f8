"""Tests that a replay reports every change of an alert, each full period, and a page's lead."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.support.histories import START, reading
from tests.support.readings import POLICY

from pgheadroom.backtest.replay import BacktestResult, Episode, FullPeriod, Replay
from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.model.reading import Failure, Outcome, Probe, ProbeKind, Reading


def played(readings: Iterable[Reading]) -> BacktestResult:
    replay = Replay("db", POLICY)
    for each in readings:
        replay.add(each)
    return replay.account


def full(at: float) -> Failure:
    return Failure(START + at, Outcome.FULL, "sorry, too many clients already")


def test_two_alerts_that_change_places_are_two_changes() -> None:
    """A knock is refused; then one gets through and the reading is refused instead."""
    account = played(
        [
            reading(START, {"web": 50}),
            *[Probe(ProbeKind.KNOCK, START + at, 0.1, Outcome.FULL) for at in (1, 301)],
            Probe(ProbeKind.KNOCK, START + 302, 0.1, Outcome.OK),
            full(602),
        ]
    )
    told = [(change.at - START, change.firing, change.alert.name) for change in account.changes]
    assert told == [
        (1, True, AlertName.REFUSED),
        (602, False, AlertName.REFUSED),
        (602, True, AlertName.EXHAUSTED),
    ]
    assert [episode.end for episode in account.episodes] == [START + 602, None]


@pytest.mark.parametrize(("pause", "shortages"), [(300, 1), (301, 2)])
def test_two_moments_without_a_slot_are_one_shortage_if_they_are_close(
    pause: int, shortages: int
) -> None:
    account = played([reading(START, {"web": 50}), full(10), full(10 + pause)])
    assert len(account.shortages) == shortages
    assert account.shortages[0].start == START + 10
    assert account.shortages[-1].end == START + 10 + pause


def test_a_server_that_is_down_did_not_run_out_of_slots() -> None:
    down = Failure(START + 5, Outcome.UNREACHABLE, "connection refused")
    assert played([reading(START, {"web": 97}), down]).shortages == [FullPeriod(START, START)]


def account_of(start: float, end: float | None, *shortages: tuple[float, float]) -> BacktestResult:
    alert = Alert(AlertName.IMMINENT, Severity.CRITICAL, start, "soon")
    account = BacktestResult("db", last=100_000.0, episodes=[Episode(alert, start, end)])
    account.shortages = [FullPeriod(*one) for one in shortages]
    return account


@pytest.mark.parametrize(
    ("end", "shortage", "lead"),
    [
        (None, (700.0, 800.0), 600.0),
        (200.0, (700.0, 800.0), 600.0),
        (200.0, (3800.0, 3900.0), 3700.0),  # within the hour after its end
        (200.0, (3801.0, 3900.0), None),
        (None, (50.0, 150.0), 0.0),  # it had begun already
        (None, (50.0, 99.0), None),  # it was over
    ],
)
def test_how_long_before_a_shortage_an_alert_fired(
    end: float | None, shortage: tuple[float, float], lead: float | None
) -> None:
    account = account_of(100.0, end, shortage)
    assert account.lead_seconds(account.episodes[0]) == lead
    assert account.warning == ((account.episodes[0], lead) if lead else None)
