"""Keeps the time left that people are told: a low edge that does not jump about.

A forecast is made anew with every sample and wanders with the noise in it. Told as it comes, the
time left grows while use rises, and is gone for seconds just before the end. What is told is the
lowest forecast of the last stretch of time, and stays through a short gap in the forecasts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_STRETCH_SECONDS = 15.0
_STRETCH_SAMPLES = 3
"""A stretch is so long, and so many samples at least: where they are far apart, one is none."""
_MOST_GROWTH = 1.5
"""A climb that slows down is told so in steps of this factor, one each stretch at most."""


class Countdown(NamedTuple):
    """The time left until a limit is reached, as it is told; infinite when nothing is foreseen."""

    seconds: float = math.inf
    """As of *at*."""
    at: float = 0.0
    """When there was a forecast for the last time, in seconds since the epoch."""
    used: int = 0
    """The highest use in this stretch."""
    low: float = math.inf
    """The lowest forecast of this stretch of time, ..."""
    low_before: float = math.inf
    """... and of the one before."""
    ceiling: float = math.inf
    """No more than this is told in this stretch."""
    began: float = 0.0
    """When this stretch began."""
    pause: float = 0.0
    """Seconds between the last two forecasts."""

    @property
    def told(self) -> bool:
        """Whether there is an end in sight."""
        return not math.isinf(self.seconds)

    def add(self, at: float, used: int, soonest: float, slack: float) -> Countdown:
        """Return the countdown with one more forecast: *soonest* seconds, infinite for none.

        Use that came down by more than *slack* from its highest has ended what was foreseen.
        """
        due = self.seconds <= 0  # and it has not come: who reaches the limit has no countdown
        if soonest > self.seconds and (due or used < self.used - slack):
            self = Countdown()  # noqa: PLW0642 - a value, not an object
        stretch = max(_STRETCH_SECONDS, _STRETCH_SAMPLES * self.pause)
        if math.isinf(soonest):
            return self if at - self.at <= stretch else Countdown()
        if not self.told:
            return Countdown(soonest, at, used, soonest, began=at)
        _, _, most, low, before, ceiling, began, _ = self
        if at - began > stretch:
            low, before, ceiling, began, most = math.inf, low, _MOST_GROWTH * self.seconds, at, used
        low = min(low, soonest)
        told = min(low, before, ceiling)
        return Countdown(told, at, max(used, most), low, before, ceiling, began, at - self.at)
