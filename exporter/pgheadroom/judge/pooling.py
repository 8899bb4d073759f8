"""Finds out which poolers are in front of a server, which slots are theirs, and what they may take.

A pooler's server connection and a server's session are the same when process and port agree: that
proves, too, which server is behind the pooler. Where there is no proof, the address tells, and
else the setting ``serves``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pgheadroom.judge.pool_bounds import ceiling, committed, pools_of
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.pooling import PoolerUse, Pooling
from pgheadroom.model.postgres import Backend, PostgresFacts
from pgheadroom.model.reading import Outcome
from pgheadroom.state import State


class _Pooler(NamedTuple):
    state: State
    facts: PoolerFacts


def pooling(state: State, others: Iterable[State], now: float) -> Pooling | None:
    """Return what the target of *state* has to do with *others*; None where there is nothing."""
    if state.kind is TargetKind.POSTGRES:
        known = tuple(others)
        unread = any(one.kind is not TargetKind.POSTGRES and one.sample is None for one in known)
        return _of_server(state, _poolers(known), now, unread=unread)
    return _of_pooler(state, others, now)


def _poolers(states: Iterable[State]) -> list[_Pooler]:
    return [
        _Pooler(one, one.sample.facts)
        for one in states
        if one.sample is not None and isinstance(one.sample.facts, PoolerFacts)
    ]


def _backends(state: State) -> tuple[Backend, ...]:
    facts = None if state.sample is None else state.sample.facts
    return facts.backends if isinstance(facts, PostgresFacts) else ()


def _of_server(state: State, poolers: list[_Pooler], now: float, *, unread: bool) -> Pooling | None:
    if not poolers or state.sample is None:
        return None
    backends = _backends(state)
    uses = [use for pooler in poolers if (use := _use(state, backends, pooler)) is not None]
    pooled = [use.pooled for use in uses]
    known = [count for count in pooled if count is not None]
    direct = None
    # Slots of a process that nobody watches, or that was not read yet, are nobody's direct use.
    hidden = unread or any(use.replicas > 1 for use in uses)
    if len(known) == len(pooled) and not hidden:
        direct = max(0, state.sample.main.used - sum(known))
    return Pooling(now, tuple(uses), direct)


def _of_pooler(state: State, others: Iterable[State], now: float) -> Pooling | None:
    poolers = _poolers([state])
    if not poolers:
        return None
    serves = tuple(
        other.target
        for other in others
        if other.kind is TargetKind.POSTGRES and _databases(other, _backends(other), poolers[0])
    )
    return Pooling(now, serves=serves)


def _databases(server: State, backends: tuple[Backend, ...], pooler: _Pooler) -> frozenset[str]:
    """Return the entries of *pooler* that lead to *server*."""
    proven = {
        link.database for link in pooler.facts.links if (link.pid, link.port) in set(backends)
    }
    entries = pooler.facts.databases
    places = {one.address for one in entries if one.name in proven and one.address}
    places.add(server.address.partition("#")[0])
    addressed = {one.name for one in entries if one.address and one.address in places}
    found = frozenset(proven | addressed)
    # What the connections prove counts more than what the settings say.
    elsewhere = bool(pooler.facts.links and backends) and not found
    if pooler.state.configured_serves != server.target or elsewhere:
        return found
    return found | {one.name for one in entries}


def _use(server: State, backends: tuple[Backend, ...], pooler: _Pooler) -> PoolerUse | None:
    state, facts = pooler
    databases = _databases(server, backends, pooler)
    if not databases:
        return None
    most, plain = committed(facts, databases), committed(facts, databases, reserve=False)
    highest = ceiling(facts, databases)
    times = state.replicas
    return PoolerUse(
        pooler=state.target,
        pooled=_pooled(backends, databases, pooler),
        committed=None if most.most is None else most.most * times,
        ceiling=None if highest.most is None else highest.most * times,
        reserve=0 if most.most is None or plain.most is None else (most.most - plain.most) * times,
        unbounded_by=highest.unbounded_by,
        replicas=times,
        pools=len(pools_of(facts, databases)),
        waiting=_waiting(state),
    )


def _pooled(
    backends: tuple[Backend, ...], databases: frozenset[str], pooler: _Pooler
) -> int | None:
    """Return how many slots are held by server connections of *databases*.

    An entry with one host leads to one server, so all of its connections are there: they are
    counted each second. Of an entry with several hosts those count whose process is found there.
    """
    state, facts = pooler
    if state.outcome is not Outcome.OK:
        return None
    single = {one.name for one in facts.databases if one.name in databases and one.address}
    pids = {pid for pid, _ in backends}
    spread = [link for link in facts.links if link.database in databases - single]
    if spread and not pids:
        return None
    return sum(pool.server_connections for pool in facts.pools if pool.database in single) + sum(
        link.pid in pids for link in spread
    )


def _waiting(state: State) -> tuple[tuple[str, int], ...]:
    counts = [
        (name, count)
        for (name, kind), count in state.applications.counts.items()
        if kind == "waiting"
    ]
    return tuple(sorted(counts, key=lambda one: (-one[1], one[0])))
