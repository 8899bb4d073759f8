"""Draws bars and curves of block characters: a capacity by parts, and usage over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from pgheadroom.forecast.history import History
from pgheadroom.model.capacity import Capacity

USED, HIDDEN, FREE, RESERVE = "█", "▓", "░", "▒"
"""The parts of the bar; they differ without colour, too."""

_LEVELS = " ▁▂▃▄▅▆▇█"


def bar(main: Capacity, free: int, width: int, style: str) -> Text:
    """Return *main* as a bar of *width* cells; *free* is how much is free for ordinary clients.

    What is used is in *style*. A part that is not 0 has at least one cell.
    """
    # While the server refuses us, slots that were free in the last sample are in use by now.
    visible = main.used - main.logins
    unseen = main.logins + max(0, (main.free or 0) - free)
    reserve = max(0, (main.limit or 0) + main.reserve - visible - unseen - free)
    parts = (
        (visible, USED, style),
        (unseen, HIDDEN, style),
        (free, FREE, "green"),
        (reserve, RESERVE, "dim"),
    )
    text = Text(no_wrap=True)
    for cells, (_, character, look) in zip(
        _shares([count for count, _, _ in parts], width), parts, strict=True
    ):
        text.append(character * cells, look)
    return text


def share(part: int, whole: int, width: int) -> str:
    """Return *part* of *whole* as a bar of at most *width* cells."""
    return USED * (_shares([part, max(0, whole - part)], width)[0] if width else 0)


def _shares(counts: Sequence[int], width: int) -> list[int]:
    """Divide *width* cells in proportion to *counts*; each that is not 0 gets at least one."""
    whole = max(1, sum(counts))
    cells = [max(1, count * width // whole) if count else 0 for count in counts]
    # The largest part takes the rounding error.
    largest = max(range(len(counts)), key=counts.__getitem__)
    cells[largest] = max(0, cells[largest] + width - sum(cells))
    return cells


def curve(
    history: History, now: float, seconds: float, limit: int, size: tuple[int, int]
) -> list[str]:
    """Return usage of the last *seconds* before *now* as rows of blocks, oldest column first.

    A column shows its highest usage, and is blank without samples. *size* is columns and rows; the
    top of the first row is *limit*.
    """
    columns, rows = size
    step = seconds / columns
    # Columns end at fixed times, so that the curve does not flicker as time passes.
    end = math.ceil(now / step) * step
    highest = [_highest(history, end - (columns - n) * step, step) for n in range(columns)]
    top = len(_LEVELS) - 1
    most = top * rows
    heights = [
        0 if high is None else max(1, min(most, round(high / max(1, limit) * most)))
        for high in highest
    ]
    return [
        "".join(_LEVELS[max(0, min(top, height - top * (rows - 1 - row)))] for height in heights)
        for row in range(rows)
    ]


def _highest(history: History, start: float, width: float) -> int | None:
    """Return the highest usage from *start* for *width* seconds; None without samples."""
    for number, rung in enumerate(history.rungs):
        if rung and rung[0].nth << number < start + width:
            first, end = int(start) >> number, math.ceil(start + width)
            highs = [b.high for b in rung if first <= b.nth and b.nth << number < end]
            return max(highs, default=None)
    return None
