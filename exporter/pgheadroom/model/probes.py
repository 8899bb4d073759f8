"""Keeps what probes of one kind showed: the newest, failures by reason, a histogram of times."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from pgheadroom.model.reading import Outcome, Probe

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


class ProbeLog(NamedTuple):
    """All that is known by probes of one kind; empty where there was none."""

    newest: Probe | None = None
    failures: Mapping[Outcome, int] = {}
    durations: Histogram = Histogram()
    """Of those that succeeded."""
    privilege: str = ""
    """Of the newest that succeeded: why it says little about ordinary roles."""

    @property
    def outcome(self) -> Outcome:
        """How the newest ended; OK where there was none, because nothing failed yet."""
        return Outcome.OK if self.newest is None else self.newest.outcome

    def add(self, probe: Probe) -> ProbeLog:
        """Return what is known after *probe*."""
        if probe.outcome is Outcome.OK:
            durations = self.durations.add(probe.seconds)
            return ProbeLog(probe, self.failures, durations, probe.privilege)
        count = self.failures.get(probe.outcome, 0) + 1
        return self._replace(newest=probe, failures={**self.failures, probe.outcome: count})
