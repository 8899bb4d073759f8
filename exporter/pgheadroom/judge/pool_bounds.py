"""Computes how many server connections a pooler may open: over its pools, or over all it admits.

The rules are those of ``launch_new_connection()`` in PgBouncer's src/objects.c: a pool opens at
most its size and its reserve; all pools of a database at most ``max_db_connections``, all pools of
a role at most ``max_user_connections``. A pool opens a connection only while a client waits, so
none grows beyond ``max_client_conn``; but idle connections stay for ``server_idle_timeout``, so
all pools together may. A cancel request may take one more for a moment; it is not counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from pgheadroom.model.pooler import Database, Pool, PoolerFacts, User

_SOURCE, _SINK = ("source", ""), ("sink", "")

Node = tuple[str, str]


class Cap(NamedTuple):
    """What one pool may open."""

    database: str
    role: str
    most: int | None
    """None where nothing limits it."""


class Bound(NamedTuple):
    """What several pools may open together."""

    most: int | None
    """None where nothing limits it ..."""
    unbounded_by: str = ""
    """... and the setting that would."""


def committed(facts: PoolerFacts, databases: Iterable[str], *, reserve: bool = True) -> Bound:
    """Return what the pools that exist of *databases* may open, with or without their *reserve*."""
    wanted = frozenset(databases)
    caps = tuple(
        Cap(pool.database, pool.role, _most(facts, pool.size, pool.reserve if reserve else 0))
        for pool in facts.pools
        if pool.database in wanted
    )
    return _bound(caps, facts)


def ceiling(facts: PoolerFacts, databases: Iterable[str]) -> Bound:
    """Return what the settings admit for *databases*: a pool for every role that may log in.

    Databases that a wildcard would add are not known, and not counted.
    """
    wanted = frozenset(databases)
    # SHOW USERS names those that are forced, too; they log in nowhere else, as far as is known.
    forced = {one.forced_role for one in facts.databases if one.forced_role}
    free = {one.name for one in facts.databases if not one.forced_role}
    forced -= {pool.role for pool in facts.pools if pool.database in free}
    roles = {user.name: user for user in facts.users if user.name not in forced}
    roles |= {
        pool.role: User(pool.role) for pool in facts.pools if pool.role not in {*roles, *forced}
    }
    caps: list[Cap] = []
    for entry in facts.databases:
        if entry.name not in wanted:
            continue
        if not entry.forced_role and facts.config.any_role and entry.most_connections is None:
            return Bound(None, "max_db_connections")
        caps += _admitted(facts, entry, roles)
    return _bound(tuple(caps), facts)


def _admitted(facts: PoolerFacts, entry: Database, roles: Mapping[str, User]) -> Iterator[Cap]:
    if entry.forced_role:
        names = [entry.forced_role]
    else:
        names = [name for name in roles if name not in facts.config.console_users]
    if not entry.forced_role and facts.config.any_role:
        # Roles that nobody knows yet share what the database may have.
        yield Cap(entry.name, "", entry.most_connections)
    for name in names:
        user = roles.get(name, User(name))
        size = entry.size if user.size is None else user.size or None
        reserve = entry.reserve if user.reserve is None else user.reserve
        yield Cap(entry.name, name, _most(facts, size, reserve))


def _most(facts: PoolerFacts, size: int | None, reserve: int) -> int | None:
    clients = facts.config.most_clients
    if size is None:
        return clients or None
    return min(size + reserve, clients) if clients else size + reserve


def _bound(caps: tuple[Cap, ...], facts: PoolerFacts) -> Bound:
    databases = {
        one.name: one.most_connections
        for one in facts.databases
        if one.most_connections is not None
    }
    users = {
        one.name: one.most_connections for one in facts.users if one.most_connections is not None
    }
    everyones = facts.config.most_connections_of_a_user
    if everyones is not None and not facts.users_known:  # up to 1.22 SHOW USERS has no limits
        users = {cap.role: everyones for cap in caps}
    if any(
        cap.most is None and cap.database not in databases and cap.role not in users for cap in caps
    ):
        return Bound(None, "default_pool_size or max_db_connections")
    if not databases and not users:
        return Bound(sum(cap.most or 0 for cap in caps))
    return Bound(most_together(caps, tuple(databases.items()), tuple(users.items())))


@lru_cache(maxsize=256)
def most_together(
    caps: tuple[Cap, ...],
    databases: tuple[tuple[str, int], ...],
    roles: tuple[tuple[str, int], ...],
) -> int:
    """Return how many connections *caps* allow together, given limits of *databases* and *roles*.

    A maximum flow from databases to roles, by shortest augmenting paths (Edmonds and Karp): the
    smaller of two sums would be too high where limits of both kinds hold at once.
    """
    room = _network(caps, dict(databases), dict(roles))
    total = 0
    while path := _shortest(room):
        step = min(room[at][to] for at, to in path)
        for at, to in path:
            room[at][to] -= step
            room[to][at] = room[to].get(at, 0) + step
        total += step
    return total


def _network(
    caps: tuple[Cap, ...], databases: Mapping[str, int], roles: Mapping[str, int]
) -> dict[Node, dict[Node, int]]:
    known = [cap.most for cap in caps if cap.most is not None]
    # As good as no limit: no flow can be more.
    no_limit = sum(known) + sum(databases.values()) + sum(roles.values())
    room: dict[Node, dict[Node, int]] = {_SOURCE: {}, _SINK: {}}
    for cap in caps:
        database, role = ("database", cap.database), ("role", cap.role)
        room[_SOURCE][database] = databases.get(cap.database, no_limit)
        room.setdefault(database, {})[role] = no_limit if cap.most is None else cap.most
        room.setdefault(role, {})[_SINK] = roles.get(cap.role, no_limit)
    return room


def _shortest(room: Mapping[Node, Mapping[Node, int]]) -> list[tuple[Node, Node]]:
    """Return the edges of a shortest path that has room left; empty where there is none."""
    came_from: dict[Node, Node] = {_SOURCE: _SOURCE}
    queue = deque([_SOURCE])
    while queue and _SINK not in came_from:
        at = queue.popleft()
        for to, left in room[at].items():
            if left > 0 and to not in came_from:
                came_from[to] = at
                queue.append(to)
    path: list[tuple[Node, Node]] = []
    at = _SINK
    while at in came_from and at != _SOURCE:
        path.append((came_from[at], at))
        at = came_from[at]
    return path


def pools_of(facts: PoolerFacts, databases: Iterable[str]) -> tuple[Pool, ...]:
    """Return the pools of *databases*."""
    wanted = frozenset(databases)
    return tuple(pool for pool in facts.pools if pool.database in wanted)
