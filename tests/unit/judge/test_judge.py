"""Tests the judge with every reading, in any order, at any time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.histories import (
    LIMITS,
    MINUTE,
    SMALL,
    START,
    after,
    climb,
    pool,
    reading,
    samples,
    together,
)
from tests.support.readings import POLICY, older_server

from pgheadroom.model.alert import SEVERITIES, SUMMARIES, AlertName, Severity
from pgheadroom.model.reading import FAILURES, Failure, Outcome, Probe, ProbeKind, Reading, Sample
from pgheadroom.model.slots import Limits, Tier
from pgheadroom.state import State
from pgheadroom.step import step

limits = st.sampled_from(
    [LIMITS, SMALL, Limits(200, 3, 5), Limits(5, 3, 2), Limits(1, 0), Limits(97, 10, 0, 7)]
)
times = st.one_of(st.floats(0, 600), st.floats(0, 4e6), st.floats(0, 4e9))
names = st.sampled_from(["a", "b", "nasty\n\u202e{name}", ""])


def _sample(at: float, holders: dict[str, int], hidden: int, most: Limits, *, busy: bool) -> Sample:
    return reading(at, holders, most, hidden=hidden, busy=holders if busy else ())


sampled = st.builds(
    _sample,
    times,
    st.dictionaries(names, st.integers(0, 210), max_size=4),
    st.integers(0, 30),
    limits,
    busy=st.booleans(),
)
failed = st.builds(Failure, times, st.sampled_from(FAILURES), st.just("why"))
knocked = st.builds(
    Probe, st.just(ProbeKind.KNOCK), times, st.just(0.01), st.sampled_from(list(Outcome))
)
anything: st.SearchStrategy[list[Reading]] = st.lists(
    st.one_of(sampled, sampled, failed, knocked), max_size=60
)


@st.composite
def lives(draw: st.DrawFn) -> list[Reading]:
    """Return readings a few seconds apart, with failures and knocks among them, in order."""
    most = draw(limits)
    at, found = START, list[Reading]()
    for pause, share, kind in draw(
        st.lists(
            st.tuples(
                st.sampled_from([1.0, 1.0, 2.0, 15.0, 700.0]),
                st.floats(0, 1.1),
                st.sampled_from("sssssssfk"),
            ),
            max_size=150,
        )
    ):
        at += pause
        if kind == "s":
            used = min(most.max_connections, round(share * most.of(Tier.ORDINARY)))
            found.append(reading(at, {"a": used // 2, "b": used - used // 2}, most))
        elif kind == "f":
            found.append(Failure(at, draw(st.sampled_from(FAILURES)), "why"))
        else:
            found.append(Probe(ProbeKind.KNOCK, at, 0.01, draw(st.sampled_from(list(Outcome)))))
    return found


def well_formed(state: State) -> None:
    """Check what must hold of any state."""
    keys = [alert.key for alert in state.alerts]
    assert len(set(keys)) == len(keys)
    for alert in state.alerts:
        assert alert.severity in SEVERITIES[alert.name]
        assert alert.name in SUMMARIES
        assert alert.description.endswith((".", ")"))
        assert alert.description.isprintable()
        assert alert.key in state.active
    seconds = [forecast.seconds for forecast in state.usage.forecasts]
    assert seconds == sorted(seconds)


@given(anything)
def test_whatever_comes_in_whatever_order_the_state_is_well_formed(found: list[Reading]) -> None:
    state = State("db")
    for one in found:
        state = step(state, one, POLICY)
        well_formed(state)


@given(lives())
@example([reading(START + at, {"a": 60}) for at in range(100)])
def test_over_any_life_an_alert_keeps_its_beginning_while_it_fires(found: list[Reading]) -> None:
    state, since = State("db"), dict[object, float]()
    for one in found:
        state = step(state, one, POLICY)
        well_formed(state)
        for alert in state.alerts:
            assert alert.since == since.get(alert.key, one.at)
        since = {alert.key: alert.since for alert in state.alerts}


@given(lives())
def test_the_same_readings_make_the_same_alerts(found: list[Reading]) -> None:
    assert after(found) == after(found)


@given(lives(), st.sampled_from([3600.0, 86400.0, 1e7]))
def test_a_reading_long_after_all_others_finds_no_forecast(
    found: list[Reading], pause: float
) -> None:
    state = after(found)
    later = step(state, reading(START + 1e6 + pause, {"a": 1}), POLICY)
    assert later.usage.forecasts == ()


def test_knocks_and_failures_do_not_change_how_use_went() -> None:
    state = after(samples(pool("web", 30, 2), 100))
    for found in (
        Failure(START + 101, Outcome.TIMEOUT, "why"),
        Probe(ProbeKind.KNOCK, START + 102, 0.01, Outcome.FULL, "sorry"),
    ):
        later = step(state, found, POLICY)
        assert later.usage is state.usage
        assert later.usage.trends is state.usage.trends


def test_a_calm_target_keeps_the_same_alerts_and_watches_nothing() -> None:
    state = after(samples(pool("web", 30, 2), 30 * MINUTE))
    assert state.active == {}
    assert state.alerts == ()
    assert state.usage.forecasts == ()


def test_while_blind_forecasts_are_neither_made_nor_dropped() -> None:
    shape = together(pool("web", 30, 1), climb("leaky", 0, 1 / 20))
    state = after(samples(shape, 62 * 20))
    assert [alert.name for alert in state.alerts] == [AlertName.IMMINENT]
    for second in range(1, 2000, 10):
        state = step(state, Failure(START + 62 * 20 + second, Outcome.TIMEOUT, "silence"), POLICY)
    alerts = {alert.name: alert for alert in state.alerts}
    assert alerts[AlertName.IMMINENT].application_name == "leaky"
    blind_from_the_start = after(samples(shape, 40 * 20))
    assert blind_from_the_start.alerts == ()
    for second in range(1, 2000, 10):
        blind_from_the_start = step(
            blind_from_the_start,
            Failure(START + 40 * 20 + second, Outcome.TIMEOUT, "silence"),
            POLICY,
        )
    assert {alert.name for alert in blind_from_the_start.alerts} == {AlertName.UNKNOWN}


@pytest.mark.parametrize("used", [0, 50, 97])
def test_a_first_sample_foretells_nothing(used: int) -> None:
    state = after([reading(START, {"web": used})])
    assert state.usage.forecasts == ()
    assert {alert.name for alert in state.alerts} <= {AlertName.EXHAUSTED}


def test_thresholds_are_those_of_the_policy_at_once() -> None:
    state = after(samples(pool("web", 80), 100))
    assert state.alerts == ()
    stricter = replace(POLICY.thresholds, low_free_ratio=0.5, low_hold_seconds=0.0)
    state = step(state, reading(START + 100, {"web": 80}), replace(POLICY, thresholds=stricter))
    assert [alert.name for alert in state.alerts] == [AlertName.LOW]


def _estimated(found: Reading) -> Reading:
    """Return *found* as a role without pg_monitor reads it from PostgreSQL 15."""
    if not isinstance(found, Sample):
        return found
    estimated = found._replace(holders=found.holders._replace(complete=False))
    return older_server(estimated, 150018)


@given(lives())
@example([reading(START + at, {"a": 12 + at}, hidden=at) for at in range(90)])
@example([reading(START + at, {"a": 100}) for at in range(90)])
def test_no_page_and_no_peak_rests_on_an_estimate(found: list[Reading]) -> None:
    state = State("db")
    for one in found:
        state = step(state, _estimated(one), POLICY)
        well_formed(state)
        assert state.usage.recent_max.highest(300.0, one.at) is None
        refused = state.outcome in (Outcome.FULL, Outcome.RESERVED_ONLY)
        pages = {alert.name for alert in state.alerts if alert.severity is Severity.CRITICAL}
        if not refused:
            pages -= {AlertName.EXHAUSTED}  # stands for a while after a refusal
        assert pages <= {AlertName.REFUSED, AlertName.UNKNOWN, AlertName.EXHAUSTED}


def test_a_server_that_is_full_by_an_estimate_is_a_warning_that_says_so() -> None:
    state = State("db")
    for at in range(61):
        state = step(state, _estimated(reading(START + at, {"a": 100})), POLICY)
    (alert,) = [one for one in state.alerts if one.name is AlertName.LOW]
    assert alert.severity is Severity.WARNING
    assert alert.description.endswith("These counts are an estimate: GRANT pg_monitor to our role.")


def test_from_17_on_the_count_of_a_role_without_rights_is_no_estimate() -> None:
    found = reading(START, {"a": 100})
    newer = found._replace(holders=found.holders._replace(complete=False))
    state = step(State("db"), newer, POLICY)
    assert AlertName.EXHAUSTED in {alert.name for alert in state.alerts}


def test_a_refusal_is_no_estimate() -> None:
    state = step(State("db"), _estimated(reading(START, {"a": 9})), POLICY)
    state = step(state, Failure(START + 1, Outcome.FULL, "too many"), POLICY)
    assert (AlertName.EXHAUSTED, Severity.CRITICAL) in {
        (alert.name, alert.severity) for alert in state.alerts
    }
