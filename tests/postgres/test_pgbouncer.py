"""Tests that a real PgBouncer is read right, in the oldest and the newest version that there is."""

import contextlib
import signal

import pytest
from tests.postgres.conftest import Watcher
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.servers import process
from tests.support.servers.clients import Clients
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Refused, Session
from tests.support.servers.wait import auntil

from pgheadroom.judge.pool_bounds import ceiling, committed
from pgheadroom.model.capacity import CapacityKind, Scope
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.pooler import Pool, PoolerFacts
from pgheadroom.model.reading import Outcome
from pgheadroom.state import State

pytestmark = [
    pytest.mark.majors(17),
    pytest.mark.parametrize("program", ["pgbouncer", "pgbouncer-newest"]),
]

POOLER = TargetKind.PGBOUNCER


def facts(state: State) -> PoolerFacts:
    assert state.outcome is Outcome.OK, state.detail
    assert state.sample is not None
    return state.sample.pooler


def pool(state: State, database: str, role: str) -> Pool:
    return next(one for one in facts(state).pools if (one.database, one.role) == (database, role))


def entered(clients: Clients, pooler: PgBouncer, user: str, database: str, name: str) -> Session:
    """Return a client whom the pooler has let in."""
    session = clients.connect(pooler.tcp, user=user, database=database, application_name=name)
    assert isinstance(session, Session), session
    return session


async def test_places_are_counted_one_by_one(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """Ours is one of them; at the last one the next client is refused, and we still see it."""
    pooler = make_pgbouncer(pg, program=program, max_client_conn=6)
    watched = watch(pooler.console, POOLER)
    for taken in range(1, 7):
        state = await watched.sample()
        assert facts(state).config.most_clients == 6
        assert state.sample is not None
        assert (state.sample.main.used, state.free) == (taken, 6 - taken)
        admitted = clients.connect(pooler.tcp)
        assert isinstance(admitted, Session if taken < 6 else Refused)
    state = await watched.sample()
    assert (state.outcome, state.free) == (Outcome.OK, 0)


async def test_each_pool_has_its_size_and_its_queue(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """The database's size and reserve, the forced role, who waits and for how long."""
    pg.sql("create role app login")
    pooler = make_pgbouncer(
        pg,
        {
            "shop": "dbname=postgres pool_size=2 reserve_pool=1",
            "bill": "dbname=postgres user=postgres",
        },
        ["app"],
        program,
        default_pool_size=7,
    )
    watched = watch(pooler.console, POOLER)
    busy = [entered(clients, pooler, "app", "shop", f"web-{n}") for n in range(3)]
    for session in busy:
        session.send_query("select pg_sleep(30)")
    entered(clients, pooler, "app", "bill", "books").query("select 1")

    async def queued() -> bool:
        return pool(await watched.sample(), "shop", "app").waiting == 1

    await auntil(queued, 10, "one that waits")
    state = await watched.sample()
    shop, bill = pool(state, "shop", "app"), pool(state, "bill", "postgres")
    assert (shop.server_connections, shop.size, shop.reserve) == (2, 2, 1)
    assert (bill.server_connections, bill.size, bill.reserve) == (1, 7, 0)
    assert 0 <= shop.wait_seconds < 10
    assert state.sample is not None
    queues = [one for one in state.sample.limits_of(CapacityKind.POOL) if one.waiting]
    assert [one.scope for one in queues] == [Scope(CapacityKind.POOL, ("shop", "app"))]
    entry = next(one for one in facts(state).databases if one.name == "bill")
    assert (entry.forced_role, entry.port) == ("postgres", pg.port)


async def test_clients_are_told_by_application(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    pooler = make_pgbouncer(pg, program=program)
    watched = watch(pooler.console, POOLER)
    for n in range(4):
        entered(clients, pooler, "postgres", "postgres", f"web-{n}")
    entered(clients, pooler, "postgres", "postgres", "<b>\x07")
    state = await watched.sample()
    assert state.applications.totals == {"web-*": 4, "pgheadroom": 1, "<b>\\u0007": 1}


async def test_a_pause_is_told_and_its_end(
    pg: Postgres, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """Of one database; of all of them where the version can tell."""
    pooler = make_pgbouncer(pg, {"shop": "dbname=postgres", "bill": "dbname=postgres"}, (), program)
    watched = watch(pooler.console, POOLER)

    async def paused() -> dict[str, bool]:
        found = facts(await watched.sample())
        return {one.name: found.paused or one.paused or one.disabled for one in found.databases}

    async def told(expected: dict[str, bool]) -> None:
        async def seen() -> bool:
            return await paused() == expected

        await auntil(seen, 10, f"{expected}")

    pooler.order("pause shop")
    await told({"shop": True, "bill": False})
    pooler.order("resume shop")
    pooler.order("disable bill")
    await told({"shop": False, "bill": True})
    pooler.order("enable bill")
    await told({"shop": False, "bill": False})
    pooler.order("pause")
    if program == "pgbouncer-newest":
        await told({"shop": True, "bill": True})
    pooler.order("resume")
    await told({"shop": False, "bill": False})


async def test_server_connections_are_those_of_the_server(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """By process and port, which prove that the one is behind the other."""
    pooler = make_pgbouncer(pg, program=program, default_pool_size=3)
    watched, server = watch(pooler.console, POOLER), watch(pg.dsn())
    server.sources[0].trace(wanted=True)
    for n in range(3):
        session = entered(clients, pooler, "postgres", "postgres", f"web-{n}")
        session.query("begin")
    links = facts(await watched.sample()).links
    state = await server.sample()
    assert state.sample is not None
    assert {(link.pid, link.port) for link in links} <= set(state.sample.postgres.backends)
    assert len(links) == 3


async def test_it_is_found_again_after_a_restart_with_other_settings(
    pg: Postgres, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    pooler = make_pgbouncer(pg, program=program, max_client_conn=20)
    watched = watch(pooler.console, POOLER)
    assert facts(await watched.sample()).config.most_clients == 20
    pooler.kill()
    assert (await watched.sample()).outcome is Outcome.UNREACHABLE
    pooler.settings["max_client_conn"] = 30
    pooler.start_again()
    state = await watched.sample()
    assert facts(state).config.most_clients == 30
    assert state.sample is not None
    assert state.sample.main.limit == 30


async def test_a_reload_is_seen(
    pg: Postgres, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """Though settings are asked for seldom."""
    pooler = make_pgbouncer(pg, program=program, max_client_conn=20)
    watched = watch(pooler.console, POOLER)
    assert facts(await watched.sample()).config.most_clients == 20
    pooler.settings["max_client_conn"] = 30
    pooler.write_config()
    pooler.order("reload")

    async def seen() -> bool:
        return facts(await watched.sample()).config.most_clients == 30

    await auntil(seen, 15, "the new limit")


async def test_a_frozen_one_is_a_timeout(
    pg: Postgres, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    pooler = make_pgbouncer(pg, program=program)
    watched = watch(pooler.console, POOLER, read_timeout_seconds=0.5, connect_timeout_seconds=0.5)
    await watched.sample()
    process.send(pooler.pid, signal.SIGSTOP)
    try:
        assert (await watched.sample()).outcome is Outcome.TIMEOUT
        assert (await watched.sample()).outcome is Outcome.TIMEOUT
    finally:
        process.send(pooler.pid, signal.SIGCONT)

    async def there() -> bool:
        return (await watched.sample()).outcome is Outcome.OK

    await auntil(there, 10, "its answer")


async def test_who_may_not_look_is_told(
    pg: Postgres, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    pooler = make_pgbouncer(pg, {"shop": "dbname=postgres"}, ["app"], program)
    watched = watch(pooler.dsn(user="app", dbname="pgbouncer"), POOLER)
    state = await watched.sample()
    assert state.outcome is Outcome.AUTH, state.detail


async def test_a_database_is_no_console(
    pg: Postgres, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """Neither through the pooler nor of the server itself."""
    pooler = make_pgbouncer(pg, program=program)
    for dsn in (pooler.dsn(), pg.dsn()):
        state = await watch(dsn, POOLER).sample()
        assert state.outcome is Outcome.ERROR
        assert "this is a database and not PgBouncer's console" in state.detail


async def test_limits_on_clients_of_a_database_and_a_user(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """Since 1.24; the user's refusal comes before it is asked for a password."""
    if program == "pgbouncer":
        pytest.skip("1.18 has no such limits")
    pg.sql("create role app login")
    pooler = make_pgbouncer(
        pg,
        {"shop": "dbname=postgres max_db_client_connections=3"},
        ["app"],
        program,
        max_user_client_connections=5,
    )
    watched = watch(pooler.console, POOLER)
    for _ in range(3):
        entered(clients, pooler, "app", "shop", "web")
    refused = clients.connect(pooler.tcp, user="app", database="shop")
    assert isinstance(refused, Refused)
    state = await watched.sample()
    assert state.sample is not None
    limited = {
        one.scope.name: (one.used, one.limit)
        for one in state.sample.limits_of(CapacityKind.CLIENTS)
    }
    assert limited["database", "shop"] == (3, 3)
    assert limited["user", "app"] == (3, 5)


async def test_names_that_were_made_up_are_harmless(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """Whoever tries to log in makes a row, whatever he calls the database."""
    pooler = make_pgbouncer(pg, program=program)
    watched = watch(pooler.console, POOLER)
    for name in ('"; drop', "a\nb", "<script>", "\u202e", "x" * 60):
        clients.connect(pooler.tcp, user="mon", database=name)
    found = {one.database for one in facts(await watched.sample()).pools}
    assert found
    assert all(name.isprintable() for name in found)


async def test_out_of_descriptors_it_is_silent_and_our_connection_is_kept(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """It refuses nobody then: whoever comes hangs, at the console too, whatever max_client_conn."""
    descriptors = ("prlimit", "--nofile=40", "--")
    pooler = make_pgbouncer(pg, program=program, wrapper=descriptors, max_client_conn=100)
    kept = watch(pooler.console, POOLER)
    await kept.sample()
    taken = 0
    with contextlib.suppress(TimeoutError):
        for _ in range(60):
            clients.connect(pooler.tcp)
            taken += 1
    assert 5 < taken < 40
    newcomer = watch(pooler.console, POOLER, connect_timeout_seconds=0.5)
    assert (await newcomer.sample()).outcome is Outcome.TIMEOUT
    state = await kept.sample()
    assert state.outcome is Outcome.OK
    assert state.free is not None
    assert state.free > 50, "what max_client_conn says is fiction"


async def test_a_pool_in_session_mode_is_held_by_its_clients(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """Idle ones too: the next one waits until one of them leaves."""
    pooler = make_pgbouncer(pg, program=program, pool_mode="session", default_pool_size=2)
    watched = watch(pooler.console, POOLER)
    holding = [entered(clients, pooler, "postgres", "postgres", "web") for _ in range(2)]
    for session in holding:
        session.query("select 1")
    late = entered(clients, pooler, "postgres", "postgres", "late")
    late.send_query("select 1")

    async def waits() -> bool:
        return pool(await watched.sample(), "postgres", "postgres").waiting == 1

    await auntil(waits, 10, "one that waits")
    state = await watched.sample()
    found = pool(state, "postgres", "postgres")
    assert (found.mode, found.server_connections, found.size) == ("session", 2, 2)
    holding[0].leave()
    late.result()
    assert pool(await watched.sample(), "postgres", "postgres").waiting == 0


async def test_roles_that_are_looked_up_make_pools_and_no_end_of_them(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """By auth_query, and for a wildcard's database."""
    pg.sql("create role late login")
    pooler = make_pgbouncer(
        pg, {"*": "auth_user=postgres"}, ["postgres"], program, auth_user="postgres"
    )
    watched = watch(pooler.console, POOLER)
    entered(clients, pooler, "late", "postgres", "web").query("select 1")
    state = await watched.sample()
    assert pool(state, "postgres", "late").server_connections == 1
    assert facts(state).config.any_role
    assert ceiling(facts(state), ["postgres"]) == (None, "max_db_connections")
    assert committed(facts(state), ["postgres"]).most is not None


async def test_two_entries_for_one_server_have_pools_of_their_own(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    entries = dict.fromkeys(("shop", "mirror"), "dbname=postgres user=postgres pool_size=3")
    pooler = make_pgbouncer(pg, entries, ["app"], program, max_db_connections=5)
    watched = watch(pooler.console, POOLER)
    for database in entries:
        entered(clients, pooler, "app", database, "web").query("select 1")
    state = await watched.sample()
    assert committed(facts(state), entries).most == 6
    assert {one.most_connections for one in facts(state).databases} == {5}
    assert len({one.address for one in facts(state).databases}) == 1
