"""Shows a pooler, and a server's poolers, in JSON's own types."""

from __future__ import annotations

from pgheadroom.judge.rules.overcommit import arithmetic, overcommitted_slots
from pgheadroom.model.capacity import Capacity, CapacityKind
from pgheadroom.model.pooler import PoolerFacts, busiest_first
from pgheadroom.model.pooling import PoolerUse
from pgheadroom.state import State
from pgheadroom.web.json_values import View

_MOST_POOLS = 50
_MOST_WAITING = 10


def pooler_view(state: State, facts: PoolerFacts) -> View:
    """Return what only a pooler has: its pools, the busiest first, and what is paused."""
    return {
        "software": facts.software,
        "version": facts.version,
        "serves": state.serves or None,
        "limits_from_settings": facts.config.from_settings,
        "pause_known": facts.pause_known,
        "paused": facts.paused,
        "paused_databases": [one.name for one in facts.databases if one.paused or one.disabled],
        "wait_timeout_seconds": facts.config.wait_timeout_seconds,
        "pools": [
            {
                "database": pool.database,
                "role": pool.role,
                "mode": pool.mode,
                "clients": pool.active,
                "waiting": pool.waiting,
                "wait_seconds": pool.wait_seconds,
                "server_connections": pool.server_connections,
                "size": pool.size,
                "reserve": pool.reserve,
            }
            for pool in busiest_first(facts.pools)[:_MOST_POOLS]
        ],
        "client_limits": [
            {
                "of": use.scope.name[0],
                "name": use.scope.name[1],
                "limit": use.limit,
                "used": use.used,
            }
            for use in _client_limits(state)
        ],
        "more_pools": max(0, len(facts.pools) - _MOST_POOLS),
    }


def _client_limits(state: State) -> list[Capacity]:
    """Return the fullest limits on clients of databases and users."""
    uses = [] if state.sample is None else state.sample.limits_of(CapacityKind.CLIENTS)
    return sorted(uses, key=lambda use: -use.used / max(1, use.limit or 1))[:_MOST_POOLS]


def pooling_view(state: State) -> View | None:
    """Return what a server has to do with its poolers; None where there are none.

    ``committed``, ``ceiling`` and ``overcommitted`` are null where nothing limits them, and
    ``pooled`` and ``direct`` where it is not known whose a slot is.
    """
    pooling = state.pooling
    if pooling is None or not pooling.uses:
        return None
    over = overcommitted_slots(state)
    return {
        "poolers": [_use(use) for use in pooling.uses],
        "direct": pooling.direct,
        "direct_highest": state.direct.highest,
        "overcommitted": over,
        "verdict": arithmetic(state, over),
    }


def _use(use: PoolerUse) -> View:
    return {
        "pooler": use.pooler,
        "pooled": use.pooled,
        "committed": use.committed,
        "reserve": use.reserve,
        "ceiling": use.ceiling,
        "unbounded_by": use.unbounded_by,
        "replicas": use.replicas,
        "pools": use.pools,
        "waiting": [
            {"application_name": name, "clients": count}
            for name, count in use.waiting[:_MOST_WAITING]
        ],
    }
