"""Yields the points of a pooler's state on each metric that only poolers have."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from pgheadroom.metrics.points import Point
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.names import OTHER
from pgheadroom.model.pooler import Pool, PoolerFacts, busiest_first
from pgheadroom.model.slots import Tier
from pgheadroom.state import State
from pgheadroom.status.figures import exhaustion_seconds

_MOST = 100
"""Pools and databases that have series of their own: anybody who tries to log in may make one."""


def facts_of(state: State) -> PoolerFacts | None:
    """Return what the newest sample of a pooler says; None before there was one."""
    facts = None if state.sample is None else state.sample.facts
    return facts if isinstance(facts, PoolerFacts) else None


def info(state: State) -> Iterator[Point]:
    """Yield what the pooler is, and which target is behind it."""
    facts = facts_of(state)
    if facts is not None:
        yield (facts.software, facts.version, state.serves), 1


def exhaustion(state: State) -> Iterator[Point]:
    """Yield the forecast of when the last place for a client goes."""
    seconds = exhaustion_seconds(state).get(Tier.ORDINARY)
    if seconds is not None:
        yield (), seconds


def limited_clients(what: str, *, limit: bool) -> Callable[[State], Iterator[Point]]:
    """Make the points of each *what* (database or user) with a limit: its clients, or the limit."""

    def points(state: State) -> Iterator[Point]:
        for use in () if state.sample is None else state.sample.limits_of(CapacityKind.CLIENTS):
            if use.scope.name[0] == what and use.limit is not None:
                yield (use.scope.name[1],), use.limit if limit else use.used

    return points


def pools(value: Callable[[Pool], float | None]) -> Callable[[State], Iterator[Point]]:
    """Make the points of a figure of each pool; of more than 100 the busiest, the rest summed."""

    def points(state: State) -> Iterator[Point]:
        facts = facts_of(state)
        rest: float = 0
        for number, pool in enumerate(() if facts is None else busiest_first(facts.pools)):
            figure = value(pool)
            if figure is None:
                continue
            if number < _MOST:
                yield (pool.database, pool.role), figure
            else:
                rest += figure
        if facts is not None and len(facts.pools) > _MOST:
            yield (OTHER, OTHER), rest

    return points


def longest_wait(state: State) -> Iterator[Point]:
    """Yield for how long the oldest client of each pool waits now."""
    facts = facts_of(state)
    if facts is not None:
        ordered = busiest_first(facts.pools)
        for pool in ordered[:_MOST]:
            yield (pool.database, pool.role), pool.wait_seconds
        if len(ordered) > _MOST:
            yield (OTHER, OTHER), max(pool.wait_seconds for pool in ordered[_MOST:])


def server_connections(state: State) -> Iterator[Point]:
    """Yield the server connections of each pool by state."""
    facts = facts_of(state)
    if facts is None:
        return
    ordered = busiest_first(facts.pools)
    for pool in ordered[:_MOST]:
        for name, count in pool.servers:
            yield (pool.database, pool.role, name), count
    rest: dict[str, int] = {}
    for pool in ordered[_MOST:]:
        for name, count in pool.servers:
            rest[name] = rest.get(name, 0) + count
    for name, count in rest.items():
        yield (OTHER, OTHER, name), count


def waited(state: State) -> Iterator[Point]:
    """Yield for how long clients of each database have waited, all together."""
    facts = facts_of(state)
    if facts is not None:
        for name, seconds in sorted(facts.waited_seconds, key=lambda one: -one[1])[:_MOST]:
            yield (name,), seconds


def wait_timeout(state: State) -> Iterator[Point]:
    """Yield how long a client may wait before it is disconnected."""
    facts = facts_of(state)
    if facts is not None and not facts.config.from_settings:
        seconds = facts.config.wait_timeout_seconds
        yield (), math.inf if seconds is None else seconds


def paused(state: State) -> Iterator[Point]:
    """Yield 1 for each database that is paused or disabled, 0 for the others."""
    facts = facts_of(state)
    if facts is not None and not facts.config.from_settings:
        ordered = sorted(facts.databases, key=lambda one: not (one.paused or one.disabled))
        for one in ordered[:_MOST]:
            yield (one.name,), float(facts.paused or one.paused or one.disabled)
