"""Keeps what canary logins showed: the newest, failures by reason, a histogram of times."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from pgheadroom.model.reading import Outcome, Visit

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, in seconds; they are part of the metric's interface."""


class Histogram(NamedTuple):
    """A histogram as Prometheus means it: each bucket counts what the smaller ones do, too."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    """How many took no longer than each of BOUNDS; the last one is all of them."""
    total_seconds: float = 0.0

    def add(self, seconds: float) -> Histogram:
        """Return the histogram with one more, that took *seconds*."""
        first = bisect_left(BOUNDS, seconds)
        counts = tuple(count + (nth >= first) for nth, count in enumerate(self.counts))
        return Histogram(counts, self.total_seconds + seconds)


class CanaryLog(NamedTuple):
    """All that is known by canary logins; empty for a target without a canary."""

    newest: Visit | None = None
    failures: Mapping[Outcome, int] = {}
    durations: Histogram = Histogram()
    """Of those logins that got in."""
    privilege: str = ""
    """As the newest login that got in had it: what makes it say little of ordinary roles."""

    def add(self, visit: Visit) -> CanaryLog:
        """Return what is known after *visit*."""
        if visit.outcome is Outcome.OK:
            durations = self.durations.add(visit.seconds)
            return CanaryLog(visit, self.failures, durations, visit.privilege)
        count = self.failures.get(visit.outcome, 0) + 1
        return self._replace(newest=visit, failures={**self.failures, visit.outcome: count})
