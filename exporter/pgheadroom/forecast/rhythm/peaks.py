"""Keeps the peak of each day of the last year: how high, and at which hour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pgheadroom.forecast.rhythm.curve import HOURS, Curve
from pgheadroom.forecast.rhythm.series import UNKNOWN, Series, appended

MOST = 400
"""Days that are kept."""
KNOWN = HOURS // 2
"""A day is known when at least so many of its hours were seen."""
DAYS = 7
"""Of a week."""
_EPOCH = 3
"""The weekday of day 0, a Thursday; Monday is 0."""


def weekday(day: int) -> int:
    """Return the weekday of a *day* since the epoch, by UTC: Monday is 0."""
    return (day + _EPOCH) % DAYS


class Peak(NamedTuple):
    """The peak of a day."""

    day: int
    """In days since the epoch, by UTC."""
    high: int
    hour: int
    """Of the day, by UTC: the first one that was as high."""


class Peaks(NamedTuple):
    """The days that are over, without a break; each is UNKNOWN where there was no sample."""

    end: int = 0
    """The day after the newest one, in days since the epoch."""
    highs: Series = ()
    hours: Series = ()
    """At which hour of the day the highest use was first seen."""
    seen: Series = ()
    """In how many hours of the day there was a sample."""

    def add(self, day: int, curve: Curve) -> Peaks:
        """Return the peaks with one more *day*, which is after all others and on *curve*."""
        first = day * HOURS
        highs = [curve.high(hour) for hour in range(first, first + HOURS)]
        high = max(highs)
        gap = day - self.end if self.highs else 0
        return Peaks(
            day + 1,
            appended(self.highs, gap, high, MOST),
            appended(self.hours, gap, highs.index(high), MOST),
            appended(self.seen, gap, HOURS - highs.count(UNKNOWN), MOST),
        )

    def before(self, day: int) -> Peaks:
        """Return the peaks up to *day*, and without it."""
        dropped = self.end - day
        if dropped <= 0:
            return self
        return Peaks(day, self.highs[:-dropped], self.hours[:-dropped], self.seen[:-dropped])

    @property
    def possible(self) -> bool:
        """Whether it can be: of one length, each day unknown or with a peak at one of its hours."""
        fits = len(self.highs) == len(self.hours) == len(self.seen) <= MOST
        return fits and all(
            high == hour == seen == UNKNOWN
            or (high >= 0 and 0 <= hour < HOURS and 0 < seen <= HOURS)
            for high, hour, seen in zip(self.highs, self.hours, self.seen, strict=True)
        )

    def known(self, first: int = 0) -> Iterator[Peak]:
        """Yield the peaks of the days from *first* on that are known, oldest first."""
        start = self.end - len(self.highs)
        for index in range(max(0, first - start), len(self.highs)):
            if self.seen[index] >= KNOWN:
                yield Peak(start + index, self.highs[index], self.hours[index])
