"""Tests the state of a target after each kind of reading."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.readings import POLICY, SERVER, sample

from pgheadroom.model.alert import AlertName
from pgheadroom.model.blockers import Blocker, Blockers
from pgheadroom.model.reading import (
    FAILURES,
    Failure,
    Group,
    Outcome,
    Probe,
    ProbeKind,
    Reading,
    Sample,
)
from pgheadroom.model.slots import Tier
from pgheadroom.state import State
from pgheadroom.status.figures import exhaustion_seconds, free_for
from pgheadroom.step import step


def failure(outcome: Outcome, at: float = 1001.0) -> Failure:
    return Failure(at, outcome, "why")


def after(*readings: Reading) -> State:
    state = State("db")
    for reading in readings:
        state = step(state, reading, POLICY)
    return state


def test_a_sample_is_all_there_is_to_know() -> None:
    state = after(sample())
    assert state.outcome is Outcome.OK
    assert state.free == 11
    assert state.applications.counts == {("api", "idle"): 4}


def test_a_refusal_keeps_the_last_use_and_says_that_nothing_is_free() -> None:
    state = after(sample(), failure(Outcome.FULL))
    assert state.sample is not None
    assert state.sample.main.used == 4
    assert [free_for(state, tier) for tier in Tier] == [0, 0, 0]


@pytest.mark.parametrize(("reserve", "expected"), [(False, [0, 2, 5]), (True, [0, 0, 3])])
def test_only_reserved_slots_left_is_told_by_who_was_refused(
    *, reserve: bool, expected: list[int]
) -> None:
    state = after(sample(server=replace(SERVER, reserve=reserve)), failure(Outcome.RESERVED_ONLY))
    assert [free_for(state, tier) for tier in Tier] == expected


@pytest.mark.parametrize(
    "outcome",
    [c for c in FAILURES if c not in (Outcome.FULL, Outcome.RESERVED_ONLY)],
)
def test_other_failures_say_nothing_about_the_slots(outcome: Outcome) -> None:
    assert free_for(after(sample(), failure(outcome)), Tier.ORDINARY) == 11


def test_of_a_server_that_refused_from_the_start_is_known_what_the_refusal_says() -> None:
    full, reserved = after(failure(Outcome.FULL)), after(failure(Outcome.RESERVED_ONLY))
    assert [free_for(full, tier) for tier in Tier] == [0, 0, 0]
    assert [free_for(reserved, tier) for tier in Tier] == [0, None, None]
    assert exhaustion_seconds(full) == dict.fromkeys(Tier, 0.0)
    assert exhaustion_seconds(reserved) == {Tier.ORDINARY: 0.0}
    assert full.sample is None
    assert free_for(after(failure(Outcome.AUTH)), Tier.ORDINARY) is None
    assert exhaustion_seconds(after(failure(Outcome.AUTH))) == {}


def test_a_condition_keeps_its_beginning_while_it_lasts() -> None:
    state = after(failure(Outcome.AUTH, 10.0), failure(Outcome.AUTH, 20.0))
    assert state.since == 10.0
    assert state.failures == {Outcome.AUTH: 2}
    assert step(state, failure(Outcome.TIMEOUT, 30.0), POLICY).since == 30.0


def test_a_knock_changes_nothing_but_what_is_known_of_knocks() -> None:
    state = after(sample(), Probe(ProbeKind.KNOCK, 1001.0, 0.003, Outcome.FULL, "sorry"))
    assert state.outcome is Outcome.OK
    assert state.knocks.failures == {Outcome.FULL: 1}
    assert step(
        state, Probe(ProbeKind.KNOCK, 1002.0, 0.003, Outcome.OK), POLICY
    ).knocks.failures == {Outcome.FULL: 1}


readings = st.lists(
    st.one_of(
        st.builds(
            lambda at, n, hidden: sample(at, (Group("a", "idle", n, 1.0),), hidden),
            st.floats(0, 1e6),
            st.integers(1, 40),
            st.integers(0, 20),
        ),
        st.builds(Failure, st.floats(0, 1e6), st.sampled_from(FAILURES), st.just("why")),
        st.builds(
            Probe,
            st.just(ProbeKind.KNOCK),
            st.floats(0, 1e6),
            st.just(0.01),
            st.sampled_from(list(Outcome)),
        ),
    ),
    max_size=20,
)


@pytest.mark.parametrize("stepped", [3600.0, -3600.0])
def test_an_alert_waits_for_no_clock_that_was_stepped(stepped: float) -> None:
    calm = [sample(at=1e9 + second) for second in range(300)]
    everything = (Group("api", "idle", 20, 10.0),)
    full = [sample(at=1e9 + 300 + stepped, groups=everything)]
    names = {alert.key[0] for alert in after(*calm, *full).alerts}
    assert AlertName.EXHAUSTED in names


@given(readings)
def test_whatever_comes_free_is_known_or_not_and_never_negative(found: list[Reading]) -> None:
    state = after(*found)
    sampled = any(not isinstance(reading, Failure | Probe) for reading in found)
    for tier in Tier:
        free = free_for(state, tier)
        told = state.outcome is Outcome.FULL
        told |= state.outcome is Outcome.RESERVED_ONLY and tier is Tier.ORDINARY
        assert (free is not None) == (sampled or told)
        assert free is None or free >= 0
    assert sum(state.failures.values()) == sum(isinstance(r, Failure) for r in found)


@given(readings)
def test_the_same_readings_make_the_same_state(found: list[Reading]) -> None:
    assert after(*found) == after(*found)


def test_a_breakdown_counts_also_where_the_sample_is_of_a_look_after_it() -> None:
    """On 14 to 16 a full reading may be explained by a later look (see `logins`)."""
    first = sample(at=1000.0)
    second = sample(at=1005.0, groups=(Group("worker", "idle", 4, 1.0),))._replace(at=1005.2)
    state = after(first, second)
    assert state.applications.totals == {"worker": 4}


ROOT = Blocker(
    *(41, "client backend", "report-1", "app", "shop", "idle in transaction", 60.0),
    blocks=3,
    longest_wait_seconds=9.0,
    applications=(("api-1", 2), ("api-2", 1)),
)
BLOCKERS = Blockers(1001.0, waiting=3, looked_at=3, roots=(ROOT,))


def waiting(count: int, at: float = 1000.0) -> Sample:
    found = sample(at)
    return found._replace(facts=found.postgres._replace(waiting=count))


def test_who_blocks_is_told_while_sessions_wait() -> None:
    state = after(waiting(3), BLOCKERS, waiting(2, 1002.0))
    folded = ROOT._replace(applications=(("api-*", 3),))
    assert state.blockers == BLOCKERS._replace(roots=(folded,))
    assert state.outcome is Outcome.OK


def test_who_blocks_is_told_while_the_server_refuses_us() -> None:
    assert after(waiting(3), BLOCKERS, failure(Outcome.FULL, 1002.0)).blockers is not None


def test_when_a_sample_sees_no_queue_nobody_blocks() -> None:
    assert after(waiting(3), BLOCKERS, waiting(1, 1002.0)).blockers is None
    assert after(waiting(3), BLOCKERS, waiting(0, 1002.0)).blockers is None


@pytest.mark.parametrize(
    "over", [Blockers(1002.0), BLOCKERS._replace(roots=()), BLOCKERS._replace(waiting=1)]
)
def test_when_nobody_waits_for_somebody_any_more_nobody_blocks(over: Blockers) -> None:
    assert after(waiting(3), BLOCKERS, over).blockers is None
