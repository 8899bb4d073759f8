"""Measures how peaks grow from week to week: a median of slopes, and whether it is sure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import combinations, pairwise
from statistics import median
from typing import NamedTuple

_FEWEST = 3
"""Weeks; two peaks that differ are no trend."""
_SURE = 1.96
"""Standard deviations: of a hundred series without a trend three look as if they grew."""
_SHARE, _SHARE_OF_FEW = 0.5, 0.67
"""The part of the whole growth that one week may bring; of three weeks one brings half at least.
More than that is a step: a deploy that adds pools once is no growth."""
_LATELY = 4
"""Weeks over which it must still grow ..."""
_GOES_ON = 0.5
"""... at this part of its pace, at least."""

ByWeekday = Mapping[int, Mapping[int, int]]
"""By weekday, its peaks by week; weeks are numbered in the order of time."""


class Trend(NamedTuple):
    """Growth that is sure and goes on."""

    slope: float
    """Connections a week: the median of what each two peaks of like days say."""
    least: float
    """The lower end of the interval in which it is, with 97.5 % certainty; above 0."""
    weeks: int
    """How many weeks it rests on."""


def slope_of(peaks: Mapping[int, int]) -> float | None:
    """Return the median slope of the *peaks* of one weekday (Theil-Sen); None of fewer than two."""
    slopes = _slopes(peaks)
    return median(slopes) if slopes else None


def trend(peaks: ByWeekday) -> Trend | None:
    """Return how the *peaks* grow, each weekday compared with itself; None if that is not sure.

    The interval is Sen's, from Kendall's test over several seasons. Weeks that are odd (a holiday,
    the end of a month) do not move it much, since half of the slopes would have to be wrong.
    """
    slopes = sorted(slope for of_one in peaks.values() for slope in _slopes(of_one))
    rank = _rank(len(slopes), map(len, peaks.values()))
    if rank < 1 or slopes[rank - 1] <= 0:
        return None
    levels = _levels(peaks)
    if len(levels) < _FEWEST or not _grows(levels) or not _even(levels):
        return None
    slope = median(slopes)
    if median(_slopes(dict(levels[-_LATELY:]))) < _GOES_ON * slope:
        return None
    return Trend(slope, slopes[rank - 1], len(levels))


def _slopes(peaks: Mapping[int, float]) -> list[float]:
    pairs = combinations(sorted(peaks.items()), 2)
    return [(high - low) / (later - week) for (week, low), (later, high) in pairs]


def _rank(slopes: int, lengths: Iterable[int]) -> int:
    """Return which of so many *slopes*, from 1 up, the interval's lower end is; below 1 if none.

    *lengths* are those of the seasons. The variance is that of Kendall's sum without a trend.
    """
    variance = sum(n * (n - 1) * (2 * n + 5) / 18 for n in lengths)
    return math.floor((slopes - _SURE * math.sqrt(variance)) / 2)


def _levels(peaks: ByWeekday) -> list[tuple[int, float]]:
    """Return how high each week is, the differences between weekdays taken off.

    A week of which less than half of the days are known does not count.
    """
    by_week: dict[int, list[float]] = {}
    for of_one in peaks.values():
        middle = median(of_one.values()) if of_one else 0.0
        for week, high in of_one.items():
            by_week.setdefault(week, []).append(high - middle)
    least = len(peaks) / 2
    return [(week, median(found)) for week, found in sorted(by_week.items()) if len(found) >= least]


def _grows(levels: list[tuple[int, float]]) -> bool:
    """Say whether whole weeks grow surely, too: the days of a busy week are high together."""
    slopes = sorted(_slopes(dict(levels)))
    return slopes[max(1, _rank(len(slopes), [len(levels)])) - 1] > 0


def _even(levels: list[tuple[int, float]]) -> bool:
    """Say whether no single week brought most of the growth."""
    steps = [later - level for (_, level), (_, later) in pairwise(levels)]
    share = _SHARE_OF_FEW if len(levels) == _FEWEST else _SHARE
    return max(steps) <= share * sum(steps)
