"""Tests that what pages and programs are shown is what a target's state says."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.histories import (
    HOUR,
    MINUTE,
    START,
    after,
    climb,
    pool,
    reading,
    samples,
    together,
)
from tests.support.readings import POLICY, role_limit

from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.model.reading import Failure, Outcome, Probe, ProbeKind, Reading
from pgheadroom.model.slots import Limits
from pgheadroom.state import State
from pgheadroom.status.ranking import severity, worst_first
from pgheadroom.step import step
from pgheadroom.web.view import history_view, summary_view, target_view

RESERVE = Limits(max_connections=100, superuser_reserved=3, reserved=2)
LEAK = together(pool("web", 30, 1), climb("leaky", 0, 1 / 10))


def shown(state: State) -> Any:  # noqa: ANN401 - as a program sees it
    """Return the view of *state* as it arrives at a program."""
    return json.loads(json.dumps(target_view(state), allow_nan=False))


def test_before_the_first_reading_nothing_is_known() -> None:
    seen = shown(State("db"))
    assert seen["state"] == "waiting"
    assert seen["severity"] == "unknown"
    assert [seen[key] for key in ("sample", "server", "slots", "forecast", "knock")] == [None] * 5
    assert (seen["applications"], seen["alerts"]) == ([], [])
    assert history_view(State("db"))["points"] == []


def test_the_slots_are_those_of_the_sample() -> None:
    slots = shown(after([reading(START, {"web": 40}, RESERVE, hidden=2)]))["slots"]
    assert slots == {
        "max_connections": 100,
        "used": 42,
        "visible": 40,
        "hidden": 2,
        "reserved_used": 0,
        "limit": {"ordinary": 95, "reserved": 97, "superuser": 100},
        "free": {"ordinary": 53, "reserved": 55, "superuser": 58},
        "reserve": {"superuser": 3, "reserved": 2, "provider": 0},
        "peak": {"15s": 42, "1m": 42, "5m": 42},
    }


def test_a_leak_is_told_with_whose_it_is() -> None:
    seen = shown(after(samples(LEAK, 590)))
    assert seen["forecast"]["sign"] == "climb"
    assert 10 < seen["forecast"]["exhaustion_seconds"]["ordinary"] < 300
    assert seen["forecast"]["application_name"] == "leaky"
    assert seen["forecast"]["holds"] == 59
    first = seen["applications"][0]
    assert (first["application_name"], first["connections"]) == ("leaky", 59)
    assert first["growth_per_second"] == pytest.approx(0.1, rel=0.2)
    assert first["states"] == {"idle": 59}
    assert seen["severity"] == "critical"
    assert seen["alerts"][0]["alertname"] == "PostgresConnectionsExhaustionImminent"
    assert seen["alerts"][0]["runbook_url"].endswith("/PostgresConnectionsExhaustionImminent.md")
    assert "leaky" in seen["to_do"]


def test_no_end_in_sight_is_null_and_not_infinite() -> None:
    forecast = shown(after(samples(pool("web", 30, 1), 5 * MINUTE)))["forecast"]
    assert forecast["exhaustion_seconds"] == {"ordinary": None, "reserved": None, "superuser": None}
    assert forecast["sign"] is forecast["application_name"] is None


def test_a_refused_target_keeps_its_last_figures_and_says_why() -> None:
    refused = Failure(START + 1, Outcome.FULL, "sorry, too many clients already")
    state = after([reading(START, {"web": 90}), refused])
    seen = shown(state)
    assert (seen["state"], seen["detail"]) == ("full", "sorry, too many clients already")
    assert seen["state_since"] == START + 1
    assert seen["sample"]["time"] == START
    assert seen["slots"]["used"] == 90
    assert seen["slots"]["free"]["ordinary"] == 0
    assert seen["severity"] == "critical"


def test_limits_and_knock_are_shown() -> None:
    found = reading(START, {"web": 5})
    readings: list[Reading] = [
        found._replace(others=(role_limit("app", 8, 5),)),
        Probe(ProbeKind.KNOCK, START + 1, 0.003, Outcome.OK),
    ]
    seen = shown(after(readings))
    assert seen["limits"] == {"roles": [{"name": "app", "limit": 8, "used": 5}], "databases": []}
    assert seen["knock"] == {"time": START + 1, "state": "ok", "seconds": 0.003, "detail": ""}
    assert seen["canary"] is None


def test_the_canary_is_shown() -> None:
    state = after([reading(START, {"web": 5})])
    login = Probe(ProbeKind.CANARY, START + 1, 0.02, Outcome.ROLE_LIMIT, "too many")
    assert shown(step(state, login, POLICY))["canary"] == {
        "time": START + 1,
        "state": "role_limit",
        "seconds": 0.02,
        "detail": "too many",
    }


def test_a_summary_is_a_part_of_the_view() -> None:
    state = after(samples(LEAK, 9 * MINUTE))
    whole = target_view(state)
    assert summary_view(state).items() <= whole.items()
    assert "applications" not in summary_view(state)


def test_the_last_hour_is_told_without_a_gap_and_none_of_it_twice() -> None:
    view = history_view(after(samples(LEAK, 10 * MINUTE)))
    points: Any = view["points"]
    assert view["limit"] == 97
    assert points[0]["time"] <= START < points[0]["time"] + points[0]["seconds"]
    assert points[-1]["time"] == START + 599
    for point, later in pairwise(points):
        assert point["time"] + point["seconds"] == later["time"]
    assert points[-1]["applications"]["leaky"] == 60


def test_what_is_older_than_asked_is_left_out() -> None:
    state = after(samples(pool("web", 30, 1), 3 * HOUR, 15.0))
    points: Any = history_view(state, 600)["points"]
    newest = points[-1]["time"]
    assert newest - 600 - points[0]["seconds"] <= points[0]["time"] <= newest - 590 + 32


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=60, unique=True).map(sorted))
def test_stretches_never_overlap_whatever_the_gaps(times: list[int]) -> None:
    state = after([reading(START + at, {"web": at % 7 + 1}) for at in times])
    points: Any = history_view(state, 1e6)["points"]
    for point, later in pairwise(points):
        assert point["time"] + point["seconds"] <= later["time"]
    assert max(point["high"] for point in points) == max(at % 7 + 1 for at in times)


def test_a_name_stays_what_it_is() -> None:
    name = "<script>alert(document)</script>"
    seen = shown(after([reading(START, {name: 3})]))
    assert seen["applications"][0]["application_name"] == name


def alerted(target: str, *severities: Severity) -> State:
    alerts = tuple(Alert(AlertName.LOGINS, one, START, "many") for one in severities)
    state = after([reading(START, {"web": 5})])
    return state._replace(target=target, alerts=alerts)


def test_the_worst_comes_first() -> None:
    tight = after([reading(START, {"web": 90})])._replace(target="tight", alerts=())
    running_out = after(samples(LEAK, 9 * MINUTE))._replace(target="running out", alerts=())
    states = [
        alerted("calm"),
        State("waiting"),
        tight,
        running_out,
        alerted("ticket", Severity.WARNING),
        alerted("page", Severity.WARNING, Severity.CRITICAL),
    ]
    order = ["page", "ticket", "waiting", "running out", "tight", "calm"]
    assert [state.target for state in worst_first(states)] == order
    assert [severity(state) for state in worst_first(states)] == [
        *("critical", "warning", "unknown"),
        *("ok", "ok", "ok"),
    ]
