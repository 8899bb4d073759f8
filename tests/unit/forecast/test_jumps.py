"""Tests that jumps are told from noise, and that the next one alike is expected."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.jumps import Jumps

LEAST = 4.0

steps = st.lists(
    st.tuples(st.floats(0.1, 30), st.one_of(st.integers(-3, 12), st.integers(-90, 90))),
    max_size=120,
)


def jumps(curve: list[tuple[float, int]]) -> Jumps:
    found = Jumps()
    for at, used in curve:
        found = found.add(at, used, LEAST)
    return found


def stairs(*rises: int, every: int = 100, first: int = 20) -> list[tuple[float, int]]:
    """Return a sample a second: use that jumps by each of *rises* and stays in between."""
    curve, level = [(float(second), first) for second in range(every)], first
    for rise in rises:
        level += rise
        curve += [(float(len(curve) + second), level) for second in range(every)]
    return curve


@given(steps)
def test_strokes_are_rises_in_order_and_never_small(found: list[tuple[float, int]]) -> None:
    now, used, state = 0.0, 40, Jumps()
    for pause, change in found:
        now, used = now + pause, max(0, used + change)
        state = state.add(now, used, LEAST)
        assert len(state.done) <= 6
        assert state.high is not None
        assert state.high[0] <= now
        for jump in state.done:
            assert jump.rise >= LEAST
            assert jump.began <= jump.ended < now
        for earlier, later in pairwise(state.done):
            assert earlier.ended < later.began
        expected = state.expected(now)
        if expected is not None:
            assert expected.size >= LEAST
            assert expected.since < expected.last <= now
            assert expected.gap == expected.last - expected.since


@given(st.lists(st.integers(40, 43), max_size=200))
def test_wandering_is_no_stroke(curve: list[int]) -> None:
    found = jumps([(float(second), used) for second, used in enumerate(curve)])
    assert (found.done, found.moving) == ((), False)


def test_a_jump_counts_once_it_has_come_to_rest() -> None:
    found = jumps(stairs(10)[:102])
    assert (found.done, found.moving) == ((), True)
    found = jumps(stairs(10))
    assert [(jump.began, jump.rise) for jump in found.done] == [(100.0, 10)]


def test_a_jump_of_many_samples_is_one_stroke() -> None:
    curve = stairs(1)[:100] + [(100.0 + s, 20 + 5 * min(s + 1, 4)) for s in range(60)]
    assert [jump.rise for jump in jumps(curve).done] == [20]


def test_one_stroke_foretells_nothing() -> None:
    assert jumps(stairs(10)).expected(200.0) is None


def test_two_strokes_foretell_one_of_the_smaller_size() -> None:
    expected = jumps(stairs(10, 12)).expected(299.0)
    assert expected is not None
    assert (expected.size, expected.since, expected.last, expected.gap) == (10, 100.0, 200.0, 100.0)


def test_strokes_that_are_not_alike_foretell_nothing() -> None:
    assert jumps(stairs(5, 20)).expected(299.0) is None


def test_nobody_waits_for_ever_for_the_next_stroke() -> None:
    found = jumps(stairs(10, 10))
    assert found.expected(200.0 + 300.0) is not None
    assert found.expected(200.0 + 301.0) is None


@pytest.mark.parametrize("down", [11, 20, 30])
def test_use_that_comes_down_again_ends_the_strokes(down: int) -> None:
    curve = stairs(10, 10)
    curve += [(float(len(curve) + second), 40 - down) for second in range(10)]
    assert jumps(curve).done == ()
    assert jumps(curve).expected(curve[-1][0]) is None


def test_a_slot_or_two_given_back_do_not_end_them() -> None:
    curve = [(at, used - round(at) % 3) for at, used in stairs(10, 10)]
    assert jumps(curve).expected(299.0) is not None
