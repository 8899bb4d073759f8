"""Remembers how many transactions a server committed, so that load can be told from a leak."""

from __future__ import annotations

from typing import NamedTuple

_STEPS = (15.0, 600.0)
"""Seconds from one point to the next: of the last minutes, and of the last hours."""
_KEPT = 40
"""Points of each."""

Point = tuple[float, int]
"""When, in seconds since the epoch, and how many transactions had been committed by then."""


class Traffic(NamedTuple):
    """Counts of committed transactions: ten minutes in detail, seven hours in outline."""

    fine: tuple[Point, ...] = ()
    coarse: tuple[Point, ...] = ()

    def add(self, at: float, commits: int) -> Traffic:
        """Return the same with one more count; of a counter that fell, nothing is kept."""
        if self.fine and (commits < self.fine[-1][1] or at < self.fine[-1][0]):
            return Traffic(((at, commits),), ((at, commits),))
        fine = _with(self.fine, (at, commits), _STEPS[0])
        if fine is self.fine:
            return self
        return Traffic(fine, _with(self.coarse, (at, commits), _STEPS[1]))

    def rate(self, since: float, until: float) -> float | None:
        """Return the commits a second between the two times, as far as both are known."""
        points = [*(one for one in self.coarse if not self.fine or one < self.fine[0]), *self.fine]
        within = [one for one in points if since - _STEPS[0] <= one[0] <= until]
        if len(within) < 2 or within[-1][0] <= within[0][0]:  # noqa: PLR2004 - a rate needs two
            return None
        (began, first), (ended, last) = within[0], within[-1]
        return (last - first) / (ended - began)


def _with(points: tuple[Point, ...], new: Point, step: float) -> tuple[Point, ...]:
    if points and new[0] - points[-1][0] < step:
        return points
    return (*points[1 - _KEPT :], new)
