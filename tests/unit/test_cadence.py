"""Is a full reading taken when it tells something, and paid for only then?"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.readings import sample

from pgheadroom.cadence import DEFAULT_PACE, Depth, Pulse, carry, depth, moved
from pgheadroom.reading import Group
from pgheadroom.slots import Limits

LARGE = Limits(max_connections=5000, superuser_reserved=3)


def pulse(at: float, backends: int, hidden: int | None = None, started_at: float = 500.0) -> Pulse:
    return Pulse(at, 0.001, backends, started_at, hidden)


def test_the_first_reading_is_full() -> None:
    assert depth(None, 0.0) is Depth.FULL


def test_while_nothing_moves_pulses_are_enough_for_some_seconds() -> None:
    last = sample(at=1000.0)
    assert depth(last, 1001.0) is Depth.PULSE_WITH_HIDDEN
    assert depth(last, 1005.0) is Depth.FULL


def test_on_18_a_pulse_shows_logins_under_way_by_itself() -> None:
    last = sample(at=1000.0)
    newer = last._replace(server=replace(last.server, version=180004))
    assert depth(newer, 1001.0) is Depth.PULSE


def test_on_a_large_server_hidden_slots_are_not_counted_with_every_pulse() -> None:
    """Every 10 s with 1,250 slots; with 5,000 the full readings are often enough."""
    limits = Limits(max_connections=1250, superuser_reserved=3)
    last = sample(at=1000.0, limits=limits, cost_seconds=0.005)
    assert depth(carry(last, pulse(1008.0, 10)), 1009.0) is Depth.PULSE
    assert depth(carry(last, pulse(1009.0, 10)), 1010.0) is Depth.PULSE_WITH_HIDDEN
    few = sample(at=1000.0, groups=(Group("a", "idle", 1200, 1.0),), limits=limits)
    assert depth(few, 1001.4) is Depth.PULSE
    assert depth(few, 1001.9) is Depth.PULSE_WITH_HIDDEN
    large = sample(at=1000.0, limits=LARGE, cost_seconds=0.020)
    assert {depth(large, 1000.0 + seconds) for seconds in range(1, 20)} == {Depth.PULSE}


def test_when_few_slots_are_left_a_closer_look_is_worth_its_price() -> None:
    last = sample(at=1000.0, groups=(Group("api", "idle", 12, 1.0),))
    assert depth(last, 1001.0) is not Depth.FULL
    assert depth(last, 1002.0) is Depth.FULL


def test_when_few_slots_are_left_a_move_is_followed_even_where_it_is_dear() -> None:
    crowd = (Group("api", "idle", 4900, 1.0),)
    last = sample(at=1000.0, groups=crowd, limits=LARGE, cost_seconds=0.022)
    assert moved(last, pulse(1001.0, last.breakdown.backends + 1))


def test_a_costly_full_reading_is_taken_less_often_but_is_taken() -> None:
    last = sample(at=1000.0, limits=LARGE, cost_seconds=0.020)
    assert depth(last, 1019.0) is not Depth.FULL
    assert depth(last, 1019.9) is not Depth.FULL
    assert depth(last, 1020.0) is Depth.FULL


@pytest.mark.parametrize("now", [999.0, 1000.0 - 3600])
def test_a_clock_that_is_set_back_means_a_full_reading(now: float) -> None:
    assert depth(sample(at=1000.0), now) is Depth.FULL


def test_one_process_more_or_less_is_a_move() -> None:
    last = sample(at=1000.0)
    assert not moved(last, pulse(1001.0, last.breakdown.backends, 0))
    assert moved(last, pulse(1001.0, last.breakdown.backends + 1, 0))
    assert moved(last, pulse(1001.0, last.breakdown.backends, 1))


def test_a_move_is_not_followed_at_any_price() -> None:
    last = sample(at=1000.0, limits=LARGE, cost_seconds=0.020)
    more = last.breakdown.backends + 1
    assert not moved(last, pulse(1007.0, more))
    assert moved(last, pulse(1008.0, more))


def test_another_server_behind_the_same_address_is_a_move() -> None:
    last = sample(at=1000.0)
    assert moved(last, pulse(1001.0, last.breakdown.backends, 0, started_at=900.0))


@given(st.integers(-30, 3000), st.none() | st.integers(0, 50))
def test_a_pulse_follows_what_came_and_went(change: int, hidden: int | None) -> None:
    last = sample(at=1000.0, hidden=2)
    carried = carry(last, pulse(1001.0, max(0, last.breakdown.backends + change), hidden))
    seen = carried.slots.visible - last.slots.visible
    assert seen == max(-last.slots.visible, -last.breakdown.backends, change)
    assert carried.slots.hidden == (2 if hidden is None else hidden)
    assert carried.breakdown is last.breakdown
    assert not carried.full


def test_the_worst_that_full_readings_may_cost_is_bounded() -> None:
    """While slots are left, at most the share that a move may take."""
    assert DEFAULT_PACE.calm_share <= DEFAULT_PACE.moved_share <= 1 / 400
