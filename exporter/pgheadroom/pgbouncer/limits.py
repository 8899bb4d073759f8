"""Makes the capacities of a pooler beside its client places: pools, and limits on clients."""

from __future__ import annotations

from pgheadroom.model.capacity import Capacity, CapacityKind, Scope
from pgheadroom.model.pooler import PoolerFacts


def capacities(facts: PoolerFacts) -> tuple[Capacity, ...]:
    """Return each pool of *facts*, and each database and user that has a limit on its clients."""
    pools = (
        Capacity(
            Scope(CapacityKind.POOL, (pool.database, pool.role)),
            pool.server_connections,
            pool.size,
            pool.reserve,
            waiting=pool.waiting,
            longest_wait_seconds=pool.wait_seconds,
        )
        for pool in facts.pools
    )
    databases = (
        Capacity(Scope(CapacityKind.CLIENTS, ("database", one.name)), one.clients, one.most_clients)
        for one in facts.databases
        if one.most_clients is not None
    )
    users = (
        Capacity(Scope(CapacityKind.CLIENTS, ("user", one.name)), one.clients, one.most_clients)
        for one in facts.users
        if one.most_clients is not None
    )
    return (*pools, *databases, *users)
