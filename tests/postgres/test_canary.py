"""Tests that the canary gets the answer that an application would get, and disconnects."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.postgres.conftest import TARGET, Watch, Watcher
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.servers.clients import Clients
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import auntil, until

from pgheadroom.model.alert import AlertName
from pgheadroom.model.reading import Failure, Outcome, Probe
from pgheadroom.postgres.canary import APPLICATION_NAME, Canary
from pgheadroom.postgres.login import ConnectOptions

pytestmark = pytest.mark.majors(15, 18)

HERE = "select count(*) from pg_stat_activity where application_name = 'pgheadroom canary'"
ROLE = "create role canary login"


def canary(conninfo: str, **options: Any) -> ConnectOptions:  # noqa: ANN401 - whatever Access takes
    """Return how the canary gets in; unless *options* say else it may come again at once."""
    options = {"backoff_first_seconds": 0.0, **options}
    return ConnectOptions(TARGET, conninfo, application_name=APPLICATION_NAME, **options)


def newest(watched: Watch) -> Probe:
    login = watched.state.canary.newest
    assert login is not None
    return login


def descriptors() -> int:
    """Return how many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def refused(watched: Watch) -> bool:
    return any(alert.name is AlertName.REFUSED for alert in watched.state.alerts)


@pytest.fixture
def guest(pg: Postgres) -> Iterator[Postgres]:
    """Return the server with an ordinary role, `canary`."""
    pg.sql(ROLE)
    yield pg
    pg.disconnect_everybody()


async def test_it_gets_in_and_is_gone(guest: Postgres, watch: Watcher) -> None:
    watched = watch(guest.dsn(), canary=canary(guest.dsn(user="canary")))
    await watched.sample()
    state = await watched.canary_login()
    assert newest(watched).outcome is Outcome.OK
    assert 0 < newest(watched).seconds < 5
    assert state.canary.durations.counts[-1] == 1
    assert state.canary.privilege == ""
    until(lambda: guest.sql(HERE) == [("0",)], 5, "server without the canary")
    assert "unexpected EOF" not in guest.log.read()


async def test_slots_gone_for_ordinary_roles_only(
    guest: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Our own session is a superuser's, and fine; an application would be refused."""
    watched = watch(guest.dsn(), canary=canary(guest.dsn(user="canary")))
    await watched.sample()
    guest.sql("create role app login")
    sessions, turned_away = clients.fill(guest.tcp, user="app")
    assert turned_away is not None
    state = await watched.canary_login()
    assert state.outcome is Outcome.OK
    assert newest(watched).outcome is Outcome.RESERVED_ONLY
    assert refused(watched)
    told = next(a.description for a in state.alerts if a.name is AlertName.REFUSED)
    assert "refused the canary" in told
    assert turned_away.message in told
    sessions[0].close()

    async def let_in() -> bool:
        await watched.canary_login()
        return newest(watched).outcome is Outcome.OK

    await auntil(let_in, 5, "canary that gets in")
    assert watched.state.canary.failures[Outcome.RESERVED_ONLY] >= 1


@pytest.mark.parametrize(
    ("spoilt", "database", "outcome"),
    [
        ("alter role canary connection limit 0", "postgres", Outcome.ROLE_LIMIT),
        ("create database shop connection limit 0", "shop", Outcome.DATABASE_LIMIT),
        ("alter role canary nologin", "postgres", Outcome.AUTH),
        ("select 1", "nowhere", Outcome.ERROR),
    ],
)
async def test_why_it_is_not_let_in(
    guest: Postgres, watch: Watcher, spoilt: str, database: str, outcome: Outcome
) -> None:
    """A limit pages at once; what is wrong with the canary itself does not."""
    guest.sql(spoilt)
    watched = watch(guest.dsn(), canary=canary(guest.dsn(user="canary", dbname=database)))
    await watched.sample()
    state = await watched.canary_login()
    assert newest(watched).outcome is outcome
    assert state.canary.failures == {outcome: 1}
    pages = outcome in (Outcome.ROLE_LIMIT, Outcome.DATABASE_LIMIT)
    assert refused(watched) == pages


async def test_a_password_is_read_at_each_login(
    guest: Postgres, watch: Watcher, tmp_path: Path
) -> None:
    guest.require_scram("canary", password="second")
    file = tmp_path / "password"
    file.write_text("first\n")
    watched = watch(guest.dsn(), canary=canary(guest.dsn(user="canary"), password_file=file))
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.AUTH
    file.write_text("second\n")
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.OK


async def test_a_full_pooler(
    guest: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer
) -> None:
    """The canary may come the way that applications come."""
    pooler = make_pgbouncer(guest, max_client_conn=1)
    watched = watch(guest.dsn(), canary=canary(pooler.dsn(user="canary")))
    await watched.sample()
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.OK
    until(lambda: clients.fill(pooler.tcp, 1)[0], 5, "the only place in the pooler")
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.POOLER_FULL
    assert refused(watched)


async def test_the_next_host_is_tried(guest: Postgres, watch: Watcher) -> None:
    hosts = f"host=127.0.0.1,127.0.0.1 port={free_port()},{guest.port} user=canary dbname=postgres"
    watched = watch(guest.dsn(), canary=canary(hosts))
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.OK


async def test_who_proves_nothing(guest: Postgres) -> None:
    """A superuser is known without a statement; a member of the reserve is asked for."""
    superuser = Canary(canary(guest.dsn()))
    login = await superuser.log_in(was_alive=True)
    assert login.privilege == "its role is a superuser"
    ordinary = Canary(canary(guest.dsn(user="canary")))
    assert (await ordinary.log_in(was_alive=True, thorough=True)).privilege == ""
    if guest.major >= 16:
        guest.sql("grant pg_use_reserved_connections to canary")
        assert (await ordinary.log_in(was_alive=True)).privilege == ""
        login = await ordinary.log_in(was_alive=True, thorough=True)
        assert login.privilege == "its role is a member of pg_use_reserved_connections"


async def test_it_backs_off_while_the_server_is_full(
    guest: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Each pause is twice the one before, up to the longest, less a quarter at most."""
    clients.fill(guest.tcp)
    way_in = canary(
        guest.dsn(user="canary"), backoff_first_seconds=0.1, backoff_longest_seconds=0.4
    )
    watched = watch(guest.dsn(), canary=way_in)
    at: list[float] = []

    async def four_times() -> bool:
        state = await watched.canary_login()
        if state.canary.failures.get(Outcome.FULL, 0) > len(at):
            at.append(time.monotonic())
        return len(at) == 4

    await auntil(four_times, 10, "four refusals")
    for pause, first, second in zip((0.1, 0.2, 0.4), at, at[1:], strict=False):
        assert 0.75 * pause <= second - first


async def test_it_comes_again_as_soon_as_there_is_room(
    guest: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Samples tell; without them the back-off would last ten minutes here."""
    way_in = canary(
        guest.dsn(user="canary"), backoff_first_seconds=600.0, backoff_longest_seconds=600.0
    )
    watched = watch(guest.dsn(), canary=way_in)
    guest.sql("create role app login")
    sessions, _ = clients.fill(guest.tcp, user="app")
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.RESERVED_ONLY
    assert (await watched.sample()).free == 0
    before = newest(watched)
    await watched.canary_login()
    assert newest(watched) is before
    for session in sessions[:3]:
        session.close()

    async def room() -> bool:
        return bool((await watched.sample()).free)

    await auntil(room, 5, "room")
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.OK
    before = newest(watched)
    await watched.canary_login()
    assert newest(watched) is before, "while all is well the pause is what was asked for"


async def test_a_refusal_of_ours_tells_that_there_was_no_room(
    guest: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Without any sample from before, too."""
    way_in = canary(
        guest.dsn(user="canary"), backoff_first_seconds=600.0, backoff_longest_seconds=600.0
    )
    watched = watch(guest.dsn(), canary=way_in)
    clients.fill(guest.tcp)
    await watched.canary_login()
    assert (await watched.sample()).outcome is Outcome.FULL
    await watched.canary_login()
    clients.close()
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.FULL

    async def room() -> bool:
        return bool((await watched.sample()).free)

    await auntil(room, 5, "room")
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.OK


async def test_a_frozen_server_holds_up_the_canary_alone(guest: Postgres, watch: Watcher) -> None:
    way_in = canary(guest.dsn(user="canary"), connect_timeout_seconds=1.5)
    watched = watch(guest.dsn(), canary=way_in, read_timeout_seconds=0.5)
    await watched.sample()
    guest.pause()
    began = time.monotonic()
    login = asyncio.create_task(watched.canary_login())
    reading = await watched.session.read()
    assert 0.5 <= time.monotonic() - began < 1.4
    assert isinstance(reading, Failure)
    assert reading.outcome is Outcome.TIMEOUT
    assert not login.done()
    await login
    assert 1.5 <= newest(watched).seconds < 2.5
    assert newest(watched).outcome is Outcome.TIMEOUT
    guest.resume()
    await auntil(lambda: watched.canary_let_in_late, 5, "end of the login that hung")
    until(lambda: guest.sql(HERE) == [("0",)], 5, "server without the canary")
    moment = time.time()
    await watched.canary_login()
    assert newest(watched).outcome is Outcome.OK
    assert newest(watched).at >= moment, "it says how it is, not how it was"


async def test_cancelled_it_leaves_no_socket(guest: Postgres, watch: Watcher) -> None:
    """As when the daemon ends in the middle of a login."""
    watched = watch(guest.dsn(), canary=canary(guest.dsn(user="canary")))
    await watched.canary_login()
    before = descriptors()
    guest.pause()
    login = asyncio.create_task(watched.canary_login())
    await auntil(lambda: descriptors() > before, 5, "socket of the canary")
    login.cancel()
    await asyncio.wait([login])
    assert login.cancelled()
    assert descriptors() == before
    guest.resume()
