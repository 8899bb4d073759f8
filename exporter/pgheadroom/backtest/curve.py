"""Thins a history's connections by application to a series small enough to draw.

Every sample is kept, as numbers in arrays (some 60 bytes a sample); ``thinned`` reduces them to two
a pixel column, the lowest and the highest, so that no peak is lost.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

REST = "all others"

_GAP_BEATS = 5  # a pause longer than this many usual ones is a gap


@dataclass(frozen=True, slots=True)
class Point:
    """The connections at one moment."""

    at: float
    counts: tuple[int, ...]
    """By application, in the order of ``Picture.names``."""
    ordinary: int
    """The limit for ordinary roles."""
    most: int
    """``max_connections``."""

    @property
    def used(self) -> int:
        """Connections of all applications."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Picture:
    """A stretch of a history, thinned."""

    start: float
    end: float
    names: tuple[str, ...]
    """Applications, the steadiest first; ``REST`` before them all where there are too many."""
    summed: bool
    """Whether the first of the names is ``REST``."""
    runs: tuple[tuple[Point, ...], ...]
    """Points without a gap between them; gaps are between the runs."""


@dataclass(slots=True)
class UsageSeries:
    """The samples of one history."""

    times: array[float] = field(default_factory=lambda: array("d"))
    ordinary: array[int] = field(default_factory=lambda: array("l"))
    most: array[int] = field(default_factory=lambda: array("l"))
    used: array[int] = field(default_factory=lambda: array("l"))
    counts: dict[str, array[int]] = field(default_factory=dict)
    """Connections by application; short when it was not there in the end."""
    broken: list[int] = field(default_factory=list)
    """Positions of the samples that follow a failed reading."""

    def add(
        self, at: float, counts: Mapping[tuple[str, str], int], ordinary: int, most: int
    ) -> None:
        """Take a sample: *counts* by (application, state)."""
        totals: dict[str, int] = {}
        for (name, _), count in counts.items():
            totals[name] = totals.get(name, 0) + count
        for name, total in totals.items():
            if name not in self.counts:
                self.counts[name] = array("l")
            column = self.counts[name]
            column.extend([0] * (len(self.times) - len(column)))
            column.append(total)
        self.times.append(at)
        self.used.append(sum(totals.values()))
        self.ordinary.append(ordinary)
        self.most.append(most)

    def gap(self) -> None:
        """Note that a reading failed: no line is drawn from the last sample to the next."""
        if not self.broken or self.broken[-1] != len(self.times):
            self.broken.append(len(self.times))

    def thinned(
        self,
        columns: int,
        names: int,
        start: float,
        end: float,
        like: Picture | None = None,
    ) -> Picture:
        """Return what lies from *start* to *end*, in at most two points for each of *columns*.

        The *names* applications with the highest peaks are told apart, the rest is summed; or as
        in a picture that this one is to be *like*.
        """
        first, last = bisect_left(self.times, start), bisect_right(self.times, end)
        spans = {n: _span(column[first:last]) for n, column in self.counts.items()}
        drawn = sorted((n for n in spans if spans[n][1]), key=lambda n: (-spans[n][1], n))
        named = drawn if len(drawn) <= names else drawn[: names - 1]
        summed = len(named) < len(drawn)
        # Who moves least lies at the bottom, so that who grows is seen to grow.
        named.sort(key=lambda n: (spans[n][1] - spans[n][0], n))
        if like is not None:
            summed, named = like.summed, list(like.names[like.summed :])
        runs: list[list[Point]] = []
        starts = iter([*self._starts(first, last), last])
        next_start = first
        for index in self._kept(first, last, columns, start, end):
            if index >= next_start:
                runs.append([])
                while next_start <= index:
                    next_start = next(starts, last + 1)
            runs[-1].append(self._point(index, named, summed=summed))
        return Picture(
            start=start,
            end=end,
            names=(*([REST] if summed else []), *named),
            summed=summed,
            runs=tuple(tuple(run) for run in runs),
        )

    def _starts(self, first: int, last: int) -> list[int]:
        """Return the positions before which there is a gap, in order."""
        pauses = [self.times[i] - self.times[i - 1] for i in range(first + 1, last)]
        if not pauses:
            return []
        most = _GAP_BEATS * sorted(pauses)[len(pauses) // 2]
        gaps = {first + 1 + i for i, pause in enumerate(pauses) if pause > most}
        return sorted(gaps.union(i for i in self.broken if first < i < last))

    def _kept(self, first: int, last: int, columns: int, start: float, end: float) -> Iterator[int]:
        """Yield the lowest and the highest sample of each column, in order of time."""
        width = (end - start) / columns or 1.0
        index = first
        while index < last:
            beyond = start + width * (int((self.times[index] - start) / width) + 1)
            until = max(index + 1, bisect_left(self.times, beyond, index, last))
            span = range(index, until)
            yield from sorted(
                {min(span, key=self.used.__getitem__), max(span, key=self.used.__getitem__)}
            )
            index = until

    def _point(self, index: int, names: list[str], *, summed: bool) -> Point:
        columns = [self.counts[name] for name in names]
        counts = [column[index] if index < len(column) else 0 for column in columns]
        if summed:
            counts.insert(0, self.used[index] - sum(counts))
        return Point(self.times[index], tuple(counts), self.ordinary[index], self.most[index])


def _span(column: array[int]) -> tuple[int, int]:
    return (min(column), max(column)) if column else (0, 0)
