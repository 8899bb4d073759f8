"""Finds where a climb began: how much of its way lies behind it."""

from __future__ import annotations

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


def onset(history: History, used: int, rate: float, now: float, slack: float = 0.0) -> Onset:
    """Return where the climb began that has reached *used* slots *now*.

    It takes *rate* slots a second at present, more than 0. It began at the earliest moment since
    which use rose at half of that pace at least, on average, without having been higher before, by
    more than *slack*.
    """
    found, lowest = Onset(now, float(used)), float(used)
    for begins, ends, bucket in history.backwards():
        if bucket.high > used + slack:
            break
        at, mean = (begins + ends) / 2, bucket.mean
        if mean >= lowest:
            continue
        lowest = mean
        pace = (used - mean) / max(0.5, now - at)
        if pace >= _SLOWER * rate:
            found = Onset(at, mean)
        elif pace < _FAR_SLOWER * rate:
            break
    return found
