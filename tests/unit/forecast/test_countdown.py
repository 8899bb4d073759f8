"""Tests that the time left is told without jumping about, and only while it is true."""

from __future__ import annotations

import math
import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.countdown import Countdown

SLACK = 4.0


def told(found: list[tuple[float, int, float]], countdown: Countdown | None = None) -> list[float]:
    """Return what is told after each of so many (time, use, forecast)."""
    seconds = []
    countdown = countdown or Countdown()
    for at, used, soonest in found:
        countdown = countdown.add(at, used, soonest, SLACK)
        seconds.append(countdown.seconds)
    return seconds


def test_without_a_forecast_there_is_nothing_to_tell() -> None:
    assert told([(1.0, 50, math.inf), (2.0, 51, math.inf)]) == [math.inf, math.inf]
    assert not Countdown().told


def test_while_use_rises_it_never_grows_by_more_than_a_little() -> None:
    """Of forecasts that are wrong by up to a half, either way, the low edge is told."""
    chance = random.Random(7)  # noqa: S311 - noise, the same each time
    found = [(float(at), 30 + at // 3, (200 - at) * chance.uniform(0.6, 1.5)) for at in range(180)]
    seconds = told(found)
    rises = [later - sooner for sooner, later in pairwise(seconds)]
    assert max(rises) < 0.25 * max(seconds)
    assert sum(rise > 0 for rise in rises) < 12
    assert all(one <= raw for one, (_, _, raw) in zip(seconds, found, strict=True))


def test_a_gap_in_the_forecasts_is_bridged_and_no_longer() -> None:
    found = [(float(at), 90, 20.0) for at in range(5)]
    gap = [(float(at), 90, math.inf) for at in range(5, 40)]
    seconds = told(found + gap)
    assert set(seconds[:20]) == {20.0}
    assert seconds[-1] == math.inf


def test_use_that_came_down_ends_it_at_once() -> None:
    found = [(float(at), 90, 20.0) for at in range(5)]
    assert told([*found, (5.0, 80, math.inf)])[-1] == math.inf
    assert told([*found, (5.0, 80, 60.0)])[-1] == 60.0
    assert told([*found, (5.0, 88, 60.0)])[-1] == 20.0


def test_a_climb_that_slows_down_is_told_so_before_long() -> None:
    fast = [(float(at), 50, 60.0) for at in range(20)]
    slow = [(float(at), 50, 600.0) for at in range(20, 1500)]
    seconds = told(fast + slow)
    assert seconds[25] == 60.0
    assert seconds[80] > 60.0
    assert seconds[-1] == 600.0
    assert all(later <= 1.5 * sooner for sooner, later in pairwise(seconds))


def test_where_samples_are_far_apart_one_of_them_is_no_stretch() -> None:
    found = [(30.0 * number, 50, 179.0 if number == 5 else 8000.0) for number in range(9)]
    seconds = told(found)
    assert seconds[4:8] == [8000.0, 179.0, 179.0, 179.0]


samples = st.lists(
    st.tuples(
        st.floats(0.1, 900.0),
        st.integers(0, 100),
        st.one_of(st.just(math.inf), st.floats(0.0, 1e6)),
    ),
    max_size=60,
)


@given(samples)
def test_it_is_never_above_the_newest_forecast(found: list[tuple[float, int, float]]) -> None:
    at, countdown = 0.0, Countdown()
    for pause, used, soonest in found:
        at += pause
        before, countdown = countdown, countdown.add(at, used, soonest, SLACK)
        assert countdown.seconds >= 0.0
        if math.isinf(soonest):
            assert countdown.seconds in (before.seconds, math.inf)
        else:
            assert countdown.seconds <= soonest
