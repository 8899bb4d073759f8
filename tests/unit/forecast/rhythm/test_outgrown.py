"""Tests that peaks which grow from week to week are foreseen, and what only looks so is not."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgheadroom.forecast.rhythm.outgrown import WEEK, Outgrown, next_outgrown, outgrown
from pgheadroom.forecast.rhythm.peaks import Peaks
from pgheadroom.forecast.rhythm.rhythm import Rhythm

DAY, LIMIT = 86400, 97
MONDAY = 20_458
"""Days since the epoch: 5 January 2026."""

Story = Callable[[int], float | None]
"""The peak of each day, from 0, a Monday; None where too little of it was seen."""


def told(story: Story, days: int) -> Rhythm:
    """Return what is known as the day after so many *days* begins."""
    highs = [story(day) for day in range(days)]
    known = [-1 if high is None else round(high) for high in highs]
    seen = [-1 if high is None else 24 for high in highs]
    hours = [-1 if high is None else 10 for high in highs]
    end = MONDAY + days
    return Rhythm(
        24 * end, 20, 20, peaks=Peaks(end, *(tuple(one[-400:]) for one in (known, hours, seen)))
    )


def foreseen(story: Story, days: int, limit: int = LIMIT) -> Outgrown | None:
    return outgrown(told(story, days), limit, float(DAY * (MONDAY + days)))


def weeks_ahead(found: Outgrown | None, days: int) -> float:
    assert found is not None
    return (found.at / DAY - MONDAY - days) / 7


def noise(day: int, size: float, seed: int = 1) -> float:
    found: float = random.Random(1000 * seed + day).gauss(0, size)  # noqa: S311 - always the same
    return found


def week(day: int) -> float:
    """Return the peaks of a business: Monday is the highest, weekends are quiet."""
    return (60, 55, 55, 55, 52, 30, 28)[day % 7]


def growing(day: int) -> float:
    return week(day) + 4 * (day // 7)


def test_growth_is_told_with_its_weekday_its_pace_and_its_end() -> None:
    found = foreseen(growing, 28)
    assert found is not None
    # On Mondays 60, 64, 68, 72, ...: the first that reaches 97 is the eleventh, 70 days on.
    assert found == Outgrown(
        found_at=float(DAY * (MONDAY + 28)),
        limit=97,
        weekday=0,
        at=DAY * (MONDAY + 70) + 10 * 3600.0,
        growth=4.0,
        high=72,
        weeks=4,
    )


def test_two_weeks_are_not_enough_three_are() -> None:
    assert foreseen(growing, 14) is None
    assert foreseen(growing, 16) is None
    assert foreseen(growing, 21) is not None


def test_growth_of_three_percent_a_week() -> None:
    def story(day: int) -> float:
        return week(day) * math.exp(0.03 * day / 7) + noise(day, 1)

    reached = next(day for day in range(0, 400, 7) if week(day) * math.exp(0.03 * day / 7) >= LIMIT)
    for days in range(reached - 49, reached, 3):
        found = foreseen(story, days)
        assert found is not None
        assert abs(found.at / DAY - MONDAY - reached) < 15  # two Mondays
        assert 1.4 < found.growth < 3.2


@pytest.mark.parametrize("seed", range(10))
def test_noise_is_no_growth(seed: int) -> None:
    assert all(
        foreseen(lambda day: week(day) + 20 + noise(day, 3, seed), days) is None
        for days in range(21, 120)
    )


def test_only_mondays_grow() -> None:
    def story(day: int) -> float:
        return week(day) + (5 * day / 7 if day % 7 == 0 else 0) + noise(day, 1)

    found = foreseen(story, 42)
    assert found is not None
    assert (found.weekday, round(found.growth)) == (0, 5)


def test_a_weekday_that_stays_is_not_taken_along() -> None:
    """A batch on Mondays takes 90 each time; the other days grow from 50 by four."""

    def story(day: int) -> float:
        return 90 if day % 7 == 0 else (30 if day % 7 > 4 else 50 + 4 * (day // 7))

    found = foreseen(story, 35)
    assert found is not None
    assert found.weekday == 1
    assert 7 < weeks_ahead(found, 35) < 9


@pytest.mark.parametrize("length", [1, 3, 7])
def test_the_end_of_a_month_is_no_growth(length: int) -> None:
    def story(day: int) -> float:
        return week(day) + (30 if day % 30 >= 30 - length else 0) + noise(day, 1)

    assert all(foreseen(story, days) is None for days in range(21, 130))


def test_growth_shows_through_the_end_of_a_month_and_a_holiday() -> None:
    def story(day: int) -> float:
        if day in (21, 24, 25, 26):
            return 25
        return growing(day) + (20 if day % 30 >= 28 else 0)

    for days in (45, 52, 59):
        found = foreseen(story, days)
        assert found is not None
        assert 9 <= weeks_ahead(found, 0) <= 12


def test_a_step_by_a_deploy_is_no_growth() -> None:
    def story(day: int) -> float:
        return week(day) + (20 if day >= 31 else 0)

    assert all(foreseen(story, days) is None for days in range(21, 130))


def test_a_summer_time_that_moves_each_peak_by_an_hour_is_nothing() -> None:
    rhythm, began = Rhythm(), MONDAY * DAY
    for hour in range(24 * 40):
        day, of_day = divmod(hour, 24)
        peak = 10 if day < 20 else 9
        rhythm = rhythm.add(float(began + 3600 * hour), 60 if of_day == peak else 20)
    assert outgrown(rhythm, LIMIT, float(began + DAY * 40)) is None


def test_a_daemon_that_was_off_for_days_still_sees_growth() -> None:
    def story(day: int) -> float | None:
        return None if 15 <= day < 23 or day in (9, 33) else growing(day)

    found = foreseen(story, 42)
    assert found is not None
    assert (found.weekday, found.growth) == (0, 4.0)


def test_what_was_not_seen_last_week_is_not_foreseen() -> None:
    rhythm = told(growing, 28)
    assert outgrown(rhythm, LIMIT, float(DAY * (MONDAY + 35))) is not None
    assert outgrown(rhythm, LIMIT, float(DAY * (MONDAY + 36))) is None


def test_a_higher_limit_is_reached_later_or_not_at_all() -> None:
    near, far = foreseen(growing, 28), foreseen(growing, 28, 150)
    assert near is not None
    assert far is not None
    assert far.at > near.at
    assert foreseen(growing, 28, 1000) is None


def after(story: Story, days: range, limit: int = LIMIT) -> list[Outgrown | None]:
    """Return what is told on each of *days*."""
    found, before = list[Outgrown | None](), None
    for number in days:
        now = float(DAY * (MONDAY + number))
        before = next_outgrown(before, told(story, number), limit, now)
        found.append(before)
    return found


def test_it_is_told_for_a_week_after_growth_is_not_sure_any_more_and_then_no_more() -> None:
    def story(day: int) -> float:
        return week(day) + 4 * min(day // 7, 5)

    found = after(story, range(21, 98))
    last = max(index for index, one in enumerate(found) if one is not None)
    assert all(one is not None for one in found[: last + 1]), "it does not come and go"
    newest = found[last]
    assert newest is not None
    ends = 21 + last
    assert ends * DAY + MONDAY * DAY - newest.found_at == WEEK - DAY
    assert 49 <= ends <= 77, "growth ended on day 42"


def test_a_raised_limit_takes_it_back_at_once() -> None:
    before = foreseen(growing, 28)
    assert before is not None
    rhythm, now = told(growing, 28), float(DAY * (MONDAY + 28))
    assert next_outgrown(before, rhythm, 1000, now) is None
    assert next_outgrown(before, Rhythm(), LIMIT, now) == before
    assert next_outgrown(before, Rhythm(), LIMIT, now + WEEK) is None


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 200)), min_size=1, max_size=80),
    st.integers(1, 300),
    st.integers(0, 9),
)
def test_whatever_the_peaks_are_it_is_ahead_and_in_sight(
    highs: list[int | None], limit: int, late: int
) -> None:
    days = len(highs)
    now = float(DAY * (MONDAY + days + late))
    found = outgrown(told(lambda day: highs[day], days), limit, now)
    if found is not None:
        assert 0 < found.at - now <= 26 * WEEK
        assert found.growth > 0
        assert found.weekday == (int(found.at) // DAY + 3) % 7
        assert 3 <= found.weeks <= 8
        assert found.high in highs


@settings(deadline=None)
@given(st.integers(3, 12), st.integers(1, 6), st.integers(100, 140))
def test_steady_growth_is_foreseen_to_the_day(weeks: int, growth: int, limit: int) -> None:
    def story(day: int) -> float:
        return week(day) + growth * (day // 7)

    seen = min(weeks, 8)
    found = foreseen(story, 7 * weeks, limit)
    reached = next(number for number in range(200) if 60 + growth * number >= limit)
    if growth * (seen - 1) < max(3, 0.04 * limit) or reached - weeks > 25:
        return
    assert found is not None
    assert found.growth == pytest.approx(growth)
    assert found.at == DAY * (MONDAY + 7 * max(reached, weeks)) + 10 * 3600
