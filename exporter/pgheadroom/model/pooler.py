"""Defines the facts of a sample that only a pooler has: its pools, databases, users and servers."""

from __future__ import annotations

from typing import NamedTuple

from pgheadroom.model.capacity import Capacity, CapacityKind, Scope


class Pool(NamedTuple):
    """The server connections that one role has to one database, and the clients that use them."""

    database: str
    role: str
    """The role that logs in to the server: the forced one where the database forces one."""
    mode: str = ""
    """When a server connection goes back: session, transaction or statement."""
    active: int = 0
    """Clients that are linked to a server connection, or idle between two transactions."""
    waiting: int = 0
    """Clients that have sent a query and have no server connection yet."""
    wait_seconds: float = 0.0
    """For how long the oldest of them waits now."""
    servers: tuple[tuple[str, int], ...] = ()
    """Server connections by state: active, idle, used, tested, login, cancel."""
    size: int | None = None
    """How many server connections it may open; None where nothing limits it."""
    reserve: int = 0
    """How many more it may open for clients that have waited for reserve_pool_timeout."""

    @property
    def server_connections(self) -> int:
        """How many server connections it holds; each takes a slot, whatever its state."""
        return sum(count for _, count in self.servers)


class Database(NamedTuple):
    """One entry of the section ``[databases]``, or one that a wildcard has made."""

    name: str
    host: str = ""
    """Empty for a Unix socket; several are separated by commas."""
    port: int = 5432
    forced_role: str = ""
    """The role that logs in to the server, whoever the client is; empty for the client's own."""
    size: int | None = None
    """The size of its pools, where the role has none of its own; None where nothing limits it."""
    reserve: int = 0
    most_connections: int | None = None
    """``max_db_connections``: all its pools together; None where nothing limits it."""
    connections: int = 0
    most_clients: int | None = None
    """``max_db_client_connections`` (PgBouncer 1.24 and newer); None where nothing limits it."""
    clients: int = 0
    paused: bool = False
    disabled: bool = False
    address: str = ""
    """Where it leads, as the address of a target is written; empty where that is not clear."""


class User(NamedTuple):
    """A role as PgBouncer knows it, from its settings or because it has logged in."""

    name: str
    size: int | None = None
    """The size of its pools, which goes before the database's; None where it has none."""
    reserve: int | None = None
    """The same for the reserve."""
    most_connections: int | None = None
    """``max_user_connections``: server connections to all databases; None for no limit."""
    connections: int = 0
    most_clients: int | None = None
    """``max_user_client_connections`` (PgBouncer 1.24 and newer); None for no limit."""
    clients: int = 0


class Link(NamedTuple):
    """One server connection as PostgreSQL sees it, too: enough to find its slot."""

    database: str
    role: str
    pid: int
    """The process of the server at the other end."""
    port: int
    """Of the pooler's end of the connection; below 1 for a Unix socket."""


class PoolerConfig(NamedTuple):
    """The settings that bound what a pooler may do."""

    most_clients: int = 0
    """``max_client_conn``."""
    size: int | None = None
    """``default_pool_size``; None for no limit (0, PgBouncer 1.24 and newer)."""
    reserve: int = 0
    most_connections_of_a_database: int | None = None
    """``max_db_connections``; None for no limit."""
    most_connections_of_a_user: int | None = None
    """``max_user_connections``; None for no limit."""
    wait_timeout_seconds: float | None = None
    """``query_wait_timeout``: a client that waited this long is disconnected; None for never."""
    any_role: bool = False
    """Roles that are in no file may log in: by auth_query, or because auth_type is any."""
    console_users: frozenset[str] = frozenset()
    """``admin_users`` and ``stats_users``: as a rule they use no database."""
    from_settings: bool = False
    """The limits are those of our own settings, because nobody tells the pooler's."""
    shares_port: bool = False
    """``so_reuseport``: other processes may listen at the same port, with pools of their own."""


class PoolerFacts(NamedTuple):
    """What a sample of a pooler says beside its capacities and who holds them."""

    software: str
    version: str
    pools: tuple[Pool, ...] = ()
    databases: tuple[Database, ...] = ()
    users: tuple[User, ...] = ()
    """As of when the holders were read, like the links and the settings."""
    users_known: bool = False
    """Whether the console tells sizes and limits of users: PgBouncer 1.23 and newer."""
    links: tuple[Link, ...] = ()
    config: PoolerConfig = PoolerConfig()
    paused: bool = False
    """All of it is paused; a database alone may be, too."""
    pause_known: bool = True
    """Whether it tells that all of it is paused: PgBouncer 1.19 and newer."""
    peers: int = 0
    """Processes that SHOW PEERS names, its own included; 0 where it names none."""
    waited_seconds: tuple[tuple[str, float], ...] = ()
    """By database: how long its clients have waited for server connections, all together."""


def busiest_first(pools: tuple[Pool, ...]) -> tuple[Pool, ...]:
    """Return *pools*, first those that clients wait for, then those with most connections."""

    def activity(pool: Pool) -> tuple[int, int, int, str, str]:
        return -pool.waiting, -pool.server_connections, -pool.active, pool.database, pool.role

    return tuple(sorted(pools, key=activity))


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
