"""Follows the queues of a pooler: for how long somebody has waited without a break, and how much.

A queue is first come, first served. So the wait of its oldest client tells how it goes: it grows by
a second each second while nobody is served, more slowly when more arrive than leave, and not at all
in a queue that only stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pgheadroom.model.capacity import Capacity, Scope

_KEPT_SECONDS = 60.0
_MOST = 200
"""Queues that are followed, those with most clients first."""


class Waiting(NamedTuple):
    """A queue at one moment."""

    at: float
    clients: int
    longest_seconds: float
    """For how long the oldest client waits."""


class Queue(NamedTuple):
    """A queue in which somebody has waited without a break."""

    since: float
    """Since when."""
    points: tuple[Waiting, ...]
    """Of the last minute, oldest first; at least one."""

    @property
    def newest(self) -> Waiting:
        """How it is now."""
        return self.points[-1]

    def before(self, seconds: float) -> Waiting:
        """Return how it was so many *seconds* ago, or when it was first seen."""
        since = self.newest.at - seconds
        return next((point for point in self.points if point.at >= since), self.newest)

    def growth(self, seconds: float) -> float:
        """Return by how much the longest wait grew in each of the last *seconds*; 0 at first."""
        then = self.before(seconds)
        observed = self.newest.at - then.at
        return (self.newest.longest_seconds - then.longest_seconds) / observed if observed else 0.0

    def add(self, point: Waiting) -> Queue:
        """Return the queue with one more *point*."""
        kept = tuple(one for one in self.points if 0 <= point.at - one.at <= _KEPT_SECONDS)
        return Queue(self.since, (*kept, point))


Queues = Mapping[Scope, Queue]


def followed(queues: Queues, pools: Iterable[Capacity], at: float) -> Queues:
    """Return *queues* as they are *at* that time, when *pools* were seen; empty ones are gone."""
    waiting = sorted(
        (pool for pool in pools if pool.waiting), key=lambda pool: (-pool.waiting, pool.scope.name)
    )
    after: dict[Scope, Queue] = {}
    for pool in waiting[:_MOST]:
        queue = queues.get(pool.scope)
        longest = pool.longest_wait_seconds
        if queue is not None and longest == 0:
            # Before the first login of a pool PgBouncer has clients wait and tells no time.
            longest = max(0.0, at - queue.since)
        point = Waiting(at, pool.waiting, longest)
        after[pool.scope] = Queue(at, (point,)) if queue is None else queue.add(point)
    return after
