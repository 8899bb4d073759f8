"""Finds climbs that took less than is left: too early to tell, unless a sign speaks for them."""

from __future__ import annotations

from collections.abc import Iterator

from pgheadroom.forecast.climb import EVERY, climb
from pgheadroom.forecast.exhaustion import in_cycle
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.usage import Usage

_PARTS = (0.6, 0.3)
"""What such a climb took, as a part of what is left."""
_COARSEST = 12
"""No climb of days is early."""


def early(usage: Usage, now: float) -> Iterator[Forecast]:
    """Yield the climbs of *usage* that took less than is left, of the rungs that are new *now*."""
    limit = usage.limit
    if in_cycle(usage, limit, now):
        return
    for number in range(0, min(usage.touched, _COARSEST), EVERY):
        for part in _PARTS:
            one = climb(usage.history.rungs[number], number, limit, now, usage.ranges, part)
            if one is not None:
                seconds = one.seconds_left(limit, now)
                yield Forecast(Pattern.CLIMB, seconds, one.since, now, one.rise, usage.used)
                break
