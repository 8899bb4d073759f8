"""Tests that peaks are told from noise, and that the next one of a cycle is forecast."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.cycles import Cycles, prominence

PROMINENCE = prominence(97)

steps = st.lists(st.tuples(st.floats(0.1, 500), st.integers(0, 97)), max_size=100)


def cycles(curve: list[tuple[float, int]]) -> Cycles:
    found = Cycles()
    for at, used in curve:
        found = found.add(at, used, PROMINENCE)
    return found


def mountains(peaks: list[int], valley: int = 20, width: int = 10) -> list[tuple[float, int]]:
    """Return a sample a second: up to each of *peaks* and down again, all equally wide."""
    curve: list[tuple[float, int]] = [(0.0, valley)]
    for peak in peaks:
        for second in range(1, 2 * width + 1):
            share = 1 - abs(second - width) / width
            curve.append((curve[-1][0] + 1, round(valley + (peak - valley) * share)))
    return curve


@given(steps)
def test_peaks_and_troughs_take_turns(found: list[tuple[float, int]]) -> None:
    now, state, highest = 0.0, Cycles(), 0
    for pause, used in found:
        now += pause
        state = state.add(now, used, PROMINENCE)
        highest = max(highest, used)
        assert len(state.peaks) <= 6
        for peak in state.peaks:
            assert peak.floor <= peak.height <= highest
            assert peak.began <= peak.at <= now
        for earlier, later in pairwise(state.peaks):
            assert earlier.at < later.began < later.at
            assert later.floor < earlier.height - PROMINENCE
            assert later.floor < later.height - PROMINENCE
        if state.next is not None:
            assert state.next.period > 0
            assert state.next.at > state.peaks[-1].at


@given(st.lists(st.integers(40, 49), max_size=200))
def test_noise_has_no_peaks(curve: list[int]) -> None:
    assert cycles([(float(second), used) for second, used in enumerate(curve)]).peaks == ()


def test_every_mountain_is_a_peak_with_its_trough() -> None:
    found = cycles(mountains([60, 70, 50]))
    assert [(peak.at, peak.height, peak.floor) for peak in found.peaks] == [
        (10.0, 60, 20),
        (30.0, 70, 20),
        (50.0, 50, 20),
    ]


def test_two_peaks_are_no_range() -> None:
    assert cycles(mountains([60, 70])).next is None


def test_a_growing_range_foretells_its_next_peak() -> None:
    expected = cycles(mountains([50, 58, 66])).expected(60.0)
    assert expected is not None
    assert (expected.at, expected.height, expected.growth, expected.period) == (70.0, 74.0, 8.0, 20)


def test_a_range_that_stays_as_it_is_does_not_grow() -> None:
    expected = cycles(mountains([60, 60, 60, 60])).expected(80.0)
    assert expected is not None
    assert expected.growth == 0


@pytest.mark.parametrize("peaks", [[50, 70, 66], [40, 80, 60, 70], [70, 60, 50]])
def test_peaks_that_are_not_each_higher_do_not_grow(peaks: list[int]) -> None:
    found = cycles(mountains(peaks)).next
    assert found is not None
    assert found.growth <= 0


def test_a_range_that_went_quiet_is_no_range_any_more() -> None:
    found = cycles(mountains([60, 60, 60]))
    assert found.expected(60.0) is not None
    assert found.expected(50.0 + 2 * 20 + 1) is None


def test_bursts_at_odd_times_are_no_range() -> None:
    curve: list[tuple[float, int]] = []
    for begins in (0.0, 100.0, 130.0, 900.0):
        curve += [(begins, 20), (begins + 5, 70), (begins + 10, 20)]
    assert cycles(curve).next is None


def test_hills_hardly_taller_than_a_turn_are_noise() -> None:
    low = round(PROMINENCE * 1.3)
    assert len(cycles(mountains([20 + low] * 4)).peaks) == 4
    assert cycles(mountains([20 + low] * 4)).next is None


def test_noise_on_top_does_not_hide_the_mountains() -> None:
    chance = random.Random(3)  # noqa: S311 - the same each time
    curve = [(at, used + chance.randint(-2, 2)) for at, used in mountains([60, 68, 76], width=60)]
    found = cycles(curve)
    assert [peak.height for peak in found.peaks] == pytest.approx([60, 68, 76], abs=3)
    assert found.next is not None
    assert found.next.period == pytest.approx(120, rel=0.1)
