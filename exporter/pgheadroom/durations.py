"""Formats and parses durations and times (UTC)."""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, datetime

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_WEEK = 604_800
_LETTERS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": _WEEK}
_TENTHS_BELOW = 10
_STEPS = (
    *(10, 15, 20, 30, 45),
    *(60 * minutes for minutes in (1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45)),
    *(3600 * hours for hours in (1, 1.5, 2, 3, 4, 6, 8, 12, 18)),
    *(86_400 * days for days in (1, 2, 3, 4, 5, 7, 10, 14)),
)


def duration(seconds: float) -> str:
    """Return *seconds* in the largest two units that say something: ``2 h 46 min``."""
    if seconds < _TENTHS_BELOW:
        return f"{round(seconds, 1):g} s"
    remaining = round(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        number, remaining = divmod(remaining, size)
        if parts:
            # The unit below the largest one is the last that is told.
            return " ".join([*parts, f"{number} {unit}"]) if number else parts[0]
        if number:
            parts.append(f"{number} {unit}")
    return parts[0]


_ABOUT = {step: f"about {duration(step)}" for step in _STEPS}


def about(seconds: float) -> str:
    """Return *seconds*, an estimate, without false precision: ``about 20 s``, ``about 2 h``.

    The nearest step of a scale on which each is some 1.2 to 2 times the one before.
    """
    if seconds < _STEPS[0] * 0.8:
        return "a few seconds"
    if seconds > _STEPS[-1]:
        return "weeks"
    place = bisect_left(_STEPS, seconds, 1, len(_STEPS) - 1)
    below, above = _STEPS[place - 1], _STEPS[place]
    return _ABOUT[below if seconds / below <= above / seconds else above]


def about_weeks(seconds: float) -> str:
    """Return *seconds*, an estimate of weeks to come: ``about 5 weeks``; of less, as ``about``."""
    weeks = round(seconds / _WEEK)
    if seconds < _WEEK:
        return about(seconds)
    return "about a week" if weeks == 1 else f"about {weeks} weeks"


def moment(at: float) -> str:
    """Return the time *at*, seconds since the epoch, as ``2026-01-01 05:58:00``, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def seconds_of(text: str) -> float:
    """Read ``90``, ``15s``, ``30m``, ``12h``, ``30d`` or ``2w``; raises ValueError."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw]?)", text.strip(), re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not a time span, such as 15s, 30m, 12h, 30d")
    return float(match[1]) * _LETTERS[match[2] or "s"]


def time_of(text: str) -> float:
    """Read a date or time of ISO 8601 (UTC unless it says otherwise), or seconds of the epoch.

    Raises ValueError.
    """
    if re.fullmatch(r"\d{9,11}(\.\d+)?", text, re.ASCII):
        return float(text)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time, such as 2026-01-31, 2026-01-31T06:30Z, 1767225600"
        ) from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
