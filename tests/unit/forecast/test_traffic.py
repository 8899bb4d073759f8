"""Tests the memory of commits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.traffic import Traffic


def steady(rate: int, seconds: int, every: int = 5) -> Traffic:
    """Return what is remembered of *rate* commits a second."""
    traffic = Traffic()
    for at in range(0, seconds, every):
        traffic = traffic.add(float(at), rate * at)
    return traffic


@given(st.integers(0, 10_000), st.integers(60, 20_000))
def test_a_steady_rate_is_told_over_any_time(rate: int, seconds: int) -> None:
    traffic = steady(rate, seconds)
    for since, until in ((0.0, seconds), (seconds - 45.0, seconds), (0.0, seconds / 2)):
        told = traffic.rate(since, until)
        assert told is None or told == pytest.approx(rate)
    assert traffic.rate(seconds - 45.0, seconds) is not None


def test_it_remembers_hours_in_few_points() -> None:
    traffic = steady(3, 20 * 3600)
    assert len(traffic.fine) == len(traffic.coarse) == 40
    assert traffic.rate(20 * 3600 - 6 * 3600.0, 20 * 3600.0) == pytest.approx(3)


def test_a_counter_that_fell_begins_anew() -> None:
    traffic = steady(3, 600).add(600.0, 5).add(615.0, 35)
    assert traffic.rate(0.0, 700.0) == pytest.approx(2)


def test_nothing_is_told_of_one_count() -> None:
    assert Traffic().rate(0, 100) is None
    assert Traffic().add(5.0, 7).rate(0, 100) is None
