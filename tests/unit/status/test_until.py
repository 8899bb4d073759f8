"""Tests the short answers about how long it lasts where a plain reading of the figures misleads."""

from __future__ import annotations

from tests.support.histories import (
    START,
    after,
    climb,
    curve,
    mountains,
    pool,
    ramp,
    samples,
    together,
)
from tests.support.readings import POLICY, pooler_sample

from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.forecast.countdown import Countdown
from pgheadroom.judge.blame import taker
from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.pooler import Pool
from pgheadroom.state import State
from pgheadroom.status.advice import to_do
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.figures import growth_rates, verdicts
from pgheadroom.status.ranking import worst_first
from pgheadroom.status.standing import Standing, standing
from pgheadroom.status.status import status
from pgheadroom.step import step

CALM = pool("web", 12)


def test_a_slot_that_comes_free_for_a_second_is_no_forecast() -> None:
    full = after(samples(together(CALM, climb("leaky", 0, 0.5, begins=30)), 215))
    assert full.free == 0
    freed = after(
        samples(
            together(CALM, curve("leaky", lambda at: min(85, (at - 30) / 2) - (at >= 215))), 216
        )
    )
    assert freed.free == 1
    foreseen = freed._replace(countdown=Countdown(9.0))
    assert standing(foreseen) is Standing.RUNNING_OUT
    for state in (freed, foreseen):
        said = status(state)
        assert (said.when, said.because) == ("almost full", "it was full just now")


def test_what_only_waits_to_resolve_has_not_where_few_are_left() -> None:
    """Growth ended a few slots before the end: the page may be over, and the danger is not."""
    stopped = after(samples(together(CALM, ramp("leaky", 0, 79, 30, 190)), 900))
    states, state = [], State("db")
    for one in samples(together(CALM, ramp("leaky", 0, 79, 30, 190)), 900):
        state = step(state, one, POLICY)
        if any(alert.severity is Severity.CRITICAL for alert in state.alerts):
            states.append(state)
    assert stopped.free == 6
    assert any(one.gone_since is not None for state in states for one in state.active.values())
    assert {condition(state) for state in states} == {Condition.CRITICAL}


def test_a_queue_that_pages_is_told_as_one_and_not_as_a_missing_forecast() -> None:
    state = State("pool").of(Identity("pooler", TargetKind.PGBOUNCER))
    for second in range(30):
        waits = Pool("shop", "app", waiting=9, wait_seconds=float(second), size=20)
        state = step(state, pooler_sample(START + second, pools=(waits,)), POLICY)
    assert any(alert.name is AlertName.QUEUE for alert in state.alerts)
    assert status(state).when == "clients queue for server connections"
    assert status(state).because == "the oldest for 29 s"


def test_a_jump_that_stays_is_no_change_beside_a_calm_server() -> None:
    """A forecast that stopped is still there; nobody is told as growing by it."""
    shape, state, calm = together(pool("web", 20), ramp("api", 5, 45, 100, 160)), State("db"), []
    for one in samples(shape, 400):
        state = step(state, one, POLICY)
        if standing(state) is Standing.WELL and state.usage.forecasts:
            calm.append(status(state).change)
    assert calm
    assert all(words.startswith("holds most") for words in calm)


def test_nobody_is_told_to_grow_for_longer_than_it_lived() -> None:
    """All connections are a minute old in these histories, and so is who opened them all."""
    state = after(samples(together(pool("web", 20), ramp("leaky", 0, 77, 300, 480)), 600))
    who = taker(state)
    assert who is not None
    assert (who.application_name, who.seconds) == ("leaky", 60.0)


def test_who_took_much_before_is_not_to_blame_for_a_storm_of_another() -> None:
    shape = together(
        pool("web", 20), ramp("cron-job", 0, 40, 60, 100), ramp("storm", 0, 37, 160, 172)
    )
    state = after(samples(shape, 171))
    assert state.usage.forecasts
    assert status(state).who == "storm"
    assert any(alert.application_name == "storm" for alert in state.alerts)


def test_what_stays_within_its_range_of_then_has_not_grown() -> None:
    """The stretch of five minutes ago may be wide, and its middle is nobody's count."""
    shape = together(pool("jobs", 30), ramp("web", 50, 20, 100, 101))
    rates = [growth_rates(after(samples(shape, second)))["web"] for second in range(402, 430, 2)]
    assert set(rates) == {0.0}


def test_who_made_a_peak_comes_and_goes() -> None:
    state, seen = State("db"), set()
    for one in samples(together(CALM, mountains("batch", 30, 9, 600)), 4000, 2.0):
        state = step(state, one, POLICY)
        said = status(state)
        if said.who == "batch" and said.change.startswith("made the last peak"):
            assert said.sentence.endswith(": batch made the last peak")
            seen.add(verdicts(state).get("batch"))
    assert seen
    assert seen <= {Verdict.SAWTOOTH, None}
    assert Verdict.SAWTOOTH in seen


def test_where_a_peak_maker_is_gone_nobody_is_told_to_stop_it() -> None:
    calm = after(samples(CALM, 30))
    for name in (AlertName.EXPECTED, AlertName.IMMINENT):
        gone = Alert(name, Severity.CRITICAL, START, "words", "batch")
        words = to_do(calm._replace(alerts=(gone,)))
        assert "batch" in words
        assert "peak" in words
        there = Alert(name, Severity.CRITICAL, START, "words", "web")
        assert "peak" not in to_do(calm._replace(alerts=(there,)))


def test_who_grows_comes_before_who_does_not() -> None:
    """In a list; both are well by their alerts, and the calm one has less room."""
    grows = after(samples(together(pool("web", 20), climb("leaky", 0, 0.5, begins=60)), 100))
    calm = after(samples(pool("web", 70), 100))
    assert standing(grows) is Standing.CLIMBING
    states = [calm._replace(target="calm"), grows._replace(target="grows")]
    assert [state.target for state in worst_first(states)] == ["grows", "calm"]
