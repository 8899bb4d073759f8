"""Says whether what foretells the end still goes on, for the time left that people are told.

A forecast outlives what it was made of: a climb that stopped is foreseen to go on for a while, and
before the next of some peaks nothing fills up. A page may rest on that; a countdown must not.
"""

from __future__ import annotations

import math

from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.usage import Usage

_FELL = 2.0
"""Use that came down by this many least rises within a minute has ended a climb."""
_STILL = 0.25
"""A climb goes on when this share of its pace was kept up ..."""
_SHOWN = 2.0
"""... for so long that, at its pace, it rose by this many least rises ..."""
_LATELY_SECONDS = 15.0
"""... and for so many seconds at least, but not longer than half of the time that it took."""


def soonest(usage: Usage, now: float) -> float:
    """Return the time until the limit is reached by a forecast that still holds; else infinity."""
    return next((one.seconds for one in usage.forecasts if ongoing(usage, one, now)), math.inf)


def ongoing(usage: Usage, forecast: Forecast, now: float) -> bool:
    """Say whether what *forecast* was made of goes on at *now*."""
    if forecast.pattern is Pattern.CYCLE:
        return False  # nothing fills up until the next peak, which may not come
    if forecast.pattern is not Pattern.CLIMB:
        return True
    recent = usage.recent_max
    highest = recent.highest(60.0, now)
    if highest is not None and usage.used < highest - _FELL * least_rise(usage.limit):
        return False
    lasts = max(1.0, forecast.lasts)
    pace = max(1e-9, forecast.slots / lasts)
    shown = min(_SHOWN * least_rise(usage.limit) / pace, lasts / 2)
    window = max(_LATELY_SECONDS, shown)
    then = usage.history.bucket_at(now - window)
    if then is None:
        return True
    high = recent.highest(_LATELY_SECONDS, now)
    grown = max(usage.used, high or 0) - then.high
    return grown >= _STILL * window * pace
