"""Finds use that goes up in even steps, as when an autoscaler adds a pod a minute."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from pgheadroom.forecast.exhaustion import in_cycle
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.jumps import Jump
from pgheadroom.forecast.usage import Usage

_FEWEST, _MOST = 3, 5
"""How many steps are looked at."""
_ALIKE = 2.0
"""The largest of them, and the longest pause, is at most this many times the smallest."""
_SLOWEST_SECONDS = 180.0
"""An autoscaler adds something every few minutes; people deploy more seldom, and stop."""


def steps(usage: Usage, now: float) -> Forecast | None:
    """Return when the limit is reached if the steps of *usage* go on; None if there are none."""
    done = usage.jumps.done
    if len(done) < _FEWEST or in_cycle(usage, usage.limit, now):
        return None
    for count in range(min(_MOST, len(done)), _FEWEST - 1, -1):
        gap = _even(done[-count:], now)
        if gap is not None:
            rise = sum(jump.rise for jump in done[-count:])
            seconds = (usage.limit - usage.used) / (rise / count) * gap
            return Forecast(
                Pattern.CLIMB, seconds, done[-count].began, now, float(rise), usage.used
            )
    return None


def _even(jumps: tuple[Jump, ...], now: float) -> float | None:
    """Return the seconds from one of *jumps* to the next, if they are even and may go on *now*."""
    rises = [jump.rise for jump in jumps]
    gaps = [later.began - jump.began for jump, later in pairwise(jumps)]
    if max(rises) > _ALIKE * min(rises) or max(gaps) > _ALIKE * min(gaps):
        return None
    if max(gaps) > _SLOWEST_SECONDS or now - jumps[-1].began > _ALIKE * max(gaps):
        return None
    return median(gaps)
