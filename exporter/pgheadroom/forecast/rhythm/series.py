"""Appends to series of numbers, one for each hour or day, with gaps where nothing is known."""

from __future__ import annotations

UNKNOWN = -1
"""Stands where nobody looked: a daemon that was down knows nothing, which is not zero."""

Series = tuple[int, ...]


def appended(series: Series, gap: int, number: int, most: int) -> Series:
    """Return *series* with *number* after a *gap* of so many unknown ones; the newest *most*."""
    return (*series, *(UNKNOWN,) * min(gap, most), number)[-most:]
