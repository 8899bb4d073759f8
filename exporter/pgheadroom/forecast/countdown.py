"""Keeps the time left that people are told: a low edge that does not jump about.

A forecast is made anew with every sample and wanders with the noise in it. Told as it comes, the
time left grows while use rises, and is gone for seconds just before the end. What is told is the
lowest forecast of the last stretch of time, and stays through a short gap in the forecasts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_LEAST_STRETCH_SECONDS = 15.0
_SHARE = 0.25
"""A stretch lasts a quarter of the time left, and the seconds above at least: what takes hours is
also forecast from buckets of minutes."""


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
    began: float = 0.0
    """When this stretch began."""

    @property
    def told(self) -> bool:
        """Whether there is an end in sight."""
        return not math.isinf(self.seconds)

    def add(self, at: float, used: int, soonest: float, slack: float) -> Countdown:
        """Return the countdown with one more forecast: *soonest* seconds, infinite for none.

        Use that came down by more than *slack* from its highest has ended what was foreseen.
        """
        if used < self.used - slack and soonest > self.seconds:
            self = _NONE  # noqa: PLW0642 - a value, not an object
        stretch = max(_LEAST_STRETCH_SECONDS, _SHARE * self.seconds)
        if math.isinf(soonest):
            return self if at - self.at <= stretch else _NONE
        if math.isinf(self.seconds):
            return Countdown(soonest, at, used, soonest, soonest, at)
        if at - self.began > stretch:
            self = self._replace(low_before=self.low, low=soonest, began=at, used=used)  # noqa: PLW0642
        low = min(self.low, soonest)
        told = min(low, self.low_before)
        return Countdown(told, at, max(used, self.used), low, self.low_before, self.began)


_NONE = Countdown()
