"""Says how closely to ask a Prometheus for each part of the past: coarsely for long ago."""

from __future__ import annotations

import math
from typing import NamedTuple

_STEPS: tuple[tuple[float, float], ...] = (
    (6 * 3600.0, 15.0),
    (14 * 86_400.0, 60.0),
    (math.inf, 300.0),
)
"""Up to this age in seconds, this many seconds from sample to sample.

The history has two minutes to a bucket an hour ago and an hour two days ago, but a nightly job of
some minutes is a peak of every day that must not fall between two samples. Each step is a multiple
of the one before, so that what was asked for once is asked for at the same moments again.
"""
_COARSEST = 300.0


class Stretch(NamedTuple):
    """From when to when, in seconds since the epoch, and how many seconds from sample to sample."""

    start: float
    end: float
    """Inclusive."""
    step: float

    @property
    def points(self) -> int:
        """How many moments are asked for."""
        return int((self.end - self.start) / self.step) + 1


def stretches(start: float, end: float, now: float) -> list[Stretch]:
    """Return what to ask for from *start* up to but not at *end*, as seen from *now*, oldest first.

    All moments are multiples of their step. Empty if there is none.
    """
    found: list[Stretch] = []
    over = end
    for age, step in _STEPS:
        begun = start if age == math.inf else max(start, _floor(now - age, _COARSEST))
        first = math.ceil(begun / step) * step
        last = (math.ceil(over / step) - 1) * step
        if first <= last:
            found.append(Stretch(first, last, step))
            over = first
    return found[::-1]


def _floor(at: float, step: float) -> float:
    return math.floor(at / step) * step
