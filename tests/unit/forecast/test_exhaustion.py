"""Tests by which pattern, and when, slots are forecast to run out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.histories import (
    HOUR,
    LIMITS,
    START,
    after,
    climb,
    mountains,
    pool,
    ramp,
    reading,
    samples,
    staircase,
    together,
)

from pgheadroom.forecast.exhaustion import seconds_left
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.model.reading import Sample
from pgheadroom.model.slots import Tier
from pgheadroom.state import State

LIMIT = LIMITS.of(Tier.ORDINARY)


def signs(state: State) -> set[Pattern]:
    return {forecast.pattern for forecast in state.usage.forecasts}


def test_a_climb_tells_the_time_that_is_left() -> None:
    for minutes in (30, 40, 48):
        state = after(
            samples(together(pool("web", 30, 1), climb("leaky", 0, 1 / 45)), minutes * 60)
        )
        assert Pattern.CLIMB in signs(state)
        left = 67 * 45 - minutes * 60
        assert seconds_left(state.usage.forecasts, LIMIT, 30) == pytest.approx(left, rel=0.4)


def test_the_nearer_the_end_the_less_is_left() -> None:
    shape = together(pool("web", 30, 1), climb("leaky", 0, 1 / 10, begins=600))
    left = [
        after(samples(shape, 600 + seconds)).usage.forecasts[0].seconds
        for seconds in (450, 540, 600, 650)
    ]
    assert left == sorted(left, reverse=True)


def test_strokes_foretell_the_one_that_does_not_fit() -> None:
    shape = together(pool("web", 30), staircase("modules", 12, 300, 300))
    state = after(samples(shape, 300 + 4 * 300 + 100))
    assert Pattern.JUMPS in signs(state)
    (jump,) = [p for p in state.usage.forecasts if p.pattern is Pattern.JUMPS]
    assert (jump.slots, jump.period, jump.reached) == (12, 300.0, 90)
    assert Pattern.JUMPS not in signs(after(samples(shape, 300 + 2 * 300 + 100)))


def test_a_growing_range_foretells_which_peak_is_too_high() -> None:
    shape = together(pool("web", 20, 1), mountains("jobs", 20, 8, 600))
    state = after(samples(shape, 4 * 600 + 500))
    (peak,) = [p for p in state.usage.forecasts if p.pattern is Pattern.CYCLE]
    assert not peak.next
    # Peaks at 40, 48, 56, 64, 72 of 97: the third from now is the one.
    assert peak.reached == pytest.approx(72, abs=2)
    assert peak.period == pytest.approx(600, rel=0.05)
    assert peak.seconds == pytest.approx(3 * 600 - 200, abs=120)
    late = after(samples(shape, 7 * 600 + 500))
    assert any(p.pattern is Pattern.CYCLE and p.next for p in late.usage.forecasts)


def test_a_range_that_does_not_grow_hides_its_own_climbs() -> None:
    shape = together(pool("web", 20, 1), mountains("jobs", 55, 0, 600))
    assert after(samples(shape, 5 * 600 + 200)).usage.forecasts == ()
    assert signs(after(samples(shape, 200))) <= {Pattern.CLIMB}


def test_a_leak_behind_a_decline_is_foreseen() -> None:
    shape = together(
        pool("web", 20, 1), ramp("old", 45, 5, HOUR, 6 * HOUR), climb("leaky", 5, 8 / HOUR, HOUR)
    )
    state = after(samples(shape, 5 * HOUR, 15.0))
    (leak,) = [p for p in state.usage.forecasts if p.pattern is Pattern.LEAK]
    assert leak.application_name == "leaky"
    assert leak.seconds <= 3 * leak.lasts


@pytest.mark.parametrize("level", [0, 30, 80, 96])
def test_use_that_stays_has_no_end_in_sight(level: int) -> None:
    state = after(samples(pool("web", level), HOUR))
    assert state.usage.forecasts == ()
    assert math.isinf(seconds_left(state.usage.forecasts, LIMIT, level))


def test_a_full_server_has_no_time_left_whatever_is_foreseen() -> None:
    assert seconds_left((), LIMIT, LIMIT) == 0
    forecast = Forecast(Pattern.CLIMB, 60.0, 0.0, 10.0, 5.0, 96)
    assert seconds_left((forecast,), LIMIT, LIMIT + 1) == 0
    assert seconds_left((forecast,), LIMIT, 96) == 60


walks = st.lists(
    st.tuples(st.sampled_from([1.0, 2.0, 15.0, 400.0]), st.integers(-6, 7)),
    min_size=1,
    max_size=200,
)


@given(walks)
def test_what_is_foreseen_is_told_soonest_first(steps: list[tuple[float, int]]) -> None:
    now, used, found = START, 40, list[Sample]()
    for pause, change in steps:
        now, used = now + pause, max(0, min(LIMIT, used + change))
        found.append(reading(now, {"a": used // 2, "b": used - used // 2}))
    state = after(found)
    seconds = [forecast.seconds for forecast in state.usage.forecasts]
    assert seconds == sorted(seconds)
    for forecast in state.usage.forecasts:
        assert 0 <= forecast.seconds < math.inf
        assert forecast.since < forecast.until <= now
        assert forecast.lasts > 0
        assert forecast.slots > 0
        assert forecast.reached <= LIMIT
