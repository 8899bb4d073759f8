"""Tests that the figures for people are what a target's samples say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.histories import (
    HOUR,
    MINUTE,
    START,
    after,
    climb,
    curve,
    pool,
    ramp,
    reading,
    samples,
    together,
)

from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.model.reading import Failure, Outcome, Sample
from pgheadroom.model.slots import Limits, Tier
from pgheadroom.state import State
from pgheadroom.status.figures import (
    climbing_seconds,
    exhaustion_seconds,
    free_for,
    growth_rates,
    history_seconds,
    history_words,
    learning,
    verdicts,
)

RESERVE = Limits(max_connections=100, superuser_reserved=3, reserved=5)


def test_nothing_is_known_before_there_was_a_sample() -> None:
    for state in (State("db"), after([Failure(START, Outcome.AUTH, "why")])):
        assert exhaustion_seconds(state) == {}
        assert growth_rates(state) == {}
        assert climbing_seconds(state) == {}
        assert verdicts(state) == {}


def test_how_far_back_the_history_reaches() -> None:
    assert history_seconds(State("db")) is None
    assert learning(State("db")) == ""
    state = after(samples(pool("web", 30, 2), HOUR + 1))
    seconds = history_seconds(state)
    assert seconds is not None
    assert HOUR <= seconds < 1.1 * HOUR
    assert learning(state) == (
        "history: 1 h; the daily rhythm is known after a day, the weekly one after a week"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "none yet; the daily rhythm is known after a day, the weekly one after a week"),
        (0.0, "less than a minute; the daily rhythm is known after a day, the weekly one after"),
        (59.9, "less than a minute; the daily"),
        (200.0, "3 min; the daily rhythm"),
        (3 * HOUR + 61, "3 h; the daily rhythm"),
        (24 * HOUR - 1, "23 h; the daily rhythm"),
        (24 * HOUR, "1 d; the weekly rhythm is known after a week"),
        (76 * HOUR, "3 d 4 h; the weekly rhythm is known after a week"),
        (7 * 24 * HOUR - 1, "6 d 23 h; the weekly rhythm"),
        (7 * 24 * HOUR, "7 d"),
        (290 * HOUR, "12 d 2 h"),
    ],
)
def test_what_is_not_known_yet_is_told(seconds: float | None, words: str) -> None:
    said = history_words(seconds)
    assert said.startswith(f"history: {words}")
    assert (";" in said) is (";" in words)


def test_after_a_week_there_is_nothing_to_say() -> None:
    state = after(samples(pool("web", 30, 2), 8 * 24 * HOUR, every=300.0))
    assert learning(state) == ""


def test_with_no_end_in_sight_time_is_infinite() -> None:
    state = after(samples(pool("web", 30, 2), 10 * MINUTE))
    assert exhaustion_seconds(state) == dict.fromkeys(Tier, math.inf)


def test_who_may_more_has_more_time() -> None:
    shape = together(pool("web", 30, 1), climb("leaky", 0, 1 / 10))
    state = after(samples(shape, 550, limits=RESERVE))
    seconds = exhaustion_seconds(state)
    assert 0 < seconds[Tier.ORDINARY] < seconds[Tier.RESERVED] < seconds[Tier.SUPERUSER]
    assert seconds[Tier.ORDINARY] == pytest.approx(620 - 550, rel=0.5)


def test_a_tier_without_a_free_slot_has_no_time_left() -> None:
    state = after([reading(START, {"web": 94}, RESERVE)])
    assert exhaustion_seconds(state) == {
        Tier.ORDINARY: 0.0,
        Tier.RESERVED: math.inf,
        Tier.SUPERUSER: math.inf,
    }
    refused = after([reading(START, {"web": 9})], [Failure(START + 1, Outcome.FULL, "sorry")])
    assert exhaustion_seconds(refused) == dict.fromkeys(Tier, 0.0)


def test_growth_is_told_over_the_last_five_minutes() -> None:
    shape = together(pool("web", 20), ramp("new", 0, 30, 900, 1200), ramp("old", 30, 0, 0, 1200))
    rates = growth_rates(after(samples(shape, 1201)))
    assert rates["web"] == 0
    assert rates["new"] == pytest.approx(0.1, rel=0.1)
    assert "old" not in rates


def test_with_a_forecast_growth_is_told_over_what_it_was_seen_in() -> None:
    shape = together(pool("web", 30), climb("leaky", 0, 1 / 5, begins=300))
    state = after(samples(shape, 600))
    assert state.usage.forecasts
    assert growth_rates(state) == {"web": 0.0, "leaky": pytest.approx(0.2, rel=0.15)}


def test_growth_needs_five_seconds() -> None:
    assert growth_rates(after(samples(pool("web", 30), 5))) == {}
    assert growth_rates(after(samples(pool("web", 30), 6))) == {"web": 0.0}


def test_a_leak_is_told_with_its_length_and_everybody_else_with_none() -> None:
    shape = together(pool("web", 20, 1), climb("leaky", 5, 1 / 300))
    state = after(samples(shape, 3 * HOUR, 30.0))
    seconds = climbing_seconds(state)
    assert seconds["web"] == 0
    assert 2 * HOUR < seconds["leaky"] < 3 * HOUR
    assert verdicts(state) == {"web": Verdict.STABLE, "leaky": Verdict.CLIMBING}


def test_a_mended_leak_is_stable() -> None:
    shape = curve("leaky", lambda at: 5 + at / 300 if at < 3 * HOUR else 5)
    state = after(samples(shape, 3 * HOUR + MINUTE, 30.0))
    assert state.usage.trends.leaks
    assert climbing_seconds(state) == {"leaky": 0.0}
    assert verdicts(state) == {"leaky": Verdict.STABLE}


@pytest.mark.parametrize(
    ("takes", "verdict"), [(9, Verdict.STABLE), (15, Verdict.CLIMBING), (24, Verdict.STORM)]
)
def test_a_storm_would_take_all_slots_within_minutes(takes: int, verdict: Verdict) -> None:
    shape = together(pool("web", 20), ramp("lambda", 0, takes, 100, 130))
    assert verdicts(after(samples(shape, 130)))["lambda"] is verdict
    assert verdicts(after(samples(shape, 170)))["lambda"] is Verdict.STABLE


def test_a_jump_that_is_over_is_no_rise() -> None:
    """A deploy opens its pools within a second, and that is all."""
    shape = together(pool("web", 20), ramp("api", 5, 35, 100, 101))
    for second in range(101, 160):
        assert verdicts(after(samples(shape, second)))["api"] is Verdict.STABLE


@pytest.mark.parametrize("per_second", [0.4, 2.0, 5.0])
def test_growth_is_told_at_its_true_pace_soon_after_it_began(per_second: float) -> None:
    """Averaged over five minutes, a climb of 24 a minute was told as one of 2 to 8."""
    shape = together(pool("web", 20), climb("leaky", 0, per_second, begins=600))
    first = 600 + math.ceil(10 / per_second) + 5
    for second in range(first, first + 30):
        state = after(samples(shape, second))
        if state.free:
            assert growth_rates(state)["leaky"] == pytest.approx(per_second, rel=0.25)


def test_whoever_an_alert_blames_is_never_stable() -> None:
    shape = together(pool("web", 20), ramp("leaky", 0, 77, 300, 480))
    state = after(samples(shape, 600))
    assert state.free == 0
    assert any(alert.application_name == "leaky" for alert in state.alerts)
    assert verdicts(state)["leaky"] in {Verdict.CLIMBING, Verdict.STORM}


def test_in_its_first_seconds_an_application_is_new() -> None:
    assert verdicts(after(samples(pool("web", 30), 3))) == {"web": Verdict.NEW}


@pytest.mark.parametrize(("takes", "verdict"), [(9, Verdict.STABLE), (10, Verdict.CLIMBING)])
def test_who_took_a_tenth_of_the_slots_within_five_minutes_climbs(
    takes: int, verdict: Verdict
) -> None:
    shape = together(pool("web", 20), ramp("jobs", 5, 5 + takes, 400, 650))
    assert verdicts(after(samples(shape, 650)))["jobs"] is verdict
    assert verdicts(after(samples(shape, 1000)))["jobs"] is Verdict.STABLE


steps = st.lists(
    st.tuples(st.sampled_from([1.0, 15.0, 600.0]), st.integers(0, 60), st.integers(0, 40)),
    min_size=1,
    max_size=80,
)


@given(steps)
def test_all_of_it_holds_together(found: list[tuple[float, int, int]]) -> None:
    at, taken = START, list[Sample]()
    for pause, web, jobs in found:
        at += pause
        taken.append(reading(at, {"web": web, "jobs": jobs}))
    state = after(taken)
    present = set(state.applications.totals)
    seconds = exhaustion_seconds(state)
    assert list(seconds) == list(Tier)
    for tier in Tier:
        assert seconds[tier] >= 0
        assert seconds[tier] == 0 or free_for(state, tier)
    assert set(growth_rates(state)) in (present, set())
    assert all(math.isfinite(rate) for rate in growth_rates(state).values())
    assert set(verdicts(state)) == set(climbing_seconds(state)) == present
