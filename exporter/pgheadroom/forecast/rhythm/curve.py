"""Keeps the highest and lowest use of each hour of the last weeks."""

from __future__ import annotations

import math
from typing import NamedTuple

from pgheadroom.forecast.rhythm.series import UNKNOWN, Series, appended

HOUR = 3600
"""Seconds."""
HOURS = 24
WEEK = 7 * HOURS
"""Hours."""
MOST = 5 * WEEK
"""Hours that are kept."""

BEFORE = 6
"""A rise is measured from the lowest use of so many hours before, and of the hour itself."""


class Curve(NamedTuple):
    """The hours that are complete, without a break; each is UNKNOWN where there was no sample."""

    end: int = 0
    """The hour after the newest one, in hours since the epoch."""
    highs: Series = ()
    """The highest use of each."""
    falls: Series = ()
    """By how much the lowest is below: small numbers, which take less memory."""

    def add(self, hour: int, high: int, low: int) -> Curve:
        """Return the curve with one more *hour*, which is after all others."""
        gap = hour - self.end if self.highs else 0
        return Curve(
            hour + 1,
            appended(self.highs, gap, high, MOST),
            appended(self.falls, gap, high - low, MOST),
        )

    def before(self, hour: int) -> Curve:
        """Return the curve up to *hour*, and without it."""
        dropped = self.end - hour
        if dropped <= 0:
            return self
        return Curve(hour, self.highs[:-dropped], self.falls[:-dropped])

    def high(self, hour: int) -> int:
        """Return the highest use of *hour*; UNKNOWN if there was no sample."""
        index = hour - self.end + len(self.highs)
        return self.highs[index] if 0 <= index < len(self.highs) else UNKNOWN

    def low(self, hour: int) -> int:
        """Return the lowest use of *hour*; UNKNOWN if there was no sample."""
        high = self.high(hour)
        return high if high == UNKNOWN else high - self.falls[self._index(hour)]

    def highest(self, first: int, end: int) -> int:
        """Return the highest use from hour *first* up to *end*; UNKNOWN without a sample."""
        return max(self.highs[self._index(first) : self._index(end)], default=UNKNOWN)

    def rise(self, first: int, end: int) -> int:
        """Return the most by which use rose within BEFORE hours, up to one from *first* to *end*.

        UNKNOWN without a sample in those.
        """
        kept = slice(self._index(first - BEFORE), self._index(end))
        highs = self.highs[kept]
        lows = [
            math.inf if high == UNKNOWN else high - fall
            for high, fall in zip(highs, self.falls[kept], strict=True)
        ]
        most = UNKNOWN
        for index in range(max(0, len(highs) - (end - first)), len(highs)):
            if highs[index] != UNKNOWN:
                lowest = min(lows[max(0, index - BEFORE) : index + 1])
                most = max(most, highs[index] - int(lowest))
        return most

    @property
    def possible(self) -> bool:
        """Whether it can be: as long as others, and no lowest use above the highest or below 0."""
        fits = len(self.highs) == len(self.falls) <= MOST
        return fits and all(
            0 <= fall <= high or fall == high == UNKNOWN
            for high, fall in zip(self.highs, self.falls, strict=True)
        )

    def _index(self, hour: int) -> int:
        return max(0, hour - self.end + len(self.highs))
