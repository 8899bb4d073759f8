"""Tests how closely the past is asked for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.importing.steps import Stretch, stretches

NOW = 1_767_225_600.0
DAY = 86_400.0


def moments(found: list[Stretch]) -> list[float]:
    return [one.start + n * one.step for one in found for n in range(one.points)]


def test_two_weeks_are_asked_for_closely_at_their_end() -> None:
    coarse, fine = stretches(NOW - 14 * DAY, NOW, NOW)
    assert (coarse.step, fine.step) == (60.0, 15.0)
    assert coarse.start == NOW - 14 * DAY
    assert fine.start == NOW - 6 * 3600
    assert fine.end == NOW - 15
    assert [one.step for one in stretches(NOW - 300 * DAY, NOW, NOW)] == [300.0, 60.0, 15.0]
    assert sum(one.points for one in stretches(NOW - 400 * DAY, NOW, NOW)) < 140_000


@given(st.floats(0, 400 * DAY), st.floats(0, 400 * DAY), st.floats(0, DAY), st.floats(0, 3 * DAY))
def test_moments_are_in_order_in_range_and_the_same_when_asked_later(
    back: float, shorter: float, after: float, later: float
) -> None:
    """So that what is imported again brings nothing new."""
    start, end, now = NOW - max(back, shorter), NOW - min(back, shorter), NOW + after
    asked = moments(stretches(start, end, now))
    assert all(one < other for one, other in pairwise(asked))
    assert all(start <= one < end for one in asked)
    assert set(moments(stretches(start, end, now + later))) <= set(asked)


@given(st.floats(0, 400 * DAY), st.floats(0, 400 * DAY))
def test_nothing_is_left_out_between(one: float, other: float) -> None:
    start, end = NOW - max(one, other), NOW - min(one, other)
    asked = moments(stretches(start, end, NOW))
    gaps = [later - earlier for earlier, later in pairwise([start, *asked, end])]
    assert max(gaps) <= 300
