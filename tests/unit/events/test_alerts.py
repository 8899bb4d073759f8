"""Tests that each alert's beginning, change and end is one log line, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.histories import START, climb, let_in, pool, reading, samples, together
from tests.support.readings import POLICY

from pgheadroom.events.alerts import CULPRIT_SECONDS, alert_news, as_told
from pgheadroom.events.news import News
from pgheadroom.model.alert import About, Alert, AlertName, Severity
from pgheadroom.model.event import EventKind, Level, Told
from pgheadroom.model.reading import Failure, Outcome, Reading
from pgheadroom.state import State
from pgheadroom.step import step

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


class Log:
    """The lines that a target makes."""

    def __init__(self, told: Told | None = None) -> None:
        self.told = told or {}
        self.before = State("db")
        self.lines: list[tuple[float, News]] = []

    def hear(self, at: float, *alerts: Alert, state: State | None = None) -> list[str]:
        """Take in what fires; return the events that are logged."""
        before = self.before._replace(told=self.told)
        self.before = state or State("db", alerts=alerts)
        lines, self.told = alert_news(before, self.before, START + at)
        self.lines += [(at, line) for line in lines]
        return [line.event for line in lines]

    def play(self, found: Iterable[Reading], state: State | None = None) -> State:
        """Take in readings; return the last state."""
        state = state or State("db")
        for one in found:
            state = step(state, one, POLICY)
            self.hear(one.at - START, state=state)
        return state

    def told_of(self, name: AlertName) -> list[str]:
        """Return the events about one alert."""
        return [x.event for _, x in self.lines if x.fields["alertname"] == name]


def alert(
    name: AlertName = AlertName.EXHAUSTED,
    severity: Severity = CRITICAL,
    who: str | None = "web",
    about: About = (),
) -> Alert:
    return Alert(name, severity, START, f"{who} holds most.", who, about, START + 5)


def test_it_begins_and_ends_with_all_there_is_to_say() -> None:
    log = Log()
    role = alert(AlertName.ROLE, WARNING, None, (("role", "shop"),))
    assert log.hear(0, alert(), role) == ["alert begins"] * 2
    assert log.hear(1, alert(), role) == []
    assert log.hear(65, role) == ["alert ends"]
    (_, first), (_, second), (_, end) = log.lines
    assert (first.level, second.level, end.level) == (
        *(Level.CRITICAL, Level.WARNING),
        Level.INFO,
    )
    assert first.fields == {
        "alertname": "PostgresConnectionsExhausted",
        "severity": "critical",
        "application_name": "web",
        "summary": "No connection slot is left for applications: web",
        "reason": "web holds most.",
    }
    assert first.remembered is not None
    assert first.remembered.kind is EventKind.BEGINS
    assert first.remembered.application_name == "web"
    assert second.fields["role"] == "shop"
    assert "application_name" not in second.fields
    assert end.fields["seconds"] == 65
    assert end.fields["reason"] == "its cause was last seen at 2026-01-01 00:00:05 UTC"


def test_a_worse_severity_is_a_change_and_not_another_alert() -> None:
    log, warns, pages = Log(), alert(severity=WARNING), alert()
    assert log.hear(0, warns) == ["alert begins"]
    assert log.hear(1, warns, pages) == ["alert changes"]
    assert log.hear(2, warns, pages) == []
    assert log.hear(3, warns) == ["alert changes"]
    assert [line.level for _, line in log.lines[1:]] == [Level.CRITICAL, Level.INFO]
    assert log.lines[1][1].fields["severity_before"] == "warning"
    assert log.hear(4) == ["alert ends"]
    assert Log().hear(0, warns, pages) == ["alert begins"]


def test_another_culprit_is_told_when_it_stays() -> None:
    log = Log()
    log.hear(0, alert(who="a"))
    for second in range(1, 600):
        assert log.hear(second, alert(who="ab"[second % 2])) == []
    log.hear(600, alert(who="a"))
    told = [second for second in range(601, 700) if log.hear(second, alert(who="b"))]
    assert told == [601 + CULPRIT_SECONDS]
    _, line = log.lines[-1]
    assert (line.event, line.fields["application_name"]) == ("alert changes", "b")
    assert line.fields["application_name_before"] == "a"


def test_what_fired_before_a_restart_does_not_begin() -> None:
    log = Log(as_told([alert()]))
    assert log.hear(0, alert()) == []
    assert log.hear(1) == ["alert ends"]


@pytest.mark.parametrize("refused", [False, True])
def test_an_incident_is_a_handful_of_lines(*, refused: bool) -> None:
    """With figures and, at times, names that are others with every sample."""
    log = Log()
    shape = together(pool("jobs", 30, 3), climb("nest-api", 0, 0.5, begins=60))
    state = log.play(samples(shape, 300))
    at = 300
    while at < 900:
        at += 1
        found: Reading = reading(START + at, let_in(shape(200), 97))
        if refused and at % 2:
            found = Failure(START + at, Outcome.FULL, "sorry")
        state = log.play([found], state)
    log.play((reading(START + second, {"jobs": 30}) for second in range(901, 2400)), state)
    assert len(log.lines) <= 12
    for name in (AlertName.IMMINENT, AlertName.EXHAUSTED):
        events = log.told_of(name)
        assert (events[0], events[-1]) == ("alert begins", "alert ends")
        assert events.count("alert begins") == events.count("alert ends") == 1


alerts = st.lists(
    st.builds(
        alert,
        st.sampled_from([AlertName.UNKNOWN, AlertName.ROLE, AlertName.IMMINENT]),
        st.sampled_from(Severity),
        st.sampled_from(["a", "b", None]),
    ),
    max_size=4,
    unique_by=lambda one: one.key,
)


@given(st.lists(st.tuples(st.floats(0.1, 40), alerts), max_size=40))
def test_of_each_alert_beginnings_and_ends_alternate(
    steps: list[tuple[float, list[Alert]]],
) -> None:
    log, at = Log(), 0.0
    for pause, fires in steps:
        at += pause
        log.hear(at, *fires)
        assert {name for name, _ in log.told} == {one.name for one in fires}
    log.hear(at + 1)
    for name in AlertName:
        events = [event for event in log.told_of(name) if event != "alert changes"]
        assert events == ["alert begins", "alert ends"] * (len(events) // 2)
