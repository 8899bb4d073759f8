"""Tests by which signs a climb pages though there is room left, and what is held back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from tests.support.histories import (
    DAY,
    HOUR,
    START,
    after,
    curve,
    daily,
    fired,
    pages,
    pool,
    ramp,
    replay,
    samples,
    staircase,
    together,
)
from tests.support.readings import POLICY

from pgheadroom.backtest.replay import BacktestResult
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.traffic import Traffic
from pgheadroom.judge.odds.holds import held
from pgheadroom.judge.odds.look import Look, look
from pgheadroom.judge.odds.odds import odds
from pgheadroom.judge.odds.sign import Hold, Sign
from pgheadroom.model.activity import Activity
from pgheadroom.model.alert import AlertName
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.model.reading import Sample
from pgheadroom.state import State
from pgheadroom.step import step

SERVICES = pool("web", 10)


def first(account: BacktestResult) -> tuple[float, str]:
    """Return when somebody was paged first, in seconds since the start, and in which words."""
    episode = fired(account, AlertName.IMMINENT)[0]
    return episode.start - START, episode.alert.description


def waiting(sample: Sample, count: int) -> Sample:
    """Return *sample* with so many sessions that wait for locks."""
    facts = sample.facts
    assert isinstance(facts, PostgresFacts)
    return sample._replace(facts=facts._replace(waiting=count))


def test_a_leak_of_one_a_second_pages_twenty_seconds_before_the_end() -> None:
    account = replay(samples(together(SERVICES, ramp("leaky", 0, 100, 600, 700)), 760))
    at, words = first(account)
    assert account.shortages[0].start - START - at >= 20
    assert "three quarters of its way lie behind it" in words
    assert "leaky: +" in words


def test_a_leak_in_a_pool_is_no_second_generation_of_it() -> None:
    shape = together(SERVICES, pool("shop", 40), ramp("shop", 0, 60, 600, 660))
    account = replay(samples(shape, 700))
    at, _ = first(account)
    assert account.shortages[0].start - START - at >= 10


def test_busy_connections_page_where_idle_ones_do_not_yet() -> None:
    shape = together(SERVICES, pool("api", 20), curve("api", _doubling))
    busy, _ = first(replay(samples(shape, 900, busy=["api"])))
    words = first(replay(samples(shape, 900, busy=["api"])))[1]
    idle, _ = first(replay(samples(shape, 900)))
    assert busy < idle - 10
    assert "most of the connections of api are busy" in words


def _doubling(at: float) -> float:
    return min(80.0, math.exp(max(0.0, at - 600) / 40)) - 1


def test_who_waits_for_locks_is_said() -> None:
    shape = together(
        pool("web", 45), ramp("orders", 4, 30, 600, 640), ramp("billing", 4, 22, 600, 640)
    )
    history = [waiting(one, max(0, round(one.at - START - 600))) for one in samples(shape, 640)]
    _, words = first(replay(history))
    assert "sessions wait for locks" in words


@pytest.mark.parametrize("stays", [460, 3000])
def test_a_rolling_restart_of_what_has_just_come_up_pages_nobody(stays: float) -> None:
    """0 to 36, and minutes later 36 to 72 and back: a third generation is not to be expected."""

    def shop(at: float) -> float:
        return 0 if at < 60 else 72 if 400 <= at < stays else 36

    account = replay(samples(together(SERVICES, curve("shop", shop)), 1500))
    assert account.highest == 82
    assert pages(account) == []


def test_a_generation_that_does_not_fit_beside_the_old_one_pages() -> None:
    shape = together(SERVICES, pool("shop", 50), ramp("shop", 0, 50, 600, 660))
    account = replay(samples(shape, 700))
    at, _ = first(account)
    assert account.shortages[0].start - START - at >= 5


def test_a_server_whose_pools_all_start_pages_nobody() -> None:
    shape = together(ramp("web", 0, 40, 60, 80), ramp("worker", 0, 45, 70, 110))
    account = replay(samples(shape, HOUR))
    assert account.highest == 85
    assert pages(account) == []


def test_the_first_morning_is_a_ticket_and_says_why() -> None:
    shape = together(daily("web", 5, 52, seed=3), daily("search", 5, 39, seed=4))
    assert pages(replay(samples(shape, 0.6 * DAY, 15.0))) == []
    state, told = State("db"), set()
    for one in samples(shape, 0.6 * DAY, 15.0):
        state = step(state, one, POLICY)
        told |= {alert.description for alert in state.alerts if alert.name is AlertName.EXPECTED}
    assert any("No like day is known to compare with" in words for words in told)


def test_the_first_morning_pages_when_hardly_anything_is_left() -> None:
    shape = together(daily("web", 5, 56, seed=3), daily("search", 5, 41, seed=4))
    account = replay(samples(shape, 0.6 * DAY, 15.0))
    assert pages(account)
    at, _ = first(account)
    assert at < account.shortages[0].start - START if account.shortages else at > 0


def test_an_autoscaler_that_adds_a_pod_a_minute_pages_by_its_steps() -> None:
    shape = together(pool("web", 30), pool("api", 6), staircase("api", 6, 60, 1860))
    account = replay(samples(shape, 3000, busy=["web"]))
    at, words = first(account)
    assert account.shortages[0].start - START - at >= 120
    assert "it goes up in even steps" in words


def test_deploys_every_five_minutes_are_no_steps() -> None:
    shape = together(pool("web", 30), pool("api", 6), staircase("api", 6, 300, 1860, 5))
    account = replay(samples(shape, 2 * HOUR))
    assert pages(account) == []


def test_a_job_that_was_not_there_pages_only_near_the_end() -> None:
    """Nobody knows on the first day whether it comes each night."""
    shape = together(pool("web", 20), ramp("nightly", 0, 60, HOUR, HOUR + 300))
    account = replay(samples(shape, 2 * HOUR, busy=["nightly"]))
    assert account.highest == 80
    assert pages(account) == []


def test_a_lower_floor_pages_earlier() -> None:
    shape = together(SERVICES, pool("api", 20), curve("api", _doubling))
    low = replace(POLICY, thresholds=replace(POLICY.thresholds, early_floor_ratio=0.5))
    early = fired(replay(samples(shape, 900, busy=["api"]), policy=low), AlertName.IMMINENT)
    usual, _ = first(replay(samples(shape, 900, busy=["api"])))
    assert early[0].start - START < usual


def test_a_second_generation_that_leaves_no_room_is_not_held_back() -> None:
    """46 and 46 beside 3 others are 95 of 97: with the next one somebody is refused."""
    shape = together(pool("web", 3), pool("shop", 46), ramp("shop", 0, 40, 600, 604))
    fits = together(pool("web", 3), pool("shop", 42), ramp("shop", 0, 40, 600, 604))
    assert pages(replay(samples(shape, 900)))
    assert pages(replay(samples(fits, 900))) == []


def test_nothing_is_held_back_when_the_last_slots_go() -> None:
    """Two pools that start to 93 % are in order; to 96 % nobody can wait and see."""
    for size, paged in ((44, False), (48, True)):
        shape = together(ramp("web", 0, 46, 60, 80), ramp("worker", 0, size, 70, 110))
        assert bool(pages(replay(samples(shape, HOUR)))) is paged


def test_what_like_days_have_seen_is_usual_and_what_goes_beyond_is_not() -> None:
    """A climb of an hour in the morning of a fifth day, whose like were at 70 at that time."""
    days = curve("shop", lambda at: 60 if at % DAY > 9 * HOUR else 10)
    state = after(samples(together(SERVICES, days), 4 * DAY + 8 * HOUR, 60.0))
    climb = Look(
        *(40.0, 27.0, HOUR, 1800.0, 40.0, "shop", 1.0, 20.0, 0.9, 0.9),
        *(0, 0.0, False, 0.0, 0, True),
    )
    now = START + 4 * DAY + 9.5 * HOUR
    for used, hold in ((70, Hold.USUAL), (88, None)):
        usage = state.usage._replace(used=used)
        assert held(state._replace(usage=usage), climb, now) is hold
    first_day = after(samples(together(SERVICES, days), 8 * HOUR, 60.0))
    for load, hold in ((True, Hold.FIRST_DAY), (False, None)):
        usage = first_day.usage._replace(used=70)
        seen = climb._replace(load=load)
        assert held(first_day._replace(usage=usage), seen, START + 9.5 * HOUR) is hold


@pytest.mark.parametrize(
    ("changes", "sign"),
    [
        ({"busy": 0.8}, Sign.BUSY),
        ({"waiting": 10}, Sign.LOCKS),
        ({"seconds": HOUR, "load": True}, Sign.LASTING),
        ({"seconds": 1801.0}, Sign.IDLE),
    ],
)
def test_a_sign_makes_the_odds_of_a_climb_that_has_come_half_its_way(
    changes: dict[str, Any], sign: Sign
) -> None:
    seen = Look(
        *(30.0, 30.0, 600.0, 600.0, 30.0, "shop", 1.0, 20.0, 0.1, 0.1),
        *(0, 0.0, False, 0.0, 0, False),
    )
    plain = odds(seen, 0.8, 0.75, HOUR, early=False)
    assert (plain.value, plain.signs) == (1.0, (Sign.FAR,))
    found = odds(seen._replace(**changes), 0.8, 0.75, HOUR, early=False)
    assert sign in found.signs
    assert found.value >= 2.0
    low = odds(seen._replace(waiting=10), 0.7, 0.75, HOUR, early=False)
    assert Sign.LOCKS not in low.signs  # queues dissolve as they came
    faster = seen._replace(busy=0.8, seconds_left=200.0)  # load: time counts, not slots
    assert odds(faster, 0.8, 0.75, HOUR, early=False).value == 3.0 * 5.0
    for early, value in ((False, 1.0), (True, 0.0)):
        assert odds(seen, 0.8, 0.75, HOUR, early=early).value == value


def test_busy_connections_page_once_for_a_height_that_they_came_back_from() -> None:
    def twice(at: float) -> float:
        since = at % 4000
        return 20 + min(45.0, math.exp(max(0.0, since - 600) / 40) - 1) * (since < 900)

    account = replay(samples(together(SERVICES, curve("api", twice)), 8000, busy=["api"]))
    assert account.highest == 75
    assert len(pages(account)) == 1


@pytest.mark.parametrize(("commits", "load"), [(100, False), (200, True), (None, False)])
def test_commits_tell_load_from_a_leak(commits: int | None, load: bool) -> None:  # noqa: FBT001
    """An application that doubles alone, idle, is load if the commits do so, too."""
    shape = together(SERVICES, pool("shop", 20), ramp("shop", 0, 40, HOUR, 2 * HOUR))
    state = after(samples(shape, 2 * HOUR, 15.0))
    if commits is not None:
        traffic, done = Traffic(), 0
        for at in range(0, 2 * 3600, 15):
            done += 15 * (commits if at > HOUR else 100)
            traffic = traffic.add(START + at, done)
        state = state._replace(traffic=traffic)
    forecast = Forecast(Pattern.CLIMB, 2430.0, START + HOUR, START + 2 * HOUR, 40.0, 70)
    assert look(state, forecast, START + 2 * HOUR).load is load


def test_a_full_reading_s_commits_are_remembered() -> None:
    history = []
    for number, one in enumerate(samples(SERVICES, 600, 15.0)):
        facts = one.facts
        assert isinstance(facts, PostgresFacts)
        activity = Activity(commits=1500 * number)
        history.append(one._replace(facts=facts._replace(activity=activity)))
    assert after(history).traffic.rate(START, START + 600) == pytest.approx(100)
