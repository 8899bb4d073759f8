"""Tests that a full reading is taken when it tells something, and only then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.readings import older_server, sample

from pgheadroom.model.reading import Group
from pgheadroom.model.slots import Limits
from pgheadroom.postgres.cadence import (
    DEFAULT_PACE,
    BlockersPace,
    Cost,
    Depth,
    Lately,
    Pulse,
    carry,
    depth,
    moved,
)

LARGE = Limits(max_connections=5000, superuser_reserved=3)


def pulse(at: float, visible: int, hidden: int = 0, started_at: float = 500.0) -> Pulse:
    return Pulse(at, 0.001, visible, hidden, started_at)


def test_the_first_reading_is_full() -> None:
    assert depth(None, 0.0, Lately()) is Depth.FULL


def test_while_nothing_moves_pulses_are_enough_for_some_seconds() -> None:
    last = sample(at=1000.0, cost_seconds=0.0005)
    assert depth(last, 1001.0, Lately()) is Depth.PULSE
    assert depth(last, 1005.0, Lately()) is Depth.FULL


def test_a_large_server_that_is_calm_is_asked_less_often() -> None:
    """Up to 17: the table of locks is read whole."""
    last = sample(at=1000.0, limits=LARGE, cost_seconds=0.020)
    assert depth(last, 1001.0, Lately()) is Depth.NOTHING
    assert depth(last, 1001.6, Lately()) is Depth.PULSE
    newer = older_server(last, 180004)
    assert depth(newer, 1001.0, Lately()) is Depth.PULSE
    crowd = sample(at=1000.0, groups=(Group("api", "idle", 4900, 1.0),), limits=LARGE)
    assert depth(crowd, 1001.0, Lately()) is Depth.PULSE


def test_a_server_of_half_the_size_is_asked_less_often_while_it_takes_two_looks() -> None:
    limits = Limits(max_connections=1250, superuser_reserved=3)
    last = sample(at=1000.0, limits=limits)
    seen = Lately().add(1000.0, last.postgres.slots.visible, again=True)
    assert depth(last, 1001.0, Lately()) is Depth.PULSE
    assert depth(last, 1001.0, seen) is Depth.NOTHING
    assert depth(last, 1001.6, seen) is Depth.PULSE
    assert seen.looks(1029.0) > 2
    assert seen.looks(1030.0) == 1
    assert seen.add(1001.0, 5).looks(1002.0) > 2


def test_when_few_slots_are_left_a_closer_look_is_worth_its_price() -> None:
    last = sample(at=1000.0, groups=(Group("api", "idle", 12, 1.0),))
    assert depth(last, 1001.0, Lately()) is not Depth.FULL
    assert depth(last, 1002.0, Lately()) is Depth.FULL


def test_when_few_slots_are_left_a_move_is_followed_even_where_it_is_dear() -> None:
    crowd = (Group("api", "idle", 4900, 1.0),)
    last = sample(at=1000.0, groups=crowd, limits=LARGE, cost_seconds=0.022)
    assert moved(last, pulse(1001.0, last.holders.visible + 1), Lately())


def test_a_costly_full_reading_is_taken_less_often_but_is_taken() -> None:
    last = sample(at=1000.0, limits=LARGE, cost_seconds=0.020)
    assert depth(last, 1029.0, Lately()) is not Depth.FULL
    assert depth(last, 1029.9, Lately()) is not Depth.FULL
    assert depth(last, 1030.0, Lately()) is Depth.FULL


@pytest.mark.parametrize("now", [999.0, 1000.0 - 3600])
def test_a_clock_that_is_set_back_means_a_full_reading(now: float) -> None:
    assert depth(sample(at=1000.0), now, Lately()) is Depth.FULL


def test_one_session_more_or_less_is_a_move() -> None:
    last = sample(at=1000.0)
    assert not moved(last, pulse(1001.0, last.holders.visible), Lately())
    assert moved(last, pulse(1001.0, last.holders.visible + 1), Lately())
    assert moved(last, pulse(1001.0, last.holders.visible - 1), Lately())


def test_a_login_under_way_belongs_to_nobody_yet() -> None:
    """A full reading could not say whose it is."""
    last = sample(at=1000.0)
    assert not moved(last, pulse(1001.0, last.holders.visible, hidden=1), Lately())


def test_a_move_is_not_followed_at_any_price() -> None:
    last = sample(at=1000.0, limits=LARGE, cost_seconds=0.020)
    more = last.holders.visible + 1
    assert not moved(last, pulse(1007.0, more), Lately())
    assert moved(last, pulse(1008.0, more), Lately())


def counts(*visible: int) -> Lately:
    """Return what is known after so many counts, a second each, the last at 1000."""
    lately = Lately()
    for number, count in enumerate(visible):
        lately = lately.add(1001.0 - len(visible) + number, count)
    return lately


def test_a_count_that_was_there_of_late_is_no_move() -> None:
    """Sessions come and go; who they are is read every few seconds anyway."""
    last = sample(at=1000.0)
    held = last.holders.visible
    lately = counts(held + 3, held - 2, held)
    assert not moved(last, pulse(1001.0, held + 3), lately)
    assert not moved(last, pulse(1001.0, held - 2), lately)
    assert moved(last, pulse(1001.0, held + 4), lately)
    assert moved(last, pulse(1001.0, held - 3), lately)


def test_what_moved_after_the_last_full_reading_is_still_to_be_explained() -> None:
    last = sample(at=1000.0)
    held = last.holders.visible
    lately = counts(held).add(1001.0, held + 9)
    assert moved(last, pulse(1002.0, held + 5), lately)


def test_counts_are_forgotten_after_half_a_minute_and_when_the_clock_steps_back() -> None:
    lately = counts(9, 5)
    assert lately.covers(7, until=1000.0)
    assert not lately.add(1029.5, 5).covers(7, until=1030.0)
    assert lately.add(900.0, 5).counts == ((900.0, 5),)


def test_while_few_slots_are_left_every_move_is_followed() -> None:
    last = sample(at=1000.0, groups=(Group("api", "idle", 12, 1.0),))
    held = last.holders.visible
    assert moved(last, pulse(1001.0, held + 1), counts(held + 1, held))


def test_another_server_behind_the_same_address_is_a_move() -> None:
    last = sample(at=1000.0)
    assert moved(last, pulse(1001.0, last.holders.visible, started_at=900.0), Lately())


@given(st.integers(0, 3000), st.integers(0, 50))
def test_a_pulse_says_how_many_slots_are_in_use(visible: int, hidden: int) -> None:
    last = sample(at=1000.0, hidden=2)
    carried = carry(last, pulse(1001.0, visible, hidden))
    assert (carried.postgres.slots.visible, carried.postgres.slots.hidden) == (visible, hidden)
    assert carried.holders is last.holders
    assert not carried.full


def test_what_a_reading_waited_for_is_not_what_it_cost() -> None:
    """The server was busy: a reading of as many sessions that took less worked as much."""
    cost = Cost().learn(0.006, 1000)
    assert cost.of(1000) == pytest.approx(0.006)
    assert cost.of(4000) == pytest.approx(0.021)
    assert cost.learn(0.9, 1000) == cost
    assert cost.learn(0.003, 1000).of(1000) == pytest.approx(0.003)


def test_a_first_reading_that_waited_is_not_believed() -> None:
    assert Cost().learn(5.0, 40).of(40) == pytest.approx(0.002)


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 5000)), min_size=1, max_size=20))
def test_a_reading_costs_no_more_than_any_like_it_took(taken: list[tuple[float, int]]) -> None:
    cost = Cost()
    for seconds, sessions in taken:
        cost = cost.learn(seconds, sessions)
    for seconds, sessions in taken:
        assert cost.of(sessions) <= max(seconds, cost.fixed_seconds) * (1 + 1e-9)


def test_a_count_far_from_what_is_explained_is_explained_soon() -> None:
    """A busy server's reading measures as dear; and the count had been there of late."""
    last = sample(at=1000.0, limits=LARGE, cost_seconds=0.100)
    held = last.holders.visible
    lately = counts(held + 1000, held)
    near, far = held + 249, held + 250
    assert not moved(last, pulse(1029.0, near), lately)
    assert not moved(last, pulse(1029.0, near), Lately())
    assert not moved(last, pulse(1004.9, far), lately)
    assert moved(last, pulse(1005.0, far), lately)
    cheap = sample(at=1000.0, limits=LARGE, cost_seconds=0.020)
    assert not moved(cheap, pulse(1001.9, far), lately)
    assert moved(cheap, pulse(1002.0, far), lately)


def test_sessions_that_left_in_numbers_are_far_as_well() -> None:
    last = sample(at=1000.0, groups=(Group("api", "idle", 1000, 1.0),), limits=LARGE)
    assert moved(last, pulse(1002.0, 700), counts(700, 1000))


STEADY = sample(groups=(Group("api", "idle", 2000, 1.0),), limits=LARGE)


@given(
    st.floats(0.0005, 0.5),
    st.lists(st.tuples(st.floats(0.1, 3.0), st.integers(0, 4400)), max_size=60),
)
def test_full_readings_never_come_too_often(cost: float, looks: list[tuple[float, int]]) -> None:
    """While slots are left: none within 2 s that is dearer than 5 ms, and a share of 1/50 at most.

    Whatever the count does; the one every 30 s aside.
    """
    holders = STEADY.holders._replace(cost_seconds=cost)
    last, lately = STEADY._replace(holders=holders), Lately()
    now = last.at
    for pause, visible in looks:
        now += pause
        found, before = pulse(now, visible), last.holders.at
        full = depth(last, now, lately) is Depth.FULL
        if full or moved(last, found, lately):
            age = now - before
            if age < DEFAULT_PACE.full_seconds_at_most:
                assert cost / age <= DEFAULT_PACE.far_share * (1 + 1e-9)
                assert age >= min(DEFAULT_PACE.far_seconds, cost / DEFAULT_PACE.moved_share)
            last = sample(
                now, (Group("api", "idle", visible, 1.0),), limits=LARGE, cost_seconds=cost
            )
        else:
            last = carry(last, found)
        lately = lately.add(now, visible)


@given(st.floats(0.0005, 0.5), st.lists(st.integers(0, 4400), max_size=60))
def test_what_is_far_is_not_left_unexplained(cost: float, looks: list[int]) -> None:
    """Looked at every second, no breakdown that is far from the count is older than its bounds."""
    holders = STEADY.holders._replace(cost_seconds=cost)
    last, lately = STEADY._replace(holders=holders), Lately()
    oldest = max(DEFAULT_PACE.far_seconds, cost / DEFAULT_PACE.far_share)
    for number, visible in enumerate(looks, start=1):
        now = STEADY.at + number
        found = pulse(now, visible)
        if depth(last, now, lately) is Depth.FULL or moved(last, found, lately):
            last = sample(
                now, (Group("api", "idle", visible, 1.0),), limits=LARGE, cost_seconds=cost
            )
        else:
            last = carry(last, found)
        lately = lately.add(now, visible)
        if abs(visible - last.holders.visible) > DEFAULT_PACE.far_ratio * 4997:
            assert now - last.holders.at < oldest


def test_the_worst_that_full_readings_may_cost_is_bounded() -> None:
    """While slots are left, at most the share that a move may take, or one that leads far."""
    pace = DEFAULT_PACE
    assert pace.calm_share <= pace.moved_share <= 1 / 400
    assert pace.moved_share <= pace.far_share <= 1 / 50 <= pace.few_share


@given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 400)), min_size=1, max_size=40))
def test_who_blocks_whom_is_asked_within_its_bounds(turns: list[tuple[float, float]]) -> None:
    """Every five seconds at most, and for two thousandths of the time."""
    pace, now = BlockersPace(), 0.0
    assert pace.allows(now)
    for took, pause in turns:
        pace = pace.asked(now, took)
        now += pause
        if pace.allows(now):
            assert pause >= 5.0
            assert took / pause <= 0.002 * (1 + 1e-9)
        else:
            assert pause < max(5.0, 500 * took) * (1 + 1e-9)
            now = pace.not_before
