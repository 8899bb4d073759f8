"""Tests that a rise is told from its own beginning, at its true pace, and only while it goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.histories import START, Shape, climb, pile_up, ramp, staircase

from pgheadroom.forecast.history import History
from pgheadroom.forecast.rise import Rise, rise


def seen(shape: Shape, seconds: int, name: str = "api", every: float = 1.0) -> Rise | None:
    history, held, at = History(), 0, START
    for number in range(int(seconds / every)):
        at = START + number * every
        held = int(shape(at - START).get(name, 0))
        history, _ = history.add(at, held, 100 - held, {name: (held, held)})
    return rise(history, name, held, at, 300.0)


@pytest.mark.parametrize("lasts", [20, 40, 120, 280])
def test_a_steady_climb_has_one_pace_however_long_it_lasts(lasts: int) -> None:
    found = seen(climb("api", 5, 0.5, begins=400), 400 + lasts)
    assert found is not None
    assert found.rate == pytest.approx(0.5, rel=0.2)
    assert found.seconds == pytest.approx(lasts, rel=0.25, abs=3)


def test_the_pace_is_that_of_the_second_half() -> None:
    """A pile-up doubles: averaged over its whole rise it would be told as half as fast."""
    found = seen(pile_up("api", 2, 20, 400, most=90), 400 + 100)
    assert found is not None
    assert found.rate > 1.4 * found.took / found.seconds


def test_stairs_are_a_rise_and_a_step_is_none() -> None:
    stairs = staircase("api", 4, 10.0, 400)
    assert all(seen(stairs, second) for second in range(430, 500))
    step = staircase("api", 20, 10.0, 400, steps=1)
    assert not any(seen(step, second) for second in range(400, 480))


def test_a_rise_is_over_soon_after_it_stopped() -> None:
    shape = ramp("api", 0, 50, 100, 150)
    assert seen(shape, 152) is not None
    assert seen(shape, 190) is None


def test_a_restart_is_no_rise() -> None:
    """What was there before and comes back takes nothing that it had not."""

    def restarted(at: float) -> dict[str, int]:
        return {"api": 40 if at < 400 else 0 if at < 410 else min(40, int(4 * (at - 410)))}

    assert not any(seen(restarted, second) for second in range(405, 480))


def test_where_nothing_is_known_there_is_no_rise() -> None:
    assert rise(History(), "api", 9, START, 300.0) is None
    assert seen(climb("api", 9, 0.0), 60) is None


@given(st.lists(st.integers(0, 60), min_size=1, max_size=80), st.sampled_from([1.0, 7.0, 15.0]))
def test_it_never_took_more_than_it_holds(counts: list[int], every: float) -> None:
    found = seen(
        lambda at: {"api": counts[min(len(counts) - 1, int(at / every))]},
        int(len(counts) * every),
        every=every,
    )
    if found is not None:
        assert 0 < found.took <= counts[-1]
        assert found.seconds >= 5.0
