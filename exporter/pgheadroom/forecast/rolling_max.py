"""Keeps the highest use of the last seconds and minutes, which a scrape would miss."""

from __future__ import annotations

from typing import NamedTuple

WINDOWS: tuple[tuple[str, float], ...] = (("15s", 15.0), ("1m", 60.0), ("5m", 300.0))
"""The windows that are exported: label and seconds."""

_LONGEST = max(seconds for _, seconds in WINDOWS)


class RollingMax(NamedTuple):
    """The samples that are, or may yet become, the highest inside a window; oldest first.

    A sample that a later one reached is never again the highest, so each entry is lower than the
    one before it, and there are few.
    """

    entries: tuple[tuple[float, int], ...] = ()

    def add(self, at: float, used: int) -> RollingMax:
        """Return the peaks with one more sample, taken *at* seconds since the epoch.

        Entries that a clock which was set back has left in the future are dropped.
        """
        entries = self.entries
        if entries and entries[-1][0] > at:
            entries = tuple([entry for entry in entries if entry[0] <= at])
        while entries and entries[-1][1] <= used:
            entries = entries[:-1]
        while entries and at - entries[0][0] >= _LONGEST:
            entries = entries[1:]
        return RollingMax((*entries, (at, used)))

    def highest(self, seconds: float, now: float) -> int | None:
        """Return the highest use in the *seconds* before *now*, or None without a sample."""
        for at, used in self.entries:
            if now - at < seconds:
                return used
        return None
