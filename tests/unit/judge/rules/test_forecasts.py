"""Tests that a page comes before slots run out, names the culprit, and does not come otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import pytest
from tests.support.histories import (
    DAY,
    HOUR,
    MINUTE,
    SMALL,
    START,
    Shape,
    after,
    between,
    bursts,
    climb,
    curve,
    daily,
    fired,
    mountains,
    pages,
    pile_up,
    pool,
    ramp,
    replay,
    samples,
    staircase,
    together,
    wavering,
    without,
)

from pgheadroom.backtest.replay import BacktestResult
from pgheadroom.model.alert import AlertName
from pgheadroom.model.reading import Sample
from pgheadroom.model.slots import Limits

BIG = Limits(max_connections=200, superuser_reserved=3)


@dataclass(frozen=True, slots=True)
class Case:
    """A history that ends in trouble."""

    name: str
    culprit: str
    least_seconds: float
    """So long before the last slot goes somebody is paged."""
    history: Callable[[], Iterable[Sample]]
    comes_down: bool = False
    """Use comes down again in between, and alerts with it."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A history that wakes nobody."""

    name: str
    history: Callable[[], Iterable[Sample]]
    warns: bool = False
    """Warnings are in order; without it, there is none."""


def services(seed: int = 1) -> Shape:
    """Return what runs anyway: 30 connections, a slot or two more or fewer."""
    return together(pool("web", 20, 2, seed), pool("worker", 10, 1, seed + 100))


def restarted(before: Shape, then: Shape) -> Iterator[Sample]:
    """Return an hour, twenty seconds without an answer, and an hour that begins at nothing."""
    return chain(samples(before, HOUR), samples(then, HOUR, start=HOUR + 20))


def passing(name: str, size: int, up: float, down: float, within: float = MINUTE) -> Shape:
    """Return an application that comes *up* to its *size* and goes *down* again."""
    return curve(
        name,
        lambda at: (
            between(0, size, up, up + within, at) - between(0, size, down, down + within, at)
        ),
    )


def storm(seconds: float) -> Case:
    """Return a storm that takes all that is left, from a third of the slots."""
    shape = together(services(), ramp("lambda", 0, 90, 1200, 1200 + seconds))
    return Case(f"a storm of {seconds} s from a third", "lambda", 1, lambda: samples(shape, 1300))


def twenty_slots(seed: int) -> Quiet:
    """Return a day of a small server whose pool wanders between 60 and 80 %."""
    name = f"a server of twenty slots, two more or fewer about 70 %, seed {seed}"
    return Quiet(name, lambda: samples(pool("web", 12, 2, seed), DAY, 10.0, limits=SMALL))


RUNS_OUT = [
    Case(
        "a slot every ten seconds",
        "leaky",
        60,
        lambda: samples(together(services(), climb("leaky", 5, 1 / 10, 600)), 1300),
    ),
    Case(
        "a slot a minute",
        "leaky",
        10 * MINUTE,
        lambda: samples(together(services(), climb("leaky", 5, 1 / 60, HOUR)), 2.2 * HOUR),
    ),
    Case(
        "a slot every ten minutes, sampled every 15 s",
        "leaky",
        40 * MINUTE,
        lambda: samples(together(services(), climb("leaky", 5, 1 / 600, HOUR)), 12 * HOUR, 15.0),
    ),
    Case(
        "a deploy of ten connections every five minutes",
        "modules",
        4 * MINUTE,
        lambda: samples(together(services(), staircase("modules", 10, 300, 600)), 3000),
    ),
    Case(
        "a deploy of ten connections every hour",
        "modules",
        30 * MINUTE,
        lambda: samples(together(services(), staircase("modules", 10, HOUR, 600)), 7 * HOUR, 5.0),
    ),
    Case(
        "45 modules, each with a pool of its own, started one after the other",
        "nest",
        30,
        lambda: samples(together(pool("web", 3, 1), staircase("nest", 2, 10, 600)), 1200),
    ),
    Case(
        "requests that wait for one another, twice as many every two minutes",
        "api",
        60,
        lambda: samples(together(services(), pile_up("api", 4, 120, 600)), 1300, busy=["api"]),
    ),
    Case(
        "the same, every thirty seconds",
        "api",
        12,
        lambda: samples(together(services(), pile_up("api", 4, 30, 600)), 800, busy=["api"]),
    ),
    Case(
        "a mountain range that grows",
        "jobs",
        2 * MINUTE,
        lambda: samples(together(services(), mountains("jobs", 20, 8, 600)), 4800),
        comes_down=True,
    ),
    Case(
        "a leak that another service's decline hides",
        "leaky",
        30 * MINUTE,
        lambda: samples(
            together(
                pool("web", 20, 2),
                ramp("legacy", 50, 5, HOUR, 9 * HOUR),
                climb("leaky", 5, 45 / (8 * HOUR), HOUR),
            ),
            14 * HOUR,
            15.0,
        ),
    ),
    Case(
        "a leak on a server of twenty slots",
        "leaky",
        5 * MINUTE,
        lambda: samples(
            together(pool("web", 6, 1), climb("leaky", 1, 1 / 300, HOUR)), 2 * HOUR, limits=SMALL
        ),
    ),
    Case(
        "a fast leak on a server of twenty slots",
        "leaky",
        5,
        lambda: samples(
            together(pool("web", 6, 1), climb("leaky", 1, 1 / 10, 600)), 900, limits=SMALL
        ),
    ),
    Case(
        "a climb of a slot a minute with ten minutes missing in the middle",
        "leaky",
        5 * MINUTE,
        lambda: without(
            samples(together(services(), climb("leaky", 5, 1 / 60, HOUR)), 2.2 * HOUR),
            1.6 * HOUR,
            1.6 * HOUR + 600,
        ),
    ),
    *(storm(seconds) for seconds in (12, 16, 20)),
    Case(
        "a storm of 20 s on top of a leak",
        "lambda",
        1,
        lambda: samples(
            together(services(), climb("leaky", 5, 1 / 300), ramp("lambda", 0, 60, 7200, 7220)),
            7300,
        ),
    ),
    Case(
        "a storm of reconnects after a failover to half the slots",
        "web",
        1,
        lambda: chain(
            samples(together(pool("worker", 10, 1), pool("web", 110, 2)), HOUR, limits=BIG),
            samples(
                together(pool("worker", 10, 1), ramp("web", 0, 110, HOUR + 30, HOUR + 60)),
                600,
                start=HOUR + 30,
            ),
        ),
    ),
]

WAKES_NOBODY = [
    Quiet("idle", lambda: samples(pool("web", 1), DAY / 2, 10.0)),
    Quiet("empty", lambda: samples(lambda _at: {}, HOUR)),
    Quiet("services that wander", lambda: samples(services(), HOUR)),
    Quiet(
        "a climb that stops at 70 %",
        lambda: samples(together(services(), ramp("new", 5, 38, 600, 1500)), 4000),
    ),
    Quiet(
        "deploys that end at 80 %",
        lambda: samples(together(services(), staircase("modules", 10, 300, 600, 5)), 4000),
    ),
    Quiet(
        "requests that wait and then go on, at 60 %",
        lambda: samples(together(services(), pile_up("api", 4, 60, 600, 28)), 2000, busy=["api"]),
    ),
    Quiet(
        "a mountain range that does not grow",
        lambda: samples(together(services(), mountains("jobs", 45, 0, 600)), 7200),
    ),
    Quiet("bursts", lambda: samples(together(services(), bursts("jobs", 10, 48)), 3 * HOUR)),
    Quiet(
        "a blue/green deploy that doubles to 80 %",
        lambda: samples(together(pool("blue", 39, 1), passing("green", 39, 1800, 2400)), 4000),
    ),
    Quiet(
        "three of them",
        lambda: samples(
            together(
                pool("blue", 39, 1),
                *(passing("green", 39, begins, begins + 600) for begins in (1800, 5400, 9000)),
            ),
            11_000,
            2.0,
        ),
    ),
    Quiet(
        "reconnects after a restart",
        lambda: restarted(
            together(pool("web", 60, 2), pool("worker", 10, 1)),
            together(
                ramp("web", 0, 60, HOUR + 20, HOUR + 30),
                ramp("worker", 0, 10, HOUR + 20, HOUR + 23),
            ),
        ),
    ),
    Quiet(
        "reconnects of pools that held 90 % before",
        lambda: restarted(together(pool("web", 77, 1)), ramp("web", 0, 77, HOUR + 20, HOUR + 40)),
    ),
    Quiet(
        "the limit halves at a failover and there is room enough",
        lambda: chain(
            samples(together(pool("web", 60, 2)), HOUR, limits=BIG),
            samples(pool("web", 60, 2), HOUR, start=HOUR + 30),
        ),
    ),
    Quiet(
        "two gaps of ten minutes in a calm",
        lambda: without(without(samples(services(), 2 * HOUR), 1200, 1800), 3600, 4200),
    ),
    Quiet(
        "another level after a gap",
        lambda: chain(
            samples(services(), 1800),
            samples(together(services(2), pool("new", 35, 1)), HOUR, start=2400),
        ),
    ),
    Quiet("pools fixed at 88 %", lambda: samples(pool("web", 85, 1), 2 * HOUR)),
    Quiet("the same, sampled seldom", lambda: samples(pool("web", 85, 1), 2 * DAY, 30.0)),
    Quiet("pools fixed at 93 %", lambda: samples(pool("web", 90, 1), 2 * HOUR), warns=True),
    *(twenty_slots(seed) for seed in (1, 2)),
    Quiet(
        "five days alike",
        lambda: samples(
            together(pool("worker", 8, 1), daily("web", 12, 67, spread=0.0)), 5 * DAY, 120.0
        ),
        warns=True,
    ),
]


def first_page(account: BacktestResult) -> float:
    """Return when somebody was paged first."""
    return next(episode.start for episode in account.episodes if episode.pages)


@pytest.mark.parametrize("case", RUNS_OUT, ids=lambda case: case.name)
def test_somebody_is_paged_before_the_last_slot_goes(case: Case) -> None:
    account = replay(case.history())
    assert account.shortages, "this history does not run out of slots"
    full = account.shortages[0].start
    imminent = fired(account, AlertName.IMMINENT)
    assert imminent, account.episodes
    assert full - imminent[0].start >= case.least_seconds
    assert imminent[0].start == first_page(account)
    assert imminent[0].alert.application_name == case.culprit
    assert f"{case.culprit}: +" in imminent[0].alert.description
    assert case.comes_down or wavering(account) == []


@pytest.mark.parametrize("case", WAKES_NOBODY, ids=lambda case: case.name)
def test_nobody_is_woken_for_what_is_in_order(case: Quiet) -> None:
    account = replay(case.history())
    assert account.shortages == []
    assert pages(account) == []
    assert case.warns or account.episodes == []
    assert wavering(account) == []


def test_days_that_differ_wake_nobody_either() -> None:
    account = replay(samples(together(pool("worker", 8, 1), daily("web", 12, 65)), 5 * DAY, 120.0))
    assert pages(account) == []


def test_a_second_week_like_the_first_is_quiet() -> None:
    shape = together(pool("worker", 8, 1), daily("web", 12, 65, weekend=0.4, spread=0.0))
    account = replay(samples(shape, 14 * DAY, 180.0))
    assert pages(account) == []
    assert [e.alert.name for e in account.episodes if e.start > START + 7 * DAY] == []


def test_a_leak_is_a_ticket_long_before_it_is_a_page() -> None:
    account = replay(
        samples(together(services(), climb("leaky", 5, 1 / 600, HOUR)), 12 * HOUR, 15.0)
    )
    (leaking,) = fired(account, AlertName.LEAKING)
    (expected,) = fired(account, AlertName.EXPECTED)
    assert leaking.start < START + 4 * HOUR
    assert expected.start < START + 6 * HOUR
    for ticket in (leaking, expected):
        assert ticket.alert.application_name == "leaky"
        assert ticket.end is None


def test_a_leak_of_a_slot_an_hour_is_a_ticket_for_days() -> None:
    shape = together(services(), climb("leaky", 5, 1 / HOUR, HOUR))
    account = replay(samples(shape, 40 * HOUR, 60.0))
    assert pages(account) == []
    assert fired(account, AlertName.LEAKING)[0].alert.application_name == "leaky"
    assert fired(account, AlertName.EXPECTED)[0].alert.application_name == "leaky"


def test_a_mended_leak_resolves_its_tickets() -> None:
    shape = curve("leaky", lambda at: 5 + at / 400 if at < 4 * HOUR else 5)
    account = replay(samples(together(services(), shape), 5 * HOUR, 5.0))
    assert {episode.alert.name for episode in account.episodes} == {
        AlertName.LEAKING,
        AlertName.EXPECTED,
    }
    for episode in account.episodes:
        assert episode.end is not None
        assert 4 * HOUR < episode.end - START < 4 * HOUR + 10 * MINUTE


def test_a_climb_that_stops_high_is_not_for_ever_about_to_end() -> None:
    shape = together(services(), ramp("new", 5, 60, 600, 1500))
    account = replay(samples(shape, 4 * HOUR, 5.0))
    for episode in fired(account, AlertName.IMMINENT):
        assert episode.end is not None
        assert episode.end - START < 3 * HOUR


def test_use_that_comes_down_ends_the_page() -> None:
    account = replay(samples(together(services(), passing("job", 62, 600, 1300, 600)), HOUR))
    (page,) = fired(account, AlertName.IMMINENT)
    assert page.end is not None
    assert 1500 < page.end - START < 1900 + 300


def test_who_took_the_last_slot_is_blamed_and_not_who_holds_most() -> None:
    shape = together(pool("web", 50, 1), ramp("lambda", 0, 60, 600, 612))
    (gone,) = fired(replay(samples(shape, 640)), AlertName.EXHAUSTED)
    assert gone.alert.application_name == "lambda"


def test_a_page_says_what_is_left_and_who_took_it() -> None:
    state = after(samples(together(services(), climb("leaky", 5, 1 / 10, 600)), 600 + 560))
    (page,) = (alert for alert in state.alerts if alert.name is AlertName.IMMINENT)
    assert page.description.startswith("db: ")
    assert "of 97 slots free" in page.description
    assert "it is full in" in page.description
    assert "leaky: +" in page.description
