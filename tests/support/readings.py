"""Makes the readings that the unit tests begin with."""

from dataclasses import replace
from typing import Any

from pgheadroom.model.capacity import Capacity, CapacityKind, Scope
from pgheadroom.model.names import NameFolder
from pgheadroom.model.pooler import Database, Pool, PoolerConfig, PoolerFacts, capacities
from pgheadroom.model.postgres import PostgresFacts, Server
from pgheadroom.model.reading import Group, Holders, Sample
from pgheadroom.model.slots import Limits, Slots
from pgheadroom.step import Policy

POLICY = Policy(NameFolder().fold)

LIMITS = Limits(max_connections=20, superuser_reserved=3, reserved=2)

SERVER = Server(
    version=170010,
    version_text="17.10",
    started_at=500.0,
    in_recovery=False,
    role="pgheadroom",
    superuser=False,
    reserve=True,
    pooled=False,
)


def sample(
    at: float = 1000.0,
    groups: tuple[Group, ...] = (Group("api", "idle", 4, 10.0),),
    hidden: int = 0,
    limits: Limits = LIMITS,
    server: Server = SERVER,
    cost_seconds: float = 0.001,
) -> Sample:
    """Return a full reading of a small server."""
    visible = sum(group.count for group in groups)
    return Sample.of_postgres(
        at=at,
        duration_seconds=0.002,
        facts=PostgresFacts(Slots(limits, visible=visible, hidden=hidden), server),
        holders=Holders(
            at=at,
            visible=visible,
            groups=groups,
            complete=True,
            cost_seconds=cost_seconds,
        ),
    )


def pooler_sample(
    at: float = 1000.0,
    used: int = 5,
    limit: int = 100,
    pools: tuple[Pool, ...] = (Pool("shop", "app", size=20),),
    databases: tuple[Database, ...] = (Database("shop", size=20, address="db1"),),
    groups: tuple[Group, ...] = (Group("api", "active", 4, 10.0),),
    config: PoolerConfig | None = None,
    **facts: Any,  # noqa: ANN401 - the fields of PoolerFacts
) -> Sample:
    """Return a full reading of a PgBouncer."""
    config = config or PoolerConfig(most_clients=limit, size=20, wait_timeout_seconds=120.0)
    found = PoolerFacts(
        "PgBouncer", "1.26.1", pools, databases, users_known=True, config=config, **facts
    )
    main = Capacity(Scope(CapacityKind.CLIENTS), used, limit)
    visible = sum(group.count for group in groups)
    holders = Holders(at, visible, groups, complete=True, cost_seconds=0.001)
    return Sample(at, 0.002, main, capacities(found), holders, found)


def older_server(found: Sample, version: int) -> Sample:
    """Return *found* as taken from a server of *version*."""
    return with_server(found, version=version)


def with_server(found: Sample, **changed: Any) -> Sample:  # noqa: ANN401 - the fields of Server
    """Return *found* as taken from a server that differs in what is *changed*."""
    server = replace(found.postgres.server, **changed)
    return found._replace(facts=found.postgres._replace(server=server))


def role_limit(name: str, limit: int, used: int) -> Capacity:
    """Return the CONNECTION LIMIT of a role."""
    return Capacity(Scope(CapacityKind.ROLE, (name,)), used, limit)


def database_limit(name: str, limit: int, used: int) -> Capacity:
    """Return the CONNECTION LIMIT of a database."""
    return Capacity(Scope(CapacityKind.DATABASE, (name,)), used, limit)
