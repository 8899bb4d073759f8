"""Curves of load: the day of an office, of a shop, ramps and steps.

Times are seconds since a Monday, 00:00.
"""

from __future__ import annotations

import math
from random import Random

from benchmarks.arena.service import Curve

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
_WORKING_DAYS = 5


def steady(level: float) -> Curve:
    """Return a load that is always *level*."""
    return lambda _: level


def office(rng: Random, low: float, high: float, weekend: float = 0.2) -> Curve:
    """Return the load of people at work: up at nine, a dip at noon, down at six, calm weekends."""
    days = [rng.gauss(1.0, 0.02) for _ in range(64)]

    def load(now: float) -> float:
        day, second = divmod(now, DAY)
        hour = second / HOUR
        morning = _bump(hour, 10.5, 1.9)
        afternoon = _bump(hour, 15.0, 2.2)
        share = min(1.0, max(morning, 0.96 * afternoon, 0.8 * _bump(hour, 12.8, 2.0)))
        if day % 7 >= _WORKING_DAYS:
            share *= weekend
        return (low + (high - low) * share) * min(1.03, days[int(day) % len(days)])

    return load


def shop(rng: Random, low: float, high: float) -> Curve:
    """Return the load of people at leisure: it peaks at eight in the evening, most on Sundays."""
    days = [rng.gauss(1.0, 0.02) for _ in range(64)]

    def load(now: float) -> float:
        day, second = divmod(now, DAY)
        hour = second / HOUR
        share = max(_bump(hour, 20.0, 2.6), 0.55 * _bump(hour, 13.0, 3.5))
        share *= 1.0 if day % 7 >= _WORKING_DAYS else 0.93
        return (low + (high - low) * share) * min(1.03, days[int(day) % len(days)])

    return load


def ramp(begin: float, end: float, low: float, high: float) -> Curve:
    """Return a load that goes from *low* to *high* between two moments, and stays there."""
    return lambda now: low + (high - low) * min(1.0, max(0.0, (now - begin) / (end - begin)))


def during(begin: float, end: float, level: float, otherwise: float = 0.0) -> Curve:
    """Return *level* between two moments, and another one outside."""
    return lambda now: level if begin <= now < end else otherwise


def total(*curves: Curve) -> Curve:
    """Return the sum of some loads."""
    return lambda now: sum(curve(now) for curve in curves)


def scaled(curve: Curve, factor: Curve) -> Curve:
    """Return a load that is multiplied by another curve."""
    return lambda now: curve(now) * factor(now)


def _bump(hour: float, middle: float, width: float) -> float:
    return math.exp(-(((hour - middle) / width) ** 4))
