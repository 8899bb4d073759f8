"""Turns foreign text into lines of a terminal: escaped, wrapped, cut to width."""

from __future__ import annotations

import textwrap

from rich.text import Text

from pgheadroom.text import escaped


def wrapped(words: str, width: int, most: int, style: str = "") -> list[Text]:
    """Return *words*, escaped, as 1 to *most* lines of *width* cells; a cut ends in an ellipsis."""
    lines = textwrap.wrap(escaped(words), max(1, width), max_lines=most, placeholder=" …")
    return [Text(line, style) for line in lines] or [Text()]


def fitted(line: Text, width: int) -> Text:
    """Return *line* as a single line, cut to *width* cells."""
    line = line.copy()
    line.no_wrap = True
    line.truncate(width, overflow="ellipsis")
    return line


def cut(rows: list[Text], most: int) -> list[Text]:
    """Return at most *most* of *rows*; if some are cut, the last row says how many."""
    if len(rows) <= most:
        return rows
    if most <= 0:
        return []
    return [*rows[: most - 1], Text(f"and {len(rows) - most + 1} more", "dim")]
