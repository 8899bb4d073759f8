"""Tests which climbs are found early, and in which steps use goes up."""

from __future__ import annotations

import pytest
from tests.support.histories import (
    START,
    after,
    curve,
    mountains,
    pool,
    ramp,
    samples,
    staircase,
    together,
)

from pgheadroom.forecast.approach.early import early
from pgheadroom.forecast.approach.steps import steps

SERVICES = pool("web", 20)


def found_during(rounds: int) -> int:
    """Return how many samples of the climb after so many *rounds* show an early climb."""
    shape = together(SERVICES, mountains("jobs", 50, 0, 600))
    begins = rounds * 600
    found = 0
    for second in range(100, 300, 20):
        state = after(samples(shape, begins + second))
        found += bool([*early(state.usage, START + begins + second - 1)])
    return found


def test_a_climb_is_found_before_it_took_what_is_left() -> None:
    state = after(samples(together(SERVICES, ramp("api", 0, 77, 600, 690)), 630))
    assert state.usage.forecasts == ()
    (first, *_) = early(state.usage, START + 629)
    assert first.slots < 97 - first.reached
    assert first.seconds == pytest.approx(60, rel=0.35)


def test_what_comes_and_goes_is_not_early() -> None:
    assert found_during(0)
    assert found_during(4) == 0


@pytest.mark.parametrize(("every", "even"), [(60, True), (120, True), (200, False)])
def test_steps_are_even_and_follow_one_another_soon(every: float, even: bool) -> None:  # noqa: FBT001
    state = after(samples(together(SERVICES, staircase("api", 6, every, 600)), 610 + 5 * every))
    found = steps(state.usage, START + 609 + 5 * every)
    assert (found is not None) is even
    if found is not None:
        left = 97 - state.usage.used
        assert found.seconds == pytest.approx(left / 6 * every, rel=0.2)


def test_uneven_steps_are_none() -> None:
    sizes = {600: 5, 660: 25, 720: 5, 780: 25}
    shape = curve("api", lambda at: sum(size for begins, size in sizes.items() if at >= begins))
    state = after(samples(together(SERVICES, shape), 830))
    assert len(state.usage.jumps.done) >= 3
    assert steps(state.usage, START + 829) is None
