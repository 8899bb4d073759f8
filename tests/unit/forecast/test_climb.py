"""Tests that a climb is seen at its pace, and what only looks like one is not."""

from __future__ import annotations

import random
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.climb import Climb, least_rise
from pgheadroom.forecast.usage import Usage

LIMIT = 97


def usage(curve: list[int], every: float = 1.0, limit: int = LIMIT) -> Usage:
    """Return what is remembered of *curve*, a sample every so many seconds."""
    found = Usage()
    for number, used in enumerate(curve):
        found = found.add(1_000_000.0 + number * every, used, {}, limit)
    return found


def climbs(curve: list[int], every: float = 1.0, limit: int = LIMIT) -> list[Climb]:
    """Return the climbs that show at the end of *curve*, on rungs from fine to coarse."""
    return [one for one in usage(curve, every, limit).climbs if one is not None]


@pytest.mark.parametrize("pace", [2.0, 1.0, 0.2, 0.05])
def test_a_straight_climb_is_seen_at_its_pace(pace: float) -> None:
    seconds = round(55 / pace)
    curve = [30] * 900 + [30 + round(pace * second) for second in range(seconds)]
    found = climbs(curve)
    assert found
    now = 1_000_000.0 + len(curve) - 1
    left = min(climb.seconds_left(LIMIT, now) for climb in found)
    assert left == pytest.approx((LIMIT - 85) / pace, rel=0.35, abs=1)
    for climb in found:
        assert 0.5 * pace <= climb.rate <= 1.3 * pace
        assert climb.since == pytest.approx(climb.at - climb.rise / pace, rel=0.3, abs=3)


@pytest.mark.parametrize("level", [0, 30, 90, 96, 97])
def test_use_that_stays_is_no_climb(level: int) -> None:
    assert climbs([level] * 2000) == []


@pytest.mark.parametrize("noise", [1, 3, 8])
@pytest.mark.parametrize("level", [60, 78, 88])
def test_use_that_wanders_is_no_climb(level: int, noise: int) -> None:
    chance = random.Random(level + noise)  # noqa: S311 - the same each time
    curve = [level + chance.randint(-noise, noise) for _ in range(4000)]
    found = Usage()
    for number, used in enumerate(curve):
        found = found.add(float(number), min(used, LIMIT), {}, LIMIT)
        assert number < 600 or not any(found.climbs)


def test_a_climb_that_flattens_out_is_over() -> None:
    curve = [30] * 600 + [30 + second // 10 for second in range(550)] + [85] * 900
    assert climbs(curve[:1150])
    assert climbs(curve) == []


def test_what_goes_down_does_not_climb() -> None:
    assert climbs([90 - second // 20 for second in range(1200)]) == []


@pytest.mark.parametrize("dip", [1, 10, 20, 40, 87])
@pytest.mark.parametrize("seconds", [1, 2, 3, 5])
def test_a_dip_in_what_stays_is_no_climb(dip: int, seconds: int) -> None:
    """Back at its old level, use has gained nothing, on whatever rung one looks."""
    found = usage([87] * 300 + [87 - dip] * seconds)
    for second in range(100):
        found = found.add(1_000_300.0 + seconds + second, 87, {}, LIMIT)
        for climb in filter(None, found.climbs):
            assert climb.rate > 0


def test_a_rise_that_could_not_have_happened_is_none() -> None:
    """From 10 of 97 up to 30, 67 are left; as many have not gone yet, so nothing can be said."""
    assert climbs([10] * 300 + [10 + second // 5 for second in range(100)]) == []


def test_samples_that_come_too_seldom_do_not_show_on_fine_rungs() -> None:
    curve = [30] * 60 + [30 + number for number in range(55)]
    found = usage(curve, every=15.0)
    assert found.climbs[:3] == (None, None, None)
    assert any(found.climbs[3:])


def test_after_a_gap_nothing_new_is_said_until_there_are_samples_again() -> None:
    curve = [30] * 900 + [30 + second // 20 for second in range(1000)]
    before = usage(curve)
    assert any(before.climbs)
    later = before.add(1_000_000.0 + len(curve) + 3600, 80, {}, LIMIT)
    assert not any(later.climbs[: later.touched])


curves = st.lists(st.integers(-8, 8), min_size=1, max_size=300).map(
    lambda steps: [max(0, min(LIMIT, used)) for used in accumulate(steps, initial=40)]
)


@given(curves, st.sampled_from([1.0, 5.0, 15.0]))
def test_what_is_said_of_a_climb_holds_together(curve: list[int], every: float) -> None:
    found = usage(curve, every)
    now = 1_000_000.0 + (len(curve) - 1) * every
    for climb in filter(None, found.climbs):
        assert climb.since < climb.at <= now
        assert climb.rate > 0
        assert climb.rise >= least_rise(LIMIT)
        assert max(curve) >= climb.top >= climb.rise
        left = [climb.seconds_left(LIMIT, now + more) for more in range(0, 100, 10)]
        assert left == sorted(left, reverse=True)
        assert left[-1] >= 0


@given(st.integers(0, 5000))
def test_growth_worth_the_name_grows_with_the_limit(limit: int) -> None:
    assert 3 <= least_rise(limit) <= least_rise(limit + 1) <= max(3, 0.05 * (limit + 1))
