"""Holds how a target's use went: its history, climbs, jumps and cycles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pgheadroom.forecast.climb import EVERY, NARROWEST, Climb, climb, least_jump, typical_range
from pgheadroom.forecast.cycles import Cycles, prominence
from pgheadroom.forecast.history import RUNGS, History, Span
from pgheadroom.forecast.jumps import Jumps


class Usage(NamedTuple):
    """The course of one target, up to its newest sample."""

    history: History = History()
    cycles: Cycles = Cycles()
    jumps: Jumps = Jumps()
    climbs: tuple[Climb | None, ...] = (None,) * RUNGS
    """What shows on each rung of the history."""
    touched: int = 0
    """On how many rungs, from the finest up, the newest sample shows."""
    limit: int = 0
    """Slots for ordinary roles, as of the newest sample."""
    ranges: tuple[float, ...] = (-1.0,) * RUNGS
    """In what range use wandered in a typical bucket of each rung; below 0 where not known yet."""
    totals: Mapping[str, int] = {}
    """Connections by application, as of the newest sample ..."""
    spans: Mapping[str, Span] = {}
    """... and the same as the history takes it; kept, because most samples tell nobody apart."""

    def add(self, at: float, used: int, totals: Mapping[str, int], limit: int) -> Usage:
        """Return the course with one more sample; *limit* is that of ordinary roles."""
        same = totals is self.totals
        spans = self.spans if same else {name: (count, count) for name, count in totals.items()}
        history, touched = self.history.add(at, used, max(0, limit - used), spans)
        ranges = self.ranges
        complete = touched - 1  # on the last rung that it shows on, the newest bucket still grows
        if complete > NARROWEST:
            new = map(typical_range, history.rungs[NARROWEST:complete])
            ranges = (*ranges[:NARROWEST], *new, *ranges[complete:])
        climbs = list(self.climbs)
        for number in range(0, touched, EVERY):
            climbs[number] = climb(history.rungs[number], number, limit, at, ranges)
        return Usage(
            history,
            self.cycles.add(at, used, prominence(limit)),
            self.jumps.add(at, used, least_jump(limit, ranges)),
            tuple(climbs),
            touched,
            limit,
            ranges,
            totals,
            spans,
        )
