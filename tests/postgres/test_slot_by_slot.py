"""Tests that the exported free counts say exactly who is let in, slot by slot."""

import random
from functools import partial

import pytest
from structlog.testing import capture_logs
from tests.postgres.conftest import Watch, Watcher
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers.clients import Clients
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import auntil

from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.reading import Outcome
from pgheadroom.model.slots import RdsReserve, Tier
from pgheadroom.state import State
from pgheadroom.status.figures import free_for

RESERVED_SINCE = 16
NUMBERED_SINCE = 17  # a backend's number tells its kind, with no privilege


def make_roles(pg: Postgres) -> list[tuple[Tier, str]]:
    """Make a role of each tier that the server knows, and one to watch with."""
    pg.sql("create role watcher login in role pg_monitor")
    pg.sql("create role app login")
    tiers = [(Tier.ORDINARY, "app")]
    if pg.major >= RESERVED_SINCE:
        pg.sql("create role member login in role pg_use_reserved_connections")
        tiers.append((Tier.RESERVED, "member"))
    return [*tiers, (Tier.SUPERUSER, "postgres")]


def is_gone(pg: Postgres, pid: int) -> bool:
    return pid not in pg.client_pids()


async def settled(watched: Watch) -> State:
    """Sample until no login is under way: one that was refused needs a moment to be gone."""

    async def quiet() -> State | None:
        state = await watched.sample()
        assert state.sample is not None
        return None if state.sample.postgres.slots.hidden else state

    return await auntil(quiet, 10, "end of the logins under way")


@pytest.mark.parametrize("over", ["tcp", "unix"])
async def test_a_role_is_let_in_exactly_while_its_tier_has_a_free_slot(
    pg: Postgres, clients: Clients, watch: Watcher, over: str
) -> None:
    tiers = make_roles(pg)
    address = pg.tcp if over == "tcp" else pg.unix
    watched = watch(pg.dsn(user="watcher", tcp=over == "tcp"))
    admitted = 0
    for tier, user in tiers:
        while True:
            state = await settled(watched)
            free = free_for(state, tier)
            answer = clients.connect(address, user=user)
            assert isinstance(answer, Session) == (free != 0), f"{free} free for {tier}"
            if not isinstance(answer, Session):
                break
            admitted += 1
    state = await settled(watched)
    assert state.sample is not None
    assert admitted == 19
    assert state.sample.main.used == 20
    assert [free_for(state, tier) for tier in Tier] == [0, 0, 0]
    assert state.sample.postgres.slots.reserved_used == (5 if pg.major >= RESERVED_SINCE else 3)


async def test_whatever_comes_and_goes_every_sample_counts_it(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Pulses carry a breakdown that is seconds old; their count must be that of this moment."""
    make_roles(pg)
    watched = watch(pg.dsn(user="watcher"))
    chance = random.Random(4711)  # noqa: S311 - the same moves each time
    held: list[Session] = []
    pulses = 0
    for _ in range(60):
        if held and chance.random() < 0.5:
            gone = held.pop(chance.randrange(len(held)))
            gone.close()
            await auntil(partial(is_gone, pg, gone.pid), 5, "end of a session")
        elif len(held) < 9:
            name = chance.choice(["api", "worker-0", "worker-1"])
            held.append(clients.admitted(pg.tcp, user="app", application_name=name))
        state = await watched.sample()
        assert state.sample is not None
        assert state.sample.main.used == len(held) + 1
        if state.sample.full:
            assert sum(state.applications.counts.values()) == len(held) + 1
        pulses += not state.sample.full
        again = await watched.sample()
        assert again.sample is not None
        assert again.sample.main.used == len(held) + 1
        pulses += not again.sample.full
    assert pulses > 20


async def test_walsenders_and_parallel_workers_take_no_slot(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    pg.sql("create role watcher login in role pg_monitor")
    watched = watch(pg.dsn(user="watcher"))
    clients.fill(pg.tcp, 3, replication="true")
    busy = clients.admitted(pg.tcp, application_name="report")
    force = "debug_parallel_query" if pg.major >= RESERVED_SINCE else "force_parallel_mode"
    busy.query(f"set {force} = on")
    busy.send_query("select pg_sleep(60)")
    workers = "select count(*) from pg_stat_activity where backend_type = 'parallel worker'"
    await auntil(lambda: pg.sql(workers) == [("1",)], 10, "parallel worker")

    async def counted() -> State | None:
        state = await watched.sample()
        assert state.sample is not None
        return state if state.sample.main.used == 2 else None

    state = await auntil(counted, 10, "count of two client backends")
    assert state.applications.counts == {("report", "active"): 1, ("pgheadroom", "active"): 1}


async def test_stalled_logins_are_seen_on_every_version(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """19 of 20 slots held by nobody that pg_stat_activity shows, up to 17."""
    pg.require_scram("stalled")
    watched = watch(pg.dsn())
    state = await watched.sample()
    assert free_for(state, Tier.SUPERUSER) == 19
    assert clients.stall(pg.tcp, 19, user="stalled") is None

    async def seen() -> State | None:
        state = await watched.sample()
        assert state.sample is not None
        slots = state.sample.postgres.slots
        return state if (slots.hidden, slots.used) == (19, 20) else None

    state = await auntil(seen, 3, "sight of 19 hidden slots")
    assert [free_for(state, tier) for tier in Tier] == [0, 0, 0]
    assert state.applications.counts["unnamed", "starting"] == 19
    clients.close()
    state = await settled(watched)
    assert free_for(state, Tier.SUPERUSER) == 19


async def test_a_role_that_may_not_see_others_says_so_and_estimates(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    pg.sql('create role "no rights" login')
    pg.sql("create role app login")
    pg.require_scram("stalled")
    clients.fill(pg.tcp, 5, user="app", application_name="api")
    clients.stall(pg.tcp, 2, user="stalled")
    clients.fill(pg.tcp, 2, replication="true")
    clients.admitted(pg.tcp, replication="database")
    watched = watch(pg.dsn(user="'no rights'"))
    with capture_logs() as logged:
        state = await watched.sample()
    assert state.sample is not None
    assert not state.sample.holders.complete
    assert state.applications.counts["api", "unknown"] == 5
    assert (state.sample.postgres.slots.visible, state.sample.postgres.slots.hidden) == (6, 2)
    assert state.sample.exact == (pg.major >= NUMBERED_SINCE)
    assert 'GRANT pg_monitor TO "no rights";' in [line.get("cure") for line in logged]
    pg.sql('grant pg_monitor to "no rights"')
    clients.admitted(pg.tcp, user="app")
    state = await watched.sample()
    assert state.sample is not None
    assert state.sample.holders.complete
    assert state.outcome is Outcome.OK


async def test_pools_are_told_apart_by_database_and_role(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Told so to a role without rights too; a name that needs quoting stays as it is."""
    pg.sql("create role app login")
    pg.sql('create role "o\'brien" login')
    watched = watch(pg.dsn(user="app"))
    clients.fill(pg.tcp, 3, user="app", application_name="api")
    clients.fill(pg.tcp, 2, user="app", database="template1", application_name="api")
    clients.fill(pg.tcp, 1, user="o'brien", application_name="api")
    state = await watched.sample()
    assert state.applications.by_holder == {
        ("api", "postgres", "app"): 3,
        ("api", "template1", "app"): 2,
        ("api", "postgres", "o'brien"): 1,
        ("pgheadroom", "postgres", "app"): 1,
    }
    assert state.applications.totals["api"] == 6


async def test_sessions_without_a_state_are_counted(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """track_activities=off gives `disabled`; nothing is joined on a list of states."""
    pg.sql("create role quiet login superuser")
    pg.sql("alter role quiet set track_activities = off")
    clients.fill(pg.tcp, 3, user="quiet", application_name="quiet")
    state = await watch(pg.dsn()).sample()
    assert state.sample is not None
    assert state.sample.main.used == 4
    assert sum(n for (name, _), n in state.applications.counts.items() if name == "quiet") == 3


async def test_limits_of_roles_and_databases_with_their_use(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    pg.sql("create role reports login connection limit 4")
    pg.sql("create role boss login superuser connection limit 4")
    pg.sql("create database shop connection limit 6")
    clients.fill(pg.tcp, 3, user="reports", database="shop")
    state = await watch(pg.dsn()).sample()
    assert state.sample is not None
    limits = [(use.scope.kind, use.name, use.limit, use.used) for use in state.sample.others]
    assert limits == [(CapacityKind.ROLE, "reports", 4, 3), (CapacityKind.DATABASE, "shop", 6, 3)]


async def test_sessions_are_counted_by_how_they_ended(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    pg.sql("create database shop")
    watched = watch(pg.dsn())
    before = await counted_sessions(watched, "shop")
    clients.admitted(pg.tcp, database="shop").close(abruptly=True)
    victim = clients.admitted(pg.tcp, database="shop")
    pg.sql(f"select pg_terminate_backend({victim.pid})")

    async def both() -> bool:
        clients.admitted(pg.tcp)  # moves the pulse, so that the next reading is full
        opened, abandoned, killed = await counted_sessions(watched, "shop")
        return (opened - before[0], abandoned - before[1], killed - before[2]) == (2, 1, 1)

    await auntil(both, 10, "two sessions, one abandoned and one killed")


async def counted_sessions(watched: Watch, database: str) -> tuple[int, int, int]:
    state = await watched.sample()
    assert state.sample is not None
    for found in state.sample.postgres.sessions:
        if found.database == database:
            return found.opened, found.abandoned, found.killed
    raise AssertionError(state.sample.postgres.sessions)


@pytest.mark.majors(15, 16, 18)
@pytest.mark.parametrize(
    ("rds_reserved", "rds_reserve", "provider"),
    [
        (2, "auto", 0),
        (2, "separate", 2),
        (2, "same", 0),
        (5, "auto", 5),
        (5, "same", 3),
        (1, "same", 0),
    ],
)
async def test_a_reserve_that_two_settings_of_rds_name(
    make_postgres: MakePostgres,
    watch: Watcher,
    major: int,
    rds_reserved: int,
    rds_reserve: str,
    provider: int,
) -> None:
    """RDS's own setting is a placeholder here, which reads as it does there."""
    server = make_postgres(major)
    server.settings["rds.rds_superuser_reserved_connections"] = rds_reserved
    server.reload()
    watched = watch(server.dsn(), rds_reserve=RdsReserve(rds_reserve), extra_reserved=1)
    with capture_logs() as log:
        state = await watched.sample()
        await watched.sample()
    assert state.sample is not None
    own = 2 if major >= RESERVED_SINCE else 0
    provider = provider if own else rds_reserved
    limits = state.sample.postgres.slots.limits
    assert (limits.reserved, limits.provider_reserved) == (own, provider + 1)
    assert state.sample.main.limit == 20 - 3 - own - provider - 1
    told = [line["slots"] for line in log if "counted as one reserve" in line["event"]]
    shared = rds_reserved - provider
    assert told == ([shared] if shared else [])
