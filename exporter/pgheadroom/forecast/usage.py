"""Holds how one capacity is used: history, climbs, jumps, cycles, trends and forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pgheadroom.forecast.application_trends import ApplicationTrends
from pgheadroom.forecast.climb import EVERY, NARROWEST, Climb, climb, least_jump, typical_range
from pgheadroom.forecast.cycles import Cycles, prominence
from pgheadroom.forecast.forecast import Forecast
from pgheadroom.forecast.history import RUNGS, History, Span
from pgheadroom.forecast.jumps import Jumps
from pgheadroom.forecast.rhythm.outgrown import Outgrown, next_outgrown
from pgheadroom.forecast.rhythm.rhythm import Rhythm
from pgheadroom.forecast.rolling_max import RollingMax

_DAY_SECONDS = 86400.0


class Usage(NamedTuple):
    """How one capacity is used, up to its newest sample."""

    history: History = History()
    cycles: Cycles = Cycles()
    jumps: Jumps = Jumps()
    climbs: tuple[Climb | None, ...] = (None,) * RUNGS
    """What shows on each rung of the history."""
    touched: int = 0
    """On how many rungs, from the finest up, the newest sample shows."""
    used: int = 0
    """As of the newest sample."""
    limit: int = 0
    """What ordinary clients may take, as of the newest sample."""
    ranges: tuple[float, ...] = (-1.0,) * RUNGS
    """In what range use wandered in a typical bucket of each rung; below 0 where not known yet."""
    totals: Mapping[str, int] = {}
    """Connections by application, as of the newest sample ..."""
    spans: Mapping[str, Span] = {}
    """... and the same as the history takes it; most samples have no new breakdown."""
    recent_max: RollingMax = RollingMax()
    """Empty where counts are an estimate: a peak of what may be parallel workers would say that
    slots ran out when none did."""
    trends: ApplicationTrends = ApplicationTrends()
    forecasts: tuple[Forecast, ...] = ()
    """Ways in which the limit may be reached, soonest first; as of when they were last made."""
    rhythm: Rhythm = Rhythm()
    """What is usual at each hour of the week, and the peaks of days."""
    outgrown: Outgrown | None = None
    """Which weekday's peaks grow until they reach the limit; looked at once a day."""

    def add(
        self, at: float, used: int, totals: Mapping[str, int], limit: int, *, exact: bool = True
    ) -> Usage:
        """Return the usage with one more sample: *used* of *limit*, and *totals* by application.

        Not its forecasts: those are made when the judge asks for them.
        """
        same = totals is self.totals
        spans = self.spans if same else {name: (count, count) for name, count in totals.items()}
        history, touched = self.history.add(at, used, max(0, limit - used), spans)
        ranges = self._ranges(history, touched)
        climbs = list(self.climbs)
        for number in range(0, touched, EVERY):
            climbs[number] = climb(history.rungs[number], number, limit, at, ranges)
        rhythm, outgrown = self.rhythm.add(at, used), self.outgrown
        if rhythm.peaks is not self.rhythm.peaks or limit != self.limit:
            outgrown = next_outgrown(outgrown, rhythm, limit, at)
        return Usage(
            history,
            self.cycles.add(at, used, prominence(limit)),
            self.jumps.add(at, used, least_jump(limit, ranges)),
            tuple(climbs),
            touched,
            used,
            limit,
            ranges,
            totals,
            spans,
            self.recent_max.add(at, used) if exact else RollingMax(),
            self.trends.update(history, touched),
            self.forecasts,
            rhythm,
            outgrown,
        )

    @property
    def known_since(self) -> float | None:
        """When the first sample that it tells of was taken, or a little before; None if empty."""
        known, by_days = self.history.known_since, self.rhythm.known_since
        # The rhythm knows days and hours as a whole: it only tells of more than the history does.
        if known is None or by_days is None or known - by_days <= _DAY_SECONDS:
            return known
        return by_days

    def resting(self) -> Usage:
        """Return the usage without what belongs to the newest sample alone."""
        return self._replace(touched=0, totals={}, spans={}, recent_max=RollingMax())

    def with_older(self, older: Usage) -> Usage:
        """Return the usage after all samples of *older* and then all of this one.

        Those of *older* were taken before any of these. What is known of these stays as exact as
        it is; forecasts are those that were made last.
        """
        newest = self.history.rungs[0][-1:]
        if not newest:
            return older.resting()
        if not older.history.rungs[0]:
            return self
        history = self.history.with_older(older.history)
        ranges = (*self.ranges[:NARROWEST], *map(typical_range, history.rungs[NARROWEST:]))
        at = float(newest[0].nth)
        climbs = list(self.climbs)
        for number in range(0, RUNGS, EVERY):
            if history.rungs[number] != self.history.rungs[number]:
                climbs[number] = climb(history.rungs[number], number, self.limit, at, ranges)
        means = [(start, round(one.mean)) for start, _, one in self.history.stretches()]
        rhythm = self.rhythm.with_older(older.rhythm)
        return self._replace(
            rhythm=rhythm,
            history=history,
            cycles=self.cycles.with_older(older.cycles, prominence(self.limit)),
            jumps=self.jumps.with_older(older.jumps, means, least_jump(self.limit, ranges)),
            climbs=tuple(climbs),
            ranges=ranges,
            trends=self.trends.of_other_history(),
        )

    def _ranges(self, history: History, touched: int) -> tuple[float, ...]:
        complete = touched - 1  # on the last rung that it shows on, the newest bucket still grows
        if complete <= NARROWEST:
            return self.ranges
        new = map(typical_range, history.rungs[NARROWEST:complete])
        return (*self.ranges[:NARROWEST], *new, *self.ranges[complete:])
