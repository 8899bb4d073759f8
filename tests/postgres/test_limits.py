"""Tests that a full CONNECTION LIMIT is always shown, and counted as the server counts it."""

import pytest
from tests.postgres.conftest import Watch, Watcher
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers.clients import Clients
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Refused
from tests.support.servers.wait import auntil

from pgheadroom.model.capacity import CapacityKind


async def uses(watched: Watch, kind: CapacityKind) -> dict[str, tuple[int, int | None]]:
    """Return used and limit by name, of a full reading."""
    state = await watched.sample()
    assert state.sample is not None
    return {use.name: (use.used, use.limit) for use in state.sample.limits_of(kind)}


@pytest.mark.majors(14, 18)
async def test_a_full_role_among_many(
    make_postgres: MakePostgres, clients: Clients, watch: Watcher, major: int
) -> None:
    """Neither locked roles nor small ones that are full as well push it out."""
    server = make_postgres(major, max_connections=200)
    names = [f"{kind}{number}" for kind in ("locked", "small") for number in range(120)]
    server.sql(
        "; ".join(
            f"create role {name} login connection limit {int(name.startswith('small'))}"
            for name in names
        )
    )
    server.sql("create role zz_full login connection limit 4")
    server.sql("create role zz_nearly login connection limit 10")
    server.sql("create role zz_idle login connection limit 10")
    clients.fill(server.tcp, 4, user="zz_full")
    clients.fill(server.tcp, 9, user="zz_nearly")
    assert (await uses(watch(server.dsn()), CapacityKind.ROLE))["zz_full"] == (4, 4)
    for name in names[120:]:
        clients.admitted(server.tcp, user=name)
    found = await uses(watch(server.dsn()), CapacityKind.ROLE)
    assert found["zz_full"] == (4, 4)
    assert found["zz_nearly"] == (9, 10)
    assert sum(name.startswith("small") for name in found) == 120
    assert not any(name.startswith("locked") for name in found)
    assert "zz_idle" not in found


@pytest.mark.majors(17)
async def test_a_full_database_among_many(
    make_postgres: MakePostgres, clients: Clients, watch: Watcher
) -> None:
    """Copies of the template take a while: the catalog is told that there are many."""
    server = make_postgres(17, max_connections=60)
    server.sql("create database zz_full connection limit 4")
    server.sql(
        "set allow_system_table_mods = on; insert into pg_database select 50000 + i, 'locked' || i,"
        " datdba, encoding, datlocprovider, false, false, false, 0, datfrozenxid, datminmxid,"
        " dattablespace, datcollate, datctype, datlocale, daticurules, datcollversion, datacl"
        " from pg_database, generate_series(1, 120) i where datname = 'template0'"
    )
    clients.fill(server.tcp, 4, user="postgres", database="zz_full")
    assert await uses(watch(server.dsn()), CapacityKind.DATABASE) == {"zz_full": (4, 4)}


@pytest.mark.parametrize("watcher", ["watcher", "bare"])
async def test_a_roles_limit_as_the_server_counts(
    pg: Postgres, clients: Clients, watch: Watcher, watcher: str
) -> None:
    """Walsenders do not count, and nobody's sessions are invisible."""
    pg.sql("create role watcher login in role pg_monitor")
    pg.sql("create role bare login")
    pg.sql("create role mixed login replication connection limit 5")
    for replication in ("true", "database"):
        clients.admitted(pg.tcp, user="mixed", replication=replication)
    watched = watch(pg.dsn(user=watcher))
    while True:
        found = await uses(watched, CapacityKind.ROLE)
        used, limit = found["mixed"]
        answer = clients.connect(pg.tcp, user="mixed")
        if isinstance(answer, Refused):
            break
        assert limit is not None
        assert used < limit
        watched = watch(pg.dsn(user=watcher))
    assert (used, limit) == (5, 5)
    assert "role" in answer.message


@pytest.mark.parametrize("watcher", ["watcher", "bare"])
@pytest.mark.majors(14, 17, 18)
async def test_a_databases_limit_as_the_server_counts(
    make_postgres: MakePostgres,
    clients: Clients,
    watch: Watcher,
    watcher: str,
    major: int,
) -> None:
    """Neither a walsender nor an autovacuum worker takes one of a database's connections."""
    server = make_postgres(
        major,
        autovacuum_naptime=1,
        autovacuum_vacuum_cost_limit=1,
        autovacuum_vacuum_cost_delay=100,
    )
    server.sql("create role watcher login in role pg_monitor")
    server.sql("create role bare login")
    server.sql("create role app login")
    server.sql("create database shop connection limit 3")
    server.sql("create table t as select generate_series(1, 200000) g", database="shop")
    server.sql("delete from t", database="shop")
    worker = (
        "select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'"
        " and datname = 'shop'"
    )
    await auntil(lambda: server.sql(worker) == [("1",)], 60, "autovacuum worker")
    clients.admitted(server.tcp, database="shop", replication="database")
    clients.admitted(server.tcp, user="app", database="shop")
    _, refused = clients.fill(server.tcp, user="app", database="shop")
    assert refused is not None
    assert "database" in refused.message
    assert await uses(watch(server.dsn(user=watcher)), CapacityKind.DATABASE) == {"shop": (3, 3)}
    assert server.sql(worker) == [("1",)]


@pytest.mark.majors(14, 18)
async def test_a_session_whose_role_was_dropped(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """It holds a slot still: by the number that the role had."""
    pg.sql("create role gone login")
    ((oid,),) = pg.sql("select oid from pg_roles where rolname = 'gone'")
    clients.fill(pg.tcp, 2, user="gone", application_name="api")
    pg.sql("drop role gone")
    pools = (await watch(pg.dsn()).sample()).applications.by_holder
    assert pools["api", "postgres", f"oid {oid}"] == 2
