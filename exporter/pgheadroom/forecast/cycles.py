"""Recognises use that comes and goes in peaks, and forecasts the next peak.

A peak is one from which use came down by a good part of the limit. Peaks that come at like
distances and grow by like amounts foretell the next one; a climb that the range has made before is
no news until it is higher than that.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import NamedTuple

_PEAKS = 6
_ENOUGH = 3
"""Peaks that make a range."""
_TALL = 1.5
"""The peaks of a cycle are this many times as tall as a turn that counts, or they are noise."""
_UNEVEN = 2
"""The longest distance between two peaks of a cycle is at most this many times the shortest."""


class Peak(NamedTuple):
    """A peak, and the trough from which the climb to it began."""

    at: float
    height: int
    began: float
    floor: int


class Expected(NamedTuple):
    """The next peak of a range."""

    at: float
    height: float
    last: Peak
    growth: float
    """Slots by which the peaks grow, each over the one before."""
    period: float


class Cycles(NamedTuple):
    """Where use turned, as far as it is known yet."""

    peaks: tuple[Peak, ...] = ()
    rising: bool = True
    extreme: tuple[float, int] | None = None
    """The highest point of this climb, or the lowest of this descent, so far."""
    trough: tuple[float, int] = (0.0, 0)
    next: Expected | None = None
    """The next peak, if the last ones make a range."""

    def add(self, at: float, used: int, prominence: float) -> Cycles:
        """Return the cycles with one more sample; a turn counts once it goes *prominence* far."""
        if self.extreme is None:
            return Cycles(extreme=(at, used), trough=(at, used))
        extreme = self.extreme[1]
        if self.rising:
            if used >= extreme:
                return Cycles(self.peaks, True, (at, used), self.trough, self.next)  # noqa: FBT003 - in the order of the fields
            if used < extreme - prominence:
                peaks = (*self.peaks[1 - _PEAKS :], Peak(*self.extreme, *self.trough))
                return Cycles(peaks, False, (at, used), self.trough, _next(peaks, prominence))  # noqa: FBT003 - in the order of the fields
        elif used <= extreme:
            return Cycles(self.peaks, False, (at, used), self.trough, self.next)  # noqa: FBT003
        elif used > extreme + prominence:
            return self._replace(rising=True, extreme=(at, used), trough=self.extreme)
        return self

    def with_older(self, older: Cycles, prominence: float) -> Cycles:
        """Return the cycles after all of *older* and then all of these.

        Where use turned is all that matters of a course, and these know where that was. Only what
        wandered by less than *prominence* where one ends and the other begins is not known.
        """
        if self.extreme is None:
            return older
        if older.extreme is None or len(self.peaks) == _PEAKS:
            return self
        turns = [turn for peak in self.peaks for turn in ((peak.began, peak.floor), peak[:2])]
        both = older
        if self.rising:  # else that is where the climb to the last peak began
            turns.append(self.trough)
        for at, used in (*turns, self.extreme):
            both = both.add(at, used, prominence)
        return both

    def expected(self, now: float) -> Expected | None:
        """Return the next peak, if the last ones make a range that still goes on at *now*."""
        peak = self.next
        if peak is None or now > peak.last.at + _UNEVEN * peak.period:
            return None
        return peak


def _next(peaks: tuple[Peak, ...], prominence: float) -> Expected | None:
    if len(peaks) < _ENOUGH:
        return None
    if median([peak.height - peak.floor for peak in peaks]) < _TALL * prominence:
        return None
    pairs = list(pairwise(peaks))
    distances = [later.at - peak.at for peak, later in pairs]
    growths = [later.height - peak.height for peak, later in pairs]
    period, last = median(distances), peaks[-1]
    if max(distances) > _UNEVEN * min(distances):
        return None
    growth = (last.height - peaks[0].height) / len(growths)
    if min(growths[-2:]) <= 0:
        growth = min(growth, 0.0)  # peaks that do not grow each time do not grow
    return Expected(last.at + period, last.height + growth, last, growth, period)


def prominence(limit: int) -> float:
    """Return how far use must come back for a turn to count, given the *limit*."""
    return max(4.0, 0.1 * limit)
