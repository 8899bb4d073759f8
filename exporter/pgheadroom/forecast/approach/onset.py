"""Finds where a climb began: how much of its way lies behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pgheadroom.forecast.history import History

_SLOWER = 0.5
"""What was taken at less than this share of the present pace was another climb, or none."""
_FAR_SLOWER = 0.25
"""Where the mean pace since then is below this share of the present one, nothing more is found."""


class Onset(NamedTuple):
    """Where a climb began."""

    at: float
    """In seconds since the epoch."""
    level: float
    """Slots that were in use then."""


def onset(history: History, used: int, rate: float, now: float) -> Onset:
    """Return where the climb began that has reached *used* slots *now*.

    It takes *rate* slots a second at present, more than 0. It began at the earliest moment since
    which use rose at half of that pace at least, on average, without having been higher before.
    """
    found, lowest = Onset(now, float(used)), float(used)
    for at, mean, high in _stretches(history):
        if high > used:
            break
        if mean >= lowest:
            continue
        lowest = mean
        pace = (used - mean) / max(0.5, now - at)
        if pace >= _SLOWER * rate:
            found = Onset(at, mean)
        elif pace < _FAR_SLOWER * rate:
            break
    return found


def _stretches(history: History) -> Iterator[tuple[float, float, int]]:
    """Yield the middle of each stretch, its mean and its highest use; the newest first."""
    known_from = float("inf")
    for number, rung in enumerate(history.rungs):
        for bucket in reversed(rung):
            begins, ends = bucket.nth << number, (bucket.nth + 1) << number
            if ends > known_from:
                continue
            yield (begins + ends) / 2, bucket.total / bucket.samples, bucket.high
            known_from = begins
