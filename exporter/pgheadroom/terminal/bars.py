"""Draws slots in characters: a bar of who holds them, and a curve of use."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from pgheadroom.forecast.history import History
from pgheadroom.model.slots import Slots, Tier

USED, HIDDEN, FREE, RESERVE = "█", "▓", "░", "▒"
"""What the bar is made of; told apart without colour, too."""

_LEVELS = " ▁▂▃▄▅▆▇█"


def bar(slots: Slots, free: int, width: int, style: str) -> Text:
    """Return *slots* as a bar of *width* cells, of which *free* can be had by ordinary roles.

    What is used is in *style*. Whatever there is any of has a cell at least.
    """
    # A server that refuses us has given away what was free in the last sample, unseen.
    unseen = slots.hidden + max(0, slots.free(Tier.ORDINARY) - free)
    reserve = max(0, slots.limits.max_connections - slots.visible - unseen - free)
    parts = (
        (slots.visible, USED, style),
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
    """Divide *width* cells by *counts*, at least one for each that is not 0 as far as they go."""
    whole = max(1, sum(counts))
    cells = [max(1, count * width // whole) if count else 0 for count in counts]
    # What is left over, or too much, is the business of the largest.
    largest = max(range(len(counts)), key=counts.__getitem__)
    cells[largest] = max(0, cells[largest] + width - sum(cells))
    return cells


def curve(
    history: History, now: float, seconds: float, limit: int, size: tuple[int, int]
) -> list[str]:
    """Return use in the last *seconds* as rows of blocks, the highest in each column, oldest first.

    *size* is columns and rows; the topmost row ends at *limit*. Where nothing is known, blank.
    """
    columns, rows = size
    step = seconds / columns
    # Columns end at fixed times: else the curve would shiver as time goes by.
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
    """Return the highest use from *start* for *width* seconds; None if nothing is known of it."""
    for number, rung in enumerate(history.rungs):
        if rung and rung[0].nth << number < start + width:
            first, end = int(start) >> number, math.ceil(start + width)
            highs = [b.high for b in rung if first <= b.nth and b.nth << number < end]
            return max(highs, default=None)
    return None
