"""Converts a pooler's sample to the fields of a recording's line, and back.

``{"time": 1767225600.0, "client_limit": 400, "clients": 151, "connections": [["web", "active",
150]], "pools": [["shop", "app", 20, 5, 12, 3, 0.5]]}``; each pool is ``[database, role, size,
reserve, server connections, waiting, seconds that the oldest waits]``, its size null where nothing
limits it. Where there is something to say: ``logins``, ``told_apart`` (when the connections were),
``wait_timeout_seconds``, ``paused`` (databases), ``all_paused``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgheadroom.model.capacity import Capacity, CapacityKind, Scope
from pgheadroom.model.pooler import Database, Pool, PoolerConfig, PoolerFacts, capacities
from pgheadroom.model.reading import Group, Holders, Sample

Checked = Callable[[str, object], Any]
"""Checks a value that is called so, and returns it; raises RecordingError."""

_DIGITS = 3


def fields_of(sample: Sample) -> dict[str, Any]:
    """Return what a line says of *sample*, but its time."""
    facts, main = sample.pooler, sample.main
    counts: dict[tuple[str, str], int] = {}
    for group in sample.holders.groups:
        key = group.application_name, group.state
        counts[key] = counts.get(key, 0) + group.count
    further = {
        "logins": main.logins,
        "told_apart": None if sample.full else round(sample.holders.at, _DIGITS),
        "wait_timeout_seconds": facts.config.wait_timeout_seconds,
        "paused": [one.name for one in facts.databases if one.paused or one.disabled],
        "all_paused": facts.paused,
    }
    return {
        "client_limit": main.limit,
        "clients": main.used,
        "connections": [[name, state, count] for (name, state), count in counts.items()],
        "pools": [
            [
                *(pool.database, pool.role, pool.size, pool.reserve, pool.server_connections),
                *(pool.waiting, round(pool.wait_seconds, _DIGITS)),
            ]
            for pool in facts.pools
        ],
        **{key: value for key, value in further.items() if value},
    }


def sample_of(
    fields: dict[str, Any],
    at: float,
    groups: tuple[Group, ...],
    counted: Checked,
    worded: Checked,
    seconds: Checked,
) -> Sample:
    """Return the sample that *fields* record; raises what the checks raise, or TypeError.

    *groups* are its connections, which are written as those of a server.
    """
    limit = fields["client_limit"]
    config = PoolerConfig(
        most_clients=0 if limit is None else counted("client_limit", limit),
        wait_timeout_seconds=seconds("wait_timeout_seconds", fields["wait_timeout_seconds"])
        if "wait_timeout_seconds" in fields
        else None,
    )
    facts = PoolerFacts(
        software="",
        version="",
        pools=tuple(_pool(row, counted, worded, seconds) for row in fields.get("pools", ())),
        databases=tuple(
            Database(worded("a name in paused", name), paused=True)
            for name in fields.get("paused", ())
        ),
        config=config,
        paused=bool(fields.get("all_paused")),
    )
    main = Capacity(
        Scope(CapacityKind.CLIENTS),
        counted("clients", fields.get("clients")),
        None if limit is None else config.most_clients,
        logins=counted("logins", fields.get("logins", 0)),
    )
    visible = sum(group.count for group in groups)
    told_apart = seconds("told_apart", fields["told_apart"]) if "told_apart" in fields else at
    holders = Holders(told_apart, visible, groups, complete=True, cost_seconds=0.0)
    return Sample(at, 0.0, main, capacities(facts), holders, facts)


def _pool(row: Any, counted: Checked, worded: Checked, seconds: Checked) -> Pool:  # noqa: ANN401 - foreign
    database, role, size, reserve, servers, waiting, longest = row
    return Pool(
        database=worded("a pool's database", database),
        role=worded("a pool's role", role),
        waiting=counted("a pool's waiting clients", waiting),
        wait_seconds=seconds("a pool's longest wait", longest),
        servers=(("all", counted("a pool's server connections", servers)),),
        size=None if size is None else counted("a pool's size", size),
        reserve=counted("a pool's reserve", reserve),
    )
