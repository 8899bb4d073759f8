"""Lays out the applications that hold connections, in as many columns as fit."""

from __future__ import annotations

import enum
import math
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from pgheadroom.durations import duration
from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.state import State
from pgheadroom.status.figures import growth_rates, verdicts
from pgheadroom.terminal import bars
from pgheadroom.text import escaped

_LOOKS = {Verdict.STORM: "bold red", Verdict.CLIMBING: "yellow", Verdict.SAWTOOTH: "cyan"}
_SHORT = {"idle in transaction": "in tx", "idle in transaction (aborted)": "failed tx"}
_NAME = 16
"""Least width of a name, in cells."""


class Order(enum.StrEnum):
    """What applications are sorted by."""

    CONNECTIONS = "connections"
    GROWTH = "growth"
    NAME = "name"


class _Row(NamedTuple):
    name: str
    connections: int
    states: str
    growth: float | None
    verdict: Verdict
    oldest: float | None


class _Widths(NamedTuple):
    """Width of each column in cells; 0 leaves the column out."""

    name: int
    bar: int
    states: int
    oldest: int


def table(state: State, width: int, order: Order) -> list[Text]:
    """Return a head and a row for each application of *state*; empty before the first sample."""
    if state.sample is None:
        return []
    limit = state.usage.limit
    rows = _sorted(_rows(state), order)
    widths = _widths(rows, width)
    head = Text(
        _columns(widths, "application", "conns", "", "states", "per min", "verdict"), "bold"
    )
    head.append("   oldest" if widths.oldest else "", "bold")
    return [head, *(_line(row, limit, widths) for row in rows)]


def _rows(state: State) -> list[_Row]:
    applications = state.applications
    kinds: dict[str, list[tuple[int, str]]] = {}
    for (name, kind), count in applications.counts.items():
        kinds.setdefault(name, []).append((-count, kind))
    growth, verdict = growth_rates(state), verdicts(state)
    return [
        _Row(
            escaped(name),
            count,
            ", ".join(f"{-n} {_SHORT.get(k, escaped(k))}" for n, k in sorted(kinds.get(name, []))),
            growth.get(name),
            verdict[name],
            applications.oldest_seconds.get(name),
        )
        for name, count in applications.totals.items()
        if count
    ]


def _sorted(rows: list[_Row], order: Order) -> list[_Row]:
    rows = sorted(rows, key=lambda row: row.name)
    if order is Order.CONNECTIONS:
        rows.sort(key=lambda row: -row.connections)
    elif order is Order.GROWTH:
        rows.sort(key=lambda row: -(row.growth or 0.0))
    return rows


def _widths(rows: list[_Row], width: int) -> _Widths:
    """Divide *width* into columns: figures first, then names, then age, bar and states."""
    longest = max((cell_len(row.name) for row in rows), default=0)
    # Connections, growth and verdict, with the blanks in between.
    room = width - len("  conns  per min  shrinking")
    oldest = len("   oldest") if room >= _NAME + 9 else 0
    room -= oldest
    bar = max(0, min(30, (room - _NAME) // 4)) if room >= _NAME + 20 else 0
    room -= bar + 2 if bar else 0
    name = min(max(_NAME, longest, len("application")), max(8, room * 3 // 5 if bar else room))
    states = max(0, min(room - name - 2, max((len(row.states) for row in rows), default=0)))
    return _Widths(name, bar, states if states >= len("states") else 0, oldest)


def _columns(  # noqa: PLR0913, PLR0917 - the columns
    widths: _Widths, name: str, connections: str, bar: str, states: str, growth: str, verdict: str
) -> str:
    """Return the cells of a row as one line, without the last column."""
    line = f"{_cell(name, widths.name)}  {connections:>5}"
    line += f"  {bar:{widths.bar}}" if widths.bar else ""
    line += f"  {_cell(states, widths.states)}" if widths.states else ""
    return f"{line}  {growth:>7}  {verdict:9}"


def _line(row: _Row, limit: int, widths: _Widths) -> Text:
    style = _LOOKS.get(row.verdict, "")
    bar = bars.share(row.connections, limit, widths.bar)
    growth = "" if row.growth is None else _signed(row.growth * 60)
    columns = row.name, str(row.connections), bar, row.states, growth, str(row.verdict)
    line = Text(_columns(widths, *columns), style)
    if widths.oldest:
        age = "" if row.oldest is None else duration(math.floor(row.oldest)).split(" ")
        line.append(f"{''.join(age[:2]):>9}")
    return line


def _signed(per_minute: float) -> str:
    """Return *per_minute* with its sign, and one decimal below 10."""
    rounded = round(per_minute, 1 if abs(per_minute) < 10 else None)  # noqa: PLR2004 - two digits are enough
    return f"{rounded:+g}" if rounded else "0"


def _cell(words: str, width: int) -> str:
    """Return *words* padded or cut to *width* cells; a cut ends in an ellipsis."""
    if cell_len(words) > width:
        return set_cell_size(words, max(0, width - 1)) + "…"
    return set_cell_size(words, width)
