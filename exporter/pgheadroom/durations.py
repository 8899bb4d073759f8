"""Formats and parses durations and times (UTC)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_LETTERS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TENTHS_BELOW = 10


def duration(seconds: float) -> str:
    """Return *seconds* in the largest two units that say something: ``2 h 46 min``."""
    if seconds < _TENTHS_BELOW:
        return f"{round(seconds, 1):g} s"
    left = round(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        number, left = divmod(left, size)
        if parts:
            # The unit below the largest one is the last that is told.
            return " ".join([*parts, f"{number} {unit}"]) if number else parts[0]
        if number:
            parts.append(f"{number} {unit}")
    return parts[0]


def moment(at: float) -> str:
    """Return the time *at*, seconds since the epoch, as ``2026-01-01 05:58:00``, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def seconds_of(text: str) -> float:
    """Read ``90``, ``15s``, ``30m``, ``12h``, ``30d`` or ``2w``; raises ValueError."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw]?)", text.strip(), re.ASCII)
    if found is None:
        raise ValueError(f"{text!r} is no time span, such as 15s, 30m, 12h, 30d")
    return float(found[1]) * _LETTERS[found[2] or "s"]


def time_of(text: str) -> float:
    """Read a date or time of ISO 8601 (UTC unless it says otherwise), or seconds of the epoch.

    Raises ValueError.
    """
    if re.fullmatch(r"\d{9,11}(\.\d+)?", text, re.ASCII):
        return float(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time, such as 2026-01-31, 2026-01-31T06:30Z, 1767225600"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
