"""Forecasts when the peaks of a weekday reach the limit, for who plans; it never pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import median
from typing import NamedTuple

from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.rhythm.curve import HOUR, HOURS
from pgheadroom.forecast.rhythm.peaks import DAYS, Peak, Peaks, weekday
from pgheadroom.forecast.rhythm.rhythm import Rhythm
from pgheadroom.forecast.rhythm.trend import ByWeekday, slope_of, trend

_DAY = HOURS * HOUR
WEEK = float(DAYS * _DAY)
"""Seconds."""
_HOLD = WEEK
"""What was foreseen stands so much longer than it is sure."""
_WEEKS = 8
"""So far back growth is looked for: two months tell what it is now."""
_IN_SIGHT = 26 * WEEK
"""What takes longer is not foreseen from so few weeks."""
_WORKING, _WEEKEND = range(5), range(5, 7)
"""Weekdays that are taken together: what grows on one of them grows on the others, as a rule."""


class Outgrown(NamedTuple):
    """The peaks of a weekday grow until they reach the limit."""

    found_at: float
    """As of when, in seconds since the epoch."""
    limit: int
    weekday: int
    """By UTC; Monday is 0."""
    at: float
    """When a peak reaches the limit, in seconds since the epoch: on that weekday, at the hour of
    the newest peak."""
    growth: float
    """Connections a week."""
    high: int
    """The newest peak of the weekday."""
    weeks: int
    """How many weeks the growth was seen in."""


def outgrown(rhythm: Rhythm, limit: int, now: float) -> Outgrown | None:
    """Return the weekday whose peaks reach *limit* first, as foreseen *now*; None if none does.

    None too if growth is not sure, or too small to tell, and if there was no sample last week.
    """
    today = int(now) // _DAY
    if today - rhythm.peaks.end > DAYS:
        return None
    newest, peaks = _by_weekday(rhythm.peaks)
    found = [
        _reached(newest[day], peaks[day], slope, weeks, limit, now)
        for day, slope, weeks in _growing(peaks, limit)
    ]
    first = min(found, key=_at, default=None)
    return first if first is not None and first.at - now <= _IN_SIGHT else None


def next_outgrown(
    before: Outgrown | None, rhythm: Rhythm, limit: int, now: float
) -> Outgrown | None:
    """Return what is foreseen *now*; what was *before* stands a week longer than it is sure.

    So a holiday, or a quiet week, does not take it back; a higher limit does.
    """
    found = outgrown(rhythm, limit, now)
    if found is None and before is not None and limit == before.limit:
        return before if now - before.found_at < _HOLD and now < before.at else None
    return found


def _by_weekday(peaks: Peaks) -> tuple[dict[int, Peak], ByWeekday]:
    """Return the newest known peak of each weekday, and all of the last weeks by their number."""
    first = peaks.end - _WEEKS * DAYS
    newest: dict[int, Peak] = {}
    by_week: dict[int, dict[int, int]] = {}
    for peak in peaks.known(first):
        newest[weekday(peak.day)] = peak
        by_week.setdefault(weekday(peak.day), {})[(peak.day - first) // DAYS] = peak.high
    return newest, by_week


def _growing(peaks: ByWeekday, limit: int) -> Iterator[tuple[int, float, int]]:
    """Yield the weekdays whose peaks grow: the weekday, connections a week, weeks seen.

    At the pace of all days of its kind, which is surer; unless its own is lower, or surely higher.
    """
    least = least_rise(limit)
    for kind in (_WORKING, _WEEKEND):
        of_kind = {day: peaks[day] for day in kind if day in peaks}
        together = trend(of_kind)
        for day, of_day in of_kind.items():
            own, alone = slope_of(of_day), trend({day: of_day})
            if alone is not None and (together is None or alone.least > together.slope):
                slope, weeks = alone.slope, alone.weeks
            elif together is not None and own is not None:
                slope, weeks = min(own, together.slope), together.weeks
            else:
                continue
            if slope > 0 and slope * (weeks - 1) >= least:
                yield day, slope, weeks


def _reached(
    newest: Peak, peaks: Mapping[int, int], slope: float, weeks: int, limit: int, now: float
) -> Outgrown:
    last = max(peaks)
    level = median([high + slope * (last - week) for week, high in peaks.items()])
    began = newest.day * _DAY + newest.hour * HOUR
    ahead = max(math.ceil((limit - level) / slope), math.floor((now - began) / WEEK) + 1)
    at = began + ahead * WEEK
    return Outgrown(now, limit, weekday(newest.day), at, slope, newest.high, weeks)


def _at(found: Outgrown) -> float:
    return found.at
