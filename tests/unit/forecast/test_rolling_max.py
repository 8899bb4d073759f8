"""Tests that the peak of a window is its highest sample, however few are kept."""

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.rolling_max import WINDOWS, RollingMax

samples = st.lists(st.tuples(st.floats(0.1, 40.0), st.integers(0, 1000)), min_size=1, max_size=60)


@given(samples)
def test_it_agrees_with_looking_at_every_sample(steps: list[tuple[float, int]]) -> None:
    peaks, history, now = RollingMax(), list[tuple[float, int]](), 1_000_000.0
    for pause, used in steps:
        now += pause
        peaks = peaks.add(now, used)
        history.append((now, used))
        for _, seconds in WINDOWS:
            highest = max(n for at, n in history if now - at < seconds)
            assert peaks.highest(seconds, now) == highest


def test_a_spike_between_two_scrapes_is_kept_for_its_window() -> None:
    peaks = RollingMax().add(0.0, 10).add(1.0, 95).add(2.0, 10)
    assert peaks.highest(15.0, 2.0) == 95
    assert peaks.add(17.0, 10).highest(15.0, 17.0) == 10
    assert peaks.add(17.0, 10).highest(60.0, 17.0) == 95


def test_a_clock_that_is_set_back_leaves_nothing_in_the_future() -> None:
    peaks = RollingMax().add(1000.0, 50).add(10.0, 7)
    assert peaks.highest(300.0, 10.0) == 7
