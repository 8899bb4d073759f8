"""Plays the samples of the past through the same memory as the daemon's; nothing fires by that."""

from __future__ import annotations

from dataclasses import dataclass

from pgheadroom.durations import duration, moment
from pgheadroom.forecast.usage import Usage
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.reading import Recorded, Sample
from pgheadroom.state import State
from pgheadroom.step import Policy, taken_in


@dataclass(frozen=True, slots=True)
class PastSummary:
    """What the samples came to."""

    first: float
    """When the first and the last sample were taken, in seconds since the epoch."""
    last: float
    samples: int
    highest: int
    """The highest use ..."""
    highest_of: int
    """... the limit at that moment ..."""
    highest_at: float
    """... and when that was."""
    limit: int
    """As of the last sample."""


class Past:
    """What was, of one target of *kind*, before *end* (in seconds since the epoch; None: ever).

    Without *names* it is not told who held the connections: a history that calls applications
    otherwise than the daemon does would only confuse them.
    """

    def __init__(
        self,
        policy: Policy,
        end: float | None = None,
        kind: TargetKind = TargetKind.POSTGRES,
        *,
        names: bool = True,
    ) -> None:
        self._policy = policy
        self._end = end
        self._names = names
        self._state = State("past").of(Identity(kind=kind))
        self._summary: PastSummary | None = None
        self.of_another_kind = False
        """Whether there were samples of something else than *kind*, which were left out."""

    @property
    def usage(self) -> Usage:
        """How use went, without what belongs to the last sample alone."""
        return self._state.usage.resting()

    @property
    def summary(self) -> PastSummary | None:
        """What it came to; None without a sample."""
        return self._summary

    def add(self, reading: Recorded) -> None:
        """Take one more reading; what is no sample, or not later than the last one, is left out."""
        if not isinstance(reading, Sample):
            return
        if self._end is not None and reading.at >= self._end:
            return
        if self._summary is not None and reading.at <= self._summary.last:
            return
        if (self._state.kind is TargetKind.PGBOUNCER) is not isinstance(reading.facts, PoolerFacts):
            self.of_another_kind = True
            return
        if not self._names:
            reading = reading._replace(holders=reading.holders._replace(groups=()))
        limit = reading.main.limit
        if limit is not None:  # else there is nothing that could run out
            self._state = taken_in(self._state, reading, self._policy)
            self._summary = _with(self._summary, reading.at, reading.main.used, limit)


def _with(before: PastSummary | None, at: float, used: int, limit: int) -> PastSummary:
    if before is None:
        return PastSummary(at, at, 1, used, limit, at, limit)
    higher = used > before.highest
    return PastSummary(
        before.first,
        at,
        before.samples + 1,
        used if higher else before.highest,
        limit if higher else before.highest_of,
        at if higher else before.highest_at,
        limit,
    )


def told(summary: PastSummary, limit: int = 0) -> list[str]:
    """Return the *summary* in lines; *limit* is what the server has now, 0 where not known."""
    span = duration(summary.last - summary.first)
    highest = f"{summary.highest} of {summary.highest_of} in use"
    lines = [
        f"from     {moment(summary.first)} to {moment(summary.last)} UTC, {span}",
        f"samples  {summary.samples:,}",
        f"highest  {highest}, at {moment(summary.highest_at)} UTC",
    ]
    if limit and limit != summary.limit:
        lines.append(f"limit    was {summary.limit} at its end, and is {limit} now")
    return lines
