"""Measures how fast slots are going, on each rung of the history.

The rule of thumb that a person reads off a curve: if the last twenty slots went within ten minutes
and twenty are left, ten minutes are left. It needs no window to be chosen: how far to look back
follows from how much is left. It is looked for on every second rung of the history, so it holds for
a storm of seconds as for a leak of days.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import sqrt
from typing import NamedTuple

from pgheadroom.forecast.history import RUNGS, Rung

_LEAST_SLOTS = 3
_LEAST_RATIO = 0.04
"""A rise of fewer slots, or of a smaller share of the limit, is no climb."""
_NOISE_FACTOR = 2.5
"""A climb rises by this many times the range in which use wanders anyway ..."""
_NOISE_RUNGS = ((4, 1.0), (3, 1.5), (2, 2.5))
"""... within buckets this many rungs up; with a surcharge where only narrower ones are known."""
EVERY = 2
"""Climbs are looked for on every second rung: each sees those of four to thirty-two buckets."""
NARROWEST = 2
"""The first rung whose typical range says anything of another."""
_NOISE_UNKNOWN = 2.0
"""What is taken for the range before anything is known, in least rises."""
_STROKE_FACTOR, _STROKE_RUNG = 1.5, 8
"""A jump is this many times as high as use wanders within four minutes."""
_ALIKE = 10.0
"""Samples closer to each other than this many seconds are correlated (a connection that was lent a
second ago is mostly still out), so averaging them does not reduce noise."""
_LEAST_BUCKETS = 4
_SLOWEST, _FASTEST = 2, 4
"""The second half of a climb takes at most this many times as long as the first: a curve that
flattens out has stopped. And not less than this part of it: a lone jump is no climb."""


class Climb(NamedTuple):
    """Growth that goes on."""

    at: float
    """When it was found, in seconds since the epoch."""
    since: float
    """When the slots that it took were still free."""
    rate: float
    """Slots a second, in its second half."""
    rise: float
    """Slots that it took."""
    top: int
    """The highest use of late: the next peak starts from there, not from the mean."""

    @property
    def seconds(self) -> float:
        """How long it has gone on."""
        return self.at - self.since

    def seconds_left(self, limit: int, now: float) -> float:
        """Return the time from *now* until *limit* slots are in use, at least 0."""
        return max(0.0, (limit - self.top) / self.rate - (now - self.at))


def climb(  # noqa: PLR0913 - a rung, its place, and what it is judged by
    rung: Rung, number: int, limit: int, at: float, ranges: Sequence[float], part: float = 1.0
) -> Climb | None:
    """Return the climb towards *limit* that shows on *rung*, which has that *number*.

    *ranges* are what typical_range() says of every rung of the history. It took as much as is
    left, or that *part* of it.
    """
    if not _even(rung):
        return None
    newest, before = rung[-1], rung[-2]
    level = newest.total / newest.samples
    # Comparisons in place of max(): this is done for a few rungs with every sample.
    top = max(before.high, newest.high)
    headroom = (limit - top) * part
    if headroom > level:
        return None  # use can't have risen by so much
    least = least_rise(limit)
    noise = _NOISE_FACTOR * _noise(ranges, number, before.samples, least)
    headroom = max(least, headroom)
    headroom = max(noise, headroom)
    halves = _buckets_since(rung, level - headroom / 2, level - headroom)
    if halves is None:
        return None
    half, full = halves
    if full < _LEAST_BUCKETS:
        rate = _fast(rung, level)
    else:
        rate = _steady(full - half, max(1, half), headroom)
    if rate is None:
        return None
    since = at - (max(full, _LEAST_BUCKETS) << number)
    return Climb(at, since, rate / (1 << number), headroom, top)


def _steady(first: int, second: int, headroom: float) -> float | None:
    """Return a climb's slots per bucket, by how many buckets its halves took; None if it is none.

    The slower of its second half and the whole: a climb of jumps is no faster for the last one.
    """
    if not first / _FASTEST - 1 <= second <= first * _SLOWEST:
        return None
    return min(headroom / 2 / second, headroom / (first + second))


def _fast(rung: Rung, level: float) -> float | None:
    """Return the slots a bucket of a climb too fast to be told in buckets; None if it is none.

    What went in the last few buckets is looked at instead.
    """
    middle = rung[-1 - _LEAST_BUCKETS // 2]
    growth = level - middle.mean
    before = middle.mean - rung[-1 - _LEAST_BUCKETS].mean
    if growth <= 0 or not growth / _FASTEST <= before <= growth * _SLOWEST:
        return None
    # A jump that ended within the middle bucket looks like two halves, except for its highest.
    if rung[-1].high - middle.high < growth / 2:
        return None
    return growth / (_LEAST_BUCKETS // 2)


@cache
def least_rise(limit: int) -> float:
    """Return how many slots more are worth being called growth, given the *limit*."""
    return max(_LEAST_SLOTS, _LEAST_RATIO * limit)


def least_jump(limit: int, ranges: Sequence[float]) -> float:
    """Return how many slots more at once are no mere wandering."""
    return max(least_rise(limit), _STROKE_FACTOR * ranges[_STROKE_RUNG])


def _buckets_since(rung: Rung, level: float, lower: float) -> tuple[int, int] | None:
    """Return how many buckets ago use was last at or below *level*, and when at or below *lower*.

    None if it never was.
    """
    half: int | None = None
    for bucket in reversed(rung):
        # The lowest sample is never above the mean, and is looked up faster.
        if bucket.low > level or bucket.total > level * bucket.samples:
            continue
        if half is None:
            half, level = rung[-1].nth - bucket.nth, lower
        if bucket.total <= lower * bucket.samples:
            return half, rung[-1].nth - bucket.nth
    return None


def _even(rung: Rung) -> bool:
    """Say whether samples come often enough for buckets of this width, and did so just now."""
    few = _LEAST_BUCKETS + 1
    return len(rung) >= few and rung[-1].nth - rung[-few].nth <= few + 1


def typical_range(rung: Rung) -> float:
    """Return in what range use wandered in a typical bucket of *rung*; below 0 when too few."""
    if len(rung) <= _LEAST_BUCKETS:
        return -1.0
    ranges = sorted([bucket.high - bucket.low for bucket in rung])
    return float(ranges[len(ranges) // 2])


def _noise(ranges: Sequence[float], number: int, samples: int, least: float) -> float:
    """Return in what range the means of rung *number*, with *samples* each, wander anyway."""
    for wider, surcharge in _NOISE_RUNGS:
        typical = ranges[min(number + wider, RUNGS - 1)]
        if typical >= 0:
            return surcharge * typical / (sqrt(samples / _ALIKE) if samples > _ALIKE else 1.0)
    return _NOISE_UNKNOWN * least
