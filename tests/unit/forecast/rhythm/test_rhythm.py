"""Tests what is remembered of hours, days and weeks, and what is said to be usual."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.rhythm import curve, peaks
from pgheadroom.forecast.rhythm.rhythm import Rhythm
from pgheadroom.forecast.rhythm.usual import Likeness, Usual

DAY, HOUR = 86400, 3600
MONDAY = 1_767_571_200  # 5 January 2026, 00:00 UTC

Story = Callable[[int, int], int | None]
"""Use by the day of the story, from 0, and the hour of the day; None where nobody looked."""


def told(story: Story, days: float, begins: int = MONDAY, step: int = 900) -> Rhythm:
    rhythm = Rhythm()
    for second in range(0, int(days * DAY), step):
        used = story(second // DAY, second % DAY // HOUR)
        if used is not None:
            rhythm = rhythm.add(float(begins + second), used)
    return rhythm


def office(day: int, hour: int) -> int:
    """Busy on working days from nine to five, quiet at night and on weekends."""
    if day % 7 >= 5:
        return 25 if 9 <= hour < 17 else 20
    return 70 - (day % 7) if 9 <= hour < 17 else 20


def at(day: float, hour: float) -> float:
    return MONDAY + day * DAY + hour * HOUR


def test_nothing_is_usual_at_first() -> None:
    rhythm = told(office, 0.9)
    assert rhythm.usual(at(0, 22)) == Usual(Likeness.NONE, 0, 0, 0, 0)
    assert rhythm.beyond(at(0, 22), 50) is None
    assert (rhythm.days_known, rhythm.weeks_known) == (0, 0)


def test_the_second_day_is_compared_with_the_first() -> None:
    rhythm = told(office, 1.4)
    assert rhythm.usual(at(1, 10)) == Usual(Likeness.KIND, 1, 70, 70, 50)
    assert rhythm.beyond(at(1, 10), 75) == 5
    assert rhythm.usual(at(1, 3)).high == 20
    assert (rhythm.days_known, rhythm.weeks_known) == (1, 0)


def test_a_saturday_is_compared_with_any_day_only_as_long_as_no_weekend_is_known() -> None:
    rhythm = told(office, 5.4)
    assert rhythm.usual(at(5, 10)).likeness is Likeness.ANY
    assert told(office, 6.4).usual(at(6, 10)) == Usual(Likeness.KIND, 1, 25, 25, 5)


def test_the_first_monday_after_a_weekend_is_compared_with_any_day() -> None:
    rhythm = told(lambda day, hour: office(day + 5, hour), 2.4, begins=MONDAY + 5 * DAY)
    assert rhythm.usual(at(7, 10)).likeness is Likeness.ANY
    assert rhythm.beyond(at(7, 10), 70) == 45


def test_two_mondays_are_enough_to_compare_a_monday_with() -> None:
    assert told(office, 7.4).usual(at(7, 10)) == Usual(Likeness.KIND, 5, 70, 68, 50)
    assert told(office, 14.4).usual(at(14, 10)) == Usual(Likeness.WEEKDAY, 2, 70, 70, 50)
    assert told(office, 15.4).usual(at(15, 10)) == Usual(Likeness.WEEKDAY, 2, 69, 69, 49)
    assert told(office, 14.4).weeks_known == 2


def test_a_peak_that_comes_an_hour_earlier_or_later_is_not_new() -> None:
    rhythm = told(office, 28)
    for hour in (8, 17):
        assert rhythm.usual(at(28, hour)).high == 70
    for hour in (7, 18):
        assert rhythm.usual(at(28, hour)).high == 20


def test_an_incident_is_no_precedent() -> None:
    def story(day: int, hour: int) -> int:
        return 97 if (day, hour) == (7, 11) else office(day, hour)

    rhythm = told(story, 21)
    assert rhythm.usual(at(21, 10)).high == 97
    assert rhythm.usual(at(21, 10), below=92) == Usual(Likeness.WEEKDAY, 2, 70, 70, 50)
    assert rhythm.beyond(at(21, 10), 80, below=92) == 10


def test_what_a_daemon_that_was_down_has_not_seen_is_unknown_and_not_zero() -> None:
    def story(day: int, hour: int) -> int | None:
        return None if 2 <= day < 5 or (day == 8 and hour >= 6) else office(day, hour)

    rhythm = told(story, 9.4)
    assert rhythm.days_known == 5  # two before the gap, the weekend, Monday
    assert rhythm.usual(at(9, 10)) == Usual(Likeness.KIND, 3, 70, 70, 50)
    assert rhythm.weeks_known == 0


def test_a_rise_is_not_measured_from_what_nobody_saw() -> None:
    def story(day: int, hour: int) -> int | None:
        return None if hour < 9 and day > 0 else office(day, hour)

    rhythm = told(story, 2.4)
    assert rhythm.curve.rise(rhythm.curve.end - 1, rhythm.curve.end) == 0
    assert rhythm.usual(at(2, 9.5)) == Usual(Likeness.KIND, 2, 70, 70, 50)
    assert told(story, 9.4).usual(at(9, 9.5)).rise == 0


pauses = st.one_of(st.floats(0, 60), st.floats(0, 9000), st.floats(0, 3e6))
counts = st.integers(0, 500)
samples = st.lists(st.tuples(pauses, counts), min_size=1, max_size=120)
anyhow = st.lists(st.tuples(st.one_of(st.floats(0, 1e6), st.floats(0, 2e9)), counts), max_size=80)
"""Samples in no order, as by a clock that is set back and forth."""


@given(anyhow)
def test_memory_is_bounded_and_in_order_whatever_the_clock_does(
    steps: list[tuple[float, int]],
) -> None:
    rhythm = Rhythm()
    for moment, used in steps:
        rhythm = rhythm.add(moment, used)
        assert rhythm.possible
        assert rhythm.hour == int(moment) // HOUR
        assert rhythm.low <= used <= rhythm.high
    assert len(rhythm.curve.highs) <= curve.MOST
    assert len(rhythm.peaks.highs) <= peaks.MOST


@given(samples)
def test_hours_and_days_are_those_of_the_samples(steps: list[tuple[float, int]]) -> None:
    rhythm, now = Rhythm(), float(MONDAY)
    by_hour: dict[int, list[int]] = {}
    for pause, used in steps:
        now += pause
        rhythm = rhythm.add(now, used)
        by_hour.setdefault(int(now) // HOUR, []).append(used)
    current = by_hour.pop(rhythm.hour)
    assert (rhythm.high, rhythm.low) == (max(current), min(current))
    kept = range(rhythm.curve.end - curve.MOST, rhythm.curve.end)
    for hour in {*by_hour, *range(MONDAY // HOUR, min(rhythm.hour, MONDAY // HOUR + 50))}:
        those = by_hour.get(hour, [-1]) if hour in kept else [-1]
        assert (rhythm.curve.high(hour), rhythm.curve.low(hour)) == (max(those), min(those))
    by_day: dict[int, dict[int, int]] = {}
    for hour, found in by_hour.items():
        by_day.setdefault(hour // 24, {})[hour % 24] = max(found)
    by_day.pop(rhythm.hour // 24, None)
    for peak in rhythm.peaks.known():
        assert peak.high == max(by_day[peak.day].values())
        assert by_day[peak.day][peak.hour] == peak.high
    known = [day for day in by_day if len(by_day[day]) >= 12 and day >= rhythm.peaks.end - 400]
    assert rhythm.days_known == len(known)


@given(st.lists(counts, min_size=30, max_size=60), st.integers(0, 3 * 86400))
def test_samples_of_a_second_and_of_a_minute_say_the_same(minutes: list[int], skip: int) -> None:
    """Of use that changes with the minute."""
    begins = MONDAY + skip // 60 * 60
    fine, coarse = Rhythm(), Rhythm()
    for number, used in enumerate(minutes):
        coarse = coarse.add(float(begins + 60 * number), used)
        for second in range(0, 60, 7):
            fine = fine.add(float(begins + 60 * number + second), used)
    assert fine == coarse


@given(st.lists(counts, min_size=72, max_size=100), st.integers(0, 99), st.integers(1, 50))
def test_more_use_makes_more_usual_and_never_less(hours: list[int], which: int, more: int) -> None:
    higher = [used + more if number == which else used for number, used in enumerate(hours)]
    one, other = Rhythm(), Rhythm()
    for number, (used, above) in enumerate(zip(hours, higher, strict=True)):
        one = one.add(float(MONDAY + HOUR * number), used)
        other = other.add(float(MONDAY + HOUR * number), above)
    for hour in range(24):
        now = MONDAY + 3 * DAY + hour * HOUR
        assert one.usual(now).high <= other.usual(now).high
        assert one.usual(now).days == other.usual(now).days


def test_a_clock_that_is_set_back_drops_the_future() -> None:
    rhythm = told(office, 9.5)
    back = rhythm.add(at(7, 10.5), 71)
    assert back.hour == at(7, 10) // HOUR
    assert (back.high, back.low) == (71, 70)
    assert back.curve.end == back.hour
    assert back.days_known == 7
    again = back
    for second in range(int(at(7, 10.5)), int(at(9.0, 12)), 900):
        used = office((second - MONDAY) // DAY, (second - MONDAY) % DAY // HOUR)
        again = again.add(float(second), used)
    assert again.days_known == 9
    assert again.usual(at(9, 10)).high == 71
