"""Remembers the rhythm of use by hour, day and week, in bounded memory."""

from __future__ import annotations

import math
from typing import NamedTuple

from pgheadroom.forecast.rhythm.curve import HOUR, HOURS, Curve
from pgheadroom.forecast.rhythm.peaks import DAYS, Peaks, weekday
from pgheadroom.forecast.rhythm.series import UNKNOWN
from pgheadroom.forecast.rhythm.usual import Usual, usual

_NEVER = -1


class Rhythm(NamedTuple):
    """The hour that goes on, the hours of the last five weeks, the peaks of the last 400 days.

    Hours and days are those of UTC. A time at which there was no sample is unknown, not zero.
    """

    hour: int = _NEVER
    """The hour of the newest sample, in hours since the epoch."""
    high: int = 0
    """The highest use of that hour, so far."""
    low: int = 0
    """The lowest one."""
    curve: Curve = Curve()
    """The hours before it."""
    peaks: Peaks = Peaks()
    """Of the days before today."""

    def add(self, at: float, used: int) -> Rhythm:
        """Return the rhythm with one more sample, taken *at* seconds since the epoch.

        When the clock was set back, what now lies in the future is dropped.
        """
        hour = int(at) // HOUR
        if hour == self.hour:
            if self.low <= used <= self.high:  # as nearly always
                return self
            return self._replace(high=max(self.high, used), low=min(self.low, used))
        if hour < self.hour:
            return self._set_back(hour, used)
        if self.hour == _NEVER:
            return Rhythm(hour, used, used)
        curve, peaks = self.curve.add(self.hour, self.high, self.low), self.peaks
        if hour // HOURS > self.hour // HOURS:
            peaks = peaks.add(self.hour // HOURS, curve)
        return Rhythm(hour, used, used, curve, peaks)

    @property
    def known_since(self) -> float | None:
        """When the first hour or day that it tells of began; None if it is empty."""
        if self.hour == _NEVER:
            return None
        first = min(
            self.hour, self.curve.end - len(self.curve.highs) if self.curve.highs else self.hour
        )
        if self.peaks.highs:
            first = min(first, (self.peaks.end - len(self.peaks.highs)) * HOURS)
        return float(first * HOUR)

    def with_older(self, older: Rhythm) -> Rhythm:
        """Return the rhythm after all of *older* and then all of this one.

        Of days whose hours this one no longer has it knows the peaks alone; it then stays as it is.
        """
        first = self.curve.end - len(self.curve.highs)
        if self.hour == _NEVER:
            return older
        if self.peaks.highs and (self.peaks.end - len(self.peaks.highs)) * HOURS < first - HOURS:
            return self
        both = older
        for hour in range(first, self.curve.end):
            high = self.curve.high(hour)
            if high != UNKNOWN:
                both = both.add(hour * HOUR, high).add(hour * HOUR, self.curve.low(hour))
        return both.add(self.hour * HOUR, self.high).add(self.hour * HOUR, self.low)

    def _set_back(self, hour: int, used: int) -> Rhythm:
        high, low = self.curve.high(hour), self.curve.low(hour)
        return Rhythm(
            hour,
            max(high, used),
            used if low == UNKNOWN else min(low, used),
            self.curve.before(hour),
            self.peaks.before(hour // HOURS),
        )

    @property
    def days_known(self) -> int:
        """How many days before today are known: at least half of their hours were seen."""
        return sum(1 for _ in self.peaks.known())

    @property
    def weeks_known(self) -> int:
        """How many days of each weekday are known, at least: 1 when every weekday was seen once."""
        known = [0] * DAYS
        for peak in self.peaks.known():
            known[weekday(peak.day)] += 1
        return min(known)

    @property
    def possible(self) -> bool:
        """Whether it can be, as far as that can be told: a file may be damaged."""
        in_order = max(self.curve.end, self.peaks.end * HOURS) <= max(0, self.hour)
        current = self.hour >= _NEVER and 0 <= self.low <= self.high
        return in_order and current and self.curve.possible and self.peaks.possible

    def usual(self, at: float, below: float = math.inf) -> Usual:
        """Return what is usual *at* a time, by the hours of like days before that day.

        *at*, in seconds since the epoch, may lie ahead by some hours. Days that reached *below*
        slots around that hour do not count: give what only an incident reaches.
        """
        return usual(self.curve, at, below)

    def beyond(self, at: float, used: int, below: float = math.inf) -> int | None:
        """Return by how much *used* is above the usual high *at* this time: below 0 if it is lower.

        None where nothing is known of this time of day; *below* as in ``usual``.
        """
        found = self.usual(at, below)
        return used - found.high if found.days else None
