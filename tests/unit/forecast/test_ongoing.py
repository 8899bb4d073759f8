"""Tests that the time left is told only while what it rests on goes on."""

from __future__ import annotations

import pytest
from tests.support.histories import START, Shape, climb, pool, ramp, reading, together
from tests.support.readings import POLICY

from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.ongoing import ongoing
from pgheadroom.forecast.usage import Usage
from pgheadroom.state import State
from pgheadroom.step import step

CALM = pool("web", 12, noise=2)


def told(shape: Shape, seconds: int) -> list[bool]:
    """Return whether an end is told, second by second."""
    state, found = State("db"), []
    for second in range(seconds):
        state = step(state, reading(START + second, shape(second)), POLICY)
        found.append(state.countdown.told)
    return found


@pytest.mark.parametrize("per_second", [0.5, 1.0, 2.0])
def test_while_a_climb_goes_on_its_end_is_told_without_a_break(per_second: float) -> None:
    full = int(30 + 84 / per_second)
    found = told(together(CALM, climb("leaky", 0, per_second, begins=30)), full)
    first = found.index(True)
    assert first < 30 + 60 / per_second
    assert all(found[first : full - 8])  # noise may fill it some seconds earlier


@pytest.mark.parametrize("per_second", [0.5, 1.0, 2.0])
def test_a_climb_that_stopped_is_soon_no_end(per_second: float) -> None:
    """It stood at "full in about 10 s" for fifty seconds."""
    stops = int(30 + 70 / per_second)
    found = told(together(CALM, ramp("leaky", 0, 70, 30, stops)), stops + 90)
    assert found[stops - 1]
    lasts = 45  # half a minute in which the pace would have shown, and a stretch
    assert not any(found[stops + lasts :])


def test_a_climb_that_was_cured_by_half_is_no_end_at_all() -> None:
    def mended(at: float) -> dict[str, int]:
        held = dict(together(CALM, climb("leaky", 0, 1.0, begins=30))(min(at, 110)))
        return held if at < 110 else {**held, "leaky": 50}

    found = told(mended, 150)
    assert found[109]
    assert not any(found[112:])


def test_a_peak_is_not_counted_down_to() -> None:
    due = Forecast(Pattern.CYCLE, 30.0, 1.0, 2.0, 10.0, 95, period=200.0)
    assert not ongoing(Usage(), due, START)
    assert ongoing(Usage(), due._replace(pattern=Pattern.LEAK, seconds=0.0), START)
