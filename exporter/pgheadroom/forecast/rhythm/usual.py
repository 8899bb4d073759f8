"""Says what is usual at a time of the day and of the week, by the hours of like days."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from itertools import islice
from statistics import median_high
from typing import NamedTuple

from pgheadroom.forecast.rhythm.curve import HOUR, HOURS, MOST, Curve
from pgheadroom.forecast.rhythm.peaks import DAYS, weekday
from pgheadroom.forecast.rhythm.series import UNKNOWN

_DAYS = MOST // HOURS
_SATURDAY = 5
_ENOUGH = 2
"""Days of the same weekday that are compared with, rather than with others."""
_LAST = 5
"""Days of the same kind, or of any, that are compared with: the newest ones."""


class Likeness(enum.StrEnum):
    """How like the days are that something is compared with, the most like first."""

    WEEKDAY = "weekday"
    """Days of the same weekday."""
    KIND = "kind"
    """Working days with working days, Saturdays and Sundays with those."""
    ANY = "any"
    NONE = "none"
    """This time of day was never seen."""


class Usual(NamedTuple):
    """What the same hour of like days has seen, an hour before and after included.

    Clocks are put forward and back, and peaks are late at times: an hour's shift is not news.
    """

    likeness: Likeness = Likeness.NONE
    days: int = 0
    """How many days it rests on; 0 where nothing is known."""
    high: int = 0
    """The highest use."""
    typical: int = 0
    """The median of the highest use of each of the days."""
    rise: int = 0
    """The most by which use rose within six hours."""


def usual(curve: Curve, at: float, below: float) -> Usual:
    """Return what is usual *at* a time, in seconds since the epoch, by the days before it.

    Days that reached *below* around that hour do not count: they were incidents.
    """
    hour = int(at) // HOUR

    def known(days: Iterable[int]) -> Iterator[int]:
        hours = (hour - back * HOURS for back in days)
        return (
            then
            for then in hours
            if curve.high(then) != UNKNOWN and curve.highest(then - 1, then + 2) < below
        )

    same = list(known(range(DAYS, _DAYS + 1, DAYS)))
    if len(same) >= _ENOUGH:
        return _of(curve, Likeness.WEEKDAY, same)
    works = _works(hour // HOURS)
    alike = [back for back in range(1, _DAYS + 1) if _works(hour // HOURS - back) == works]
    kind = list(islice(known(alike), _LAST))
    if kind:
        return _of(curve, Likeness.KIND, kind)
    others = list(islice(known(range(1, _DAYS + 1)), _LAST))
    return _of(curve, Likeness.ANY, others) if others else Usual()


def _works(day: int) -> bool:
    return weekday(day) < _SATURDAY


def _of(curve: Curve, likeness: Likeness, hours: list[int]) -> Usual:
    highs = [curve.highest(hour - 1, hour + 2) for hour in hours]
    rises = [curve.rise(hour - 1, hour + 2) for hour in hours]
    return Usual(likeness, len(highs), max(highs), median_high(highs), max(rises))
