"""Tests that each application's curve gets the verdict that a person would give."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.histories import (
    DAY,
    HOUR,
    Shape,
    after,
    climb,
    curve,
    daily,
    pool,
    ramp,
    samples,
    together,
)

from pgheadroom.forecast.application_trends import FIRST, ApplicationTrends, Verdict
from pgheadroom.forecast.history import SPAN, History

EVERY = 30.0


def seen(shape: Shape, seconds: float = 3 * HOUR, every: float = EVERY) -> ApplicationTrends:
    return after(samples(shape, seconds, every)).usage.trends


def test_an_application_that_takes_and_never_gives_back_climbs() -> None:
    found = seen(together(pool("web", 20, 2), climb("leaky", 5, 1 / 300)))
    assert found.verdict("leaky") is Verdict.CLIMBING
    assert [leak.name for leak in found.leaks] == ["leaky"]
    leak = found.leaks[0]
    # From the most of the first quarter to the fewest of the last: half the way, but for a slot.
    assert leak.seconds / 600 - 1 <= leak.change <= leak.seconds / 300
    assert leak.seconds == float(SPAN << (FIRST + 1))


@pytest.mark.parametrize("noise", [0, 1, 3])
def test_a_pool_is_stable(noise: int) -> None:
    found = seen(pool("web", 30, noise))
    assert found.verdict("web") is Verdict.STABLE
    assert found.leaks == ()


def test_one_that_goes_up_and_down_and_comes_back_is_a_sawtooth() -> None:
    found = seen(curve("jobs", lambda at: 2 + at % 900 / 30))
    assert found.verdict("jobs") is Verdict.SAWTOOTH
    assert found.leaks == ()


def test_one_that_gives_up_more_and_more_shrinks() -> None:
    assert seen(ramp("old", 50, 5, 0, 3 * HOUR)).verdict("old") is Verdict.SHRINKING


def test_a_leak_is_told_under_the_teeth_that_go_on_top_of_it() -> None:
    jagged = curve("jobs", lambda at: 5 + at / 300 + (at % 600) / 60)
    assert seen(jagged, 5 * HOUR).verdict("jobs") is Verdict.CLIMBING


def test_a_jump_to_another_size_is_no_climb() -> None:
    found = seen(curve("web", lambda at: 40 if at > HOUR else 20), 4 * HOUR)
    assert found.leaks == ()


def test_a_climb_that_was_given_back_is_mended() -> None:
    state = after(samples(curve("web", lambda at: at / 300), 3 * HOUR, EVERY))
    (leak,) = state.usage.trends.leaks
    assert list(state.usage.trends.leaking({"web": leak.level})) == [leak]
    assert list(state.usage.trends.leaking({"web": leak.level - leak.change})) == []
    assert list(state.usage.trends.leaking({})) == []


def test_the_second_morning_is_no_leak_where_the_first_was_one() -> None:
    # Each day the same; only the first goes where use has never been.
    state = after(samples(daily("web", 10, 60, spread=0.0), 1.5 * DAY, 60.0))
    first = after(samples(daily("web", 10, 60, spread=0.0), 0.4 * DAY, 60.0))
    assert first.usage.trends.leaks
    assert state.usage.trends.leaks == ()


def test_nothing_is_said_before_a_rung_is_full() -> None:
    found = seen(climb("leaky", 5, 1 / 60), seconds=50 * 60)
    assert found.leaks == ()
    assert found.verdict("leaky") is Verdict.STABLE


@given(
    st.lists(
        st.tuples(st.sampled_from([30.0, 120.0, 2000.0]), st.integers(0, 40), st.integers(0, 9)),
        max_size=120,
    ),
    st.randoms(use_true_random=False),
)
def test_what_is_said_holds_together(
    found: list[tuple[float, int, int]], chance: random.Random
) -> None:
    history, trends, now = History(), ApplicationTrends(), 1_000_000.0
    for pause, many, few in found:
        now += pause
        spans = {"a": (many, many), "b": (few, few)}
        if chance.random() < 0.2:
            del spans["a"]
        history, touched = history.add(now, many + few, 0, spans)
        trends = trends.update(history, touched)
        for leak in trends.leaks:
            assert leak.verdict is Verdict.CLIMBING
            assert leak.change >= 3
            assert leak.level >= leak.change
            assert trends.verdict(leak.name) is Verdict.CLIMBING
        assert len({leak.name for leak in trends.leaks}) == len(trends.leaks)


@given(st.integers(4, 97), st.integers(0, 2), st.integers(0, 10))
def test_a_pool_of_any_size_is_never_a_leak(size: int, noise: int, seed: int) -> None:
    found = seen(pool("web", size, min(noise, size // 8), seed), 1.2 * HOUR)
    assert found.leaks == ()
