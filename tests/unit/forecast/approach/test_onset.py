"""Tests where a climb is said to have begun."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.approach.onset import onset
from pgheadroom.forecast.history import History

START = 1_767_225_600


def of(counts: list[int]) -> History:
    """Return the history of one count a second."""
    history = History()
    for second, used in enumerate(counts):
        history, _ = history.add(START + second, used, 100 - used, {})
    return history


def test_a_climb_began_where_it_left_the_level_before() -> None:
    counts = [10] * 100 + [10 + second for second in range(1, 31)]
    found = onset(of(counts), 40, 1.0, START + len(counts) - 1)
    # At half of the present pace on average, some of the calm before counts in.
    assert START + 65 <= found.at <= START + 101
    assert found.level == 10


def test_what_was_as_high_before_has_not_climbed_since_then() -> None:
    counts = [5] * 20 + [50] * 5 + [10 + 2 * second for second in range(15)]
    found = onset(of(counts), 38, 2.0, START + len(counts) - 1)
    assert found.at >= START + 24
    assert found.level >= 10


def test_a_few_more_than_now_are_no_end_of_a_climb() -> None:
    counts = [10] * 100 + [10 + second for second in range(1, 31)] + [42, 40]
    now = START + len(counts) - 1
    assert onset(of(counts), 40, 1.0, now).at > START + 125
    assert onset(of(counts), 40, 1.0, now, slack=4.0).at <= START + 101


@given(st.lists(st.integers(0, 90), min_size=1, max_size=200), st.floats(0.01, 50))
def test_it_began_before_now_and_not_above(counts: list[int], rate: float) -> None:
    now = START + len(counts) - 1
    found = onset(of(counts), counts[-1], rate, now)
    assert found.at <= now + 1
    assert found.level <= counts[-1]
    assert found.level >= min(counts)
