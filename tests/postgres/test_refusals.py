"""Tests that each way of being refused is its own state, in every language of the server."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.postgres.conftest import Watcher
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers.clients import Clients
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.storm import Storm
from tests.support.servers.wait import auntil

from pgheadroom.model.reading import Outcome
from pgheadroom.model.slots import Tier
from pgheadroom.status.figures import free_for


async def test_full_before_we_come(pg: Postgres, clients: Clients, watch: Watcher) -> None:
    """Nothing is known of the limits, but that nothing is free, as the refusal says."""
    clients.fill(pg.tcp)
    watched = watch(pg.dsn())
    assert (await watched.sample()).outcome is Outcome.FULL
    state = await watched.knock()
    assert state.knocks.newest is not None
    assert state.knocks.newest.outcome is Outcome.FULL
    assert [free_for(state, tier) for tier in Tier] == [0, 0, 0]
    clients.close()

    async def sampled() -> bool:
        return (await watched.sample()).outcome is Outcome.OK

    await auntil(sampled, 10, "sample after the slots came free")


async def test_full_while_we_are_there(pg: Postgres, clients: Clients, watch: Watcher) -> None:
    """Our session is kept: nothing is missed, while a newcomer is refused."""
    watched = watch(pg.dsn())
    await watched.sample()
    clients.fill(pg.tcp)
    state = await watched.sample()
    assert state.outcome is Outcome.OK
    assert free_for(state, Tier.SUPERUSER) == 0
    state = await watched.knock()
    assert state.knocks.newest is not None
    assert state.knocks.newest.outcome is Outcome.FULL


async def test_slots_that_come_free_are_known_to_the_knock_soon(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """A page rests on it, and the interval of knocks may be minutes."""
    watched = watch(pg.dsn())
    await watched.sample()
    clients.fill(pg.tcp)
    state = await watched.knock()
    refused = state.knocks.newest
    assert refused is not None
    clients.close()

    async def knocked_again() -> bool:
        newest = (await watched.sample()).knocks.newest
        return newest is not None and newest is not refused

    await auntil(knocked_again, 10, "a knock that follows samples alone")
    newest = watched.state.knocks.newest
    assert newest is not None
    assert newest.outcome is Outcome.OK
    assert newest.at - refused.at >= 4.0, "not with every sample"


async def test_an_ordinary_role_meets_the_reserve(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    pg.sql("create role watcher login in role pg_monitor")
    watched = watch(pg.dsn(user="watcher"))
    known = await watched.sample()
    assert known.sample is not None
    clients.fill(pg.tcp, user="watcher")
    watched.close()
    clients.admitted(pg.tcp)
    state = await watched.sample()
    assert state.outcome is Outcome.RESERVED_ONLY
    assert state.free == 0
    assert state.sample is known.sample, "the last sample is kept, with its time"
    assert state.sample.postgres.slots.limits.max_connections == 20


async def test_only_the_reserve_is_left_before_we_come(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    pg.sql("create role watcher login in role pg_monitor")
    clients.fill(pg.tcp, user="watcher")
    state = await watch(pg.dsn(user="watcher")).sample()
    assert state.outcome is Outcome.RESERVED_ONLY
    assert [free_for(state, tier) for tier in Tier] == [0, None, None]


async def test_logins_that_are_refused_again_and_again_get_into_no_reserve(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    pg.sql("create role app login")
    watched = watch(pg.dsn())
    await watched.sample()
    clients.fill(pg.tcp, user="app")
    with Storm(pg.unix, "app", 12, 60):
        ends = time.monotonic() + 4
        while time.monotonic() < ends:
            state = await watched.sample()
            assert state.sample is not None
            slots = state.sample.postgres.slots
            assert slots.visible <= slots.limits.of(Tier.ORDINARY)
    assert "remaining connection slots are reserved" in pg.log.read()


async def test_a_roles_limit(pg: Postgres, clients: Clients, watch: Watcher) -> None:
    pg.sql("create role lim login connection limit 1")
    clients.admitted(pg.tcp, user="lim")
    state = await watch(pg.dsn(user="lim")).sample()
    assert state.outcome is Outcome.ROLE_LIMIT


async def test_a_databases_limit(pg: Postgres, clients: Clients, watch: Watcher) -> None:
    pg.sql("create role app login")
    pg.sql("create database small connection limit 1")
    clients.admitted(pg.tcp, user="app", database="small")
    state = await watch(pg.dsn(user="app", dbname="small")).sample()
    assert state.outcome is Outcome.DATABASE_LIMIT


async def test_in_german_too(make_postgres: MakePostgres, clients: Clients, watch: Watcher) -> None:
    """The text of every refusal is translated; the states are the same."""
    server = make_postgres(part="postgres-nls", lc_messages="de_DE.UTF-8")
    server.sql("create role app login")
    server.sql("create role lim login connection limit 0")
    server.sql("create database small connection limit 0")
    server.require_scram("app", database="secret")
    for conninfo, expected in (
        (server.dsn(user="lim"), Outcome.ROLE_LIMIT),
        (server.dsn(user="app", dbname="small"), Outcome.DATABASE_LIMIT),
        (server.dsn(user="app", dbname="secret", password="wrong"), Outcome.AUTH),
        (server.dsn(user="missing"), Outcome.AUTH),
    ):
        state = await watch(conninfo).sample()
        assert state.outcome is expected
    clients.fill(server.tcp, user="app")
    state = await watch(server.dsn(user="app")).sample()
    assert state.outcome is Outcome.RESERVED_ONLY
    assert "Verbindungen" in state.detail
    clients.fill(server.tcp)
    state = await watch(server.dsn(user="app")).sample()
    assert state.outcome is Outcome.FULL
    assert state.detail.endswith("tut mir leid, schon zu viele Verbindungen (SQLSTATE 53300)")


async def test_a_wrong_password(pg: Postgres, watch: Watcher, tmp_path: Path) -> None:
    """A rotated password is found in its file at the next attempt."""
    pg.sql("create role app login")
    pg.require_scram("app", password="right")
    file = tmp_path / "password"
    file.write_text("wrong\n")
    watched = watch(pg.dsn(user="app"), password_file=file)
    assert (await watched.sample()).outcome is Outcome.AUTH
    file.write_text("right\n")
    assert (await watched.sample()).outcome is Outcome.OK
    knocked = (await watched.knock()).knocks.newest
    assert knocked is not None
    assert knocked.outcome is Outcome.OK


@pytest.mark.majors(14, 18)
async def test_a_password_file_that_begins_with_a_byte_order_mark(
    pg: Postgres, watch: Watcher, tmp_path: Path
) -> None:
    """Scram leaves it out by itself, md5 does not."""
    pg.sql("set password_encryption = 'md5'; create role app login password 'right'")
    pg.access[:0] = ["host all app 127.0.0.1/32 md5"]
    pg.reload()
    file = tmp_path / "password"
    file.write_bytes(b"\xef\xbb\xbfright\r\n")
    state = await watch(pg.dsn(user="app"), password_file=file).sample()
    assert state.outcome is Outcome.OK, state.detail


@pytest.mark.majors(14, 18)
async def test_a_name_with_a_newline_is_told_whole(pg: Postgres, watch: Watcher) -> None:
    state = await watch(f"postgresql://postgres@127.0.0.1:{pg.port}/shop%0A").sample()
    assert state.outcome is Outcome.ERROR
    assert state.detail.endswith('database "shop\\u000a" does not exist (SQLSTATE 3D000)')


async def test_a_password_file_that_is_not_there(
    pg: Postgres, watch: Watcher, tmp_path: Path
) -> None:
    state = await watch(pg.dsn(), password_file=tmp_path / "nowhere").sample()
    assert state.outcome is Outcome.AUTH
    assert "nowhere" in state.detail


async def test_nobody_listens(watch: Watcher, tmp_path: Path) -> None:
    for host in ("127.0.0.1", str(tmp_path)):
        watched = watch(f"host={host} port={free_port()} user=x")
        assert (await watched.sample()).outcome is Outcome.UNREACHABLE
        knocked = (await watched.knock()).knocks.newest
        assert knocked is not None
        assert knocked.outcome is Outcome.UNREACHABLE


async def test_a_host_that_is_unknown(watch: Watcher) -> None:
    watched = watch("host=nowhere.invalid user=x")
    assert (await watched.sample()).outcome is Outcome.HOST_UNKNOWN
    knocked = (await watched.knock()).knocks.newest
    assert knocked is not None
    assert knocked.outcome is Outcome.HOST_UNKNOWN


@pytest.fixture
def deaf() -> Iterator[int]:
    """Return a port where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_silence_is_cut_off_on_time(watch: Watcher, deaf: int) -> None:
    watched = watch(f"host=127.0.0.1 port={deaf} user=x", connect_timeout_seconds=1.0)
    began = time.monotonic()
    state = await watched.sample()
    assert state.outcome is Outcome.TIMEOUT
    assert 1.0 <= time.monotonic() - began < 2.5


async def test_the_second_host_is_tried_when_the_first_is_silent(
    pg: Postgres, watch: Watcher, deaf: int
) -> None:
    conninfo = f"host=127.0.0.1,127.0.0.1 port={deaf},{pg.port} user=postgres dbname=postgres"
    state = await watch(conninfo, connect_timeout_seconds=0.5).sample()
    assert state.outcome is Outcome.OK


async def test_a_server_that_starts(pg: Postgres, watch: Watcher) -> None:
    """A standby that lets nobody read answers as a starting server does, until it is promoted."""
    pg.stop()
    (pg.data / "standby.signal").touch()
    pg.configure(hot_standby=False)
    watched = watch(pg.dsn())
    starting = asyncio.create_task(asyncio.to_thread(pg.start))

    async def told() -> bool:
        return (await watched.sample()).outcome is Outcome.STARTING

    await auntil(told, 10, "state that says the server starts")
    knocked = (await watched.knock()).knocks.newest
    assert knocked is not None
    assert knocked.outcome is Outcome.STARTING
    (pg.data / "promote").touch()
    os.kill(pg.pid, signal.SIGUSR1)
    await starting
    assert (await watched.sample()).outcome is Outcome.OK


async def test_a_server_that_shuts_down(pg: Postgres, watch: Watcher) -> None:
    """A smart shutdown waits for the sessions that are there: the knock tells that it does."""
    watched = watch(pg.dsn())
    await watched.sample()
    os.kill(pg.pid, signal.SIGTERM)

    async def told() -> bool:
        knocked = (await watched.knock()).knocks.newest
        return knocked is not None and knocked.outcome is Outcome.SHUTTING_DOWN

    await auntil(told, 10, "knock that says the server shuts down")
    assert (await watched.sample()).outcome is Outcome.OK
    watched.close()
    await auntil(lambda: not pg.is_running, 10, "end of the server")


async def test_sockets_that_never_say_a_word(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Nobody gets in, superusers included, and no SQL shows it: the knock does."""
    watched = watch(pg.dsn())
    await watched.sample()
    opened = 0

    async def locked_out() -> bool:
        nonlocal opened
        knocked = (await watched.knock()).knocks.newest
        assert knocked is not None
        if knocked.outcome is Outcome.FULL:
            return True
        clients.silent(pg.tcp, 5)
        opened += 5
        return False

    await auntil(locked_out, 30, "refused knock")
    assert 40 < opened < 80
    state = await watched.sample()
    assert state.outcome is Outcome.OK
    assert free_for(state, Tier.SUPERUSER) == 19
    assert state.knocks.failures[Outcome.FULL] == 1


def framed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


READY = framed(b"Z", b"I")
NONSENSE = (
    framed(b"T", struct.pack("!h", 1) + b"a\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0))
    + framed(b"D", struct.pack("!hi", 1, 3) + b"\xff\n{")
    + framed(b"C", b"SELECT 1\0")
    + READY
)


@contextlib.asynccontextmanager
async def pretender(greeting: bytes) -> AsyncIterator[str]:
    """Serve one that says *greeting* to who comes, and nonsense to whatever it is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with contextlib.closing(writer):
            length = int.from_bytes(await reader.readexactly(4), "big")
            await reader.readexactly(length - 4)
            writer.write(greeting)
            while (await reader.read(1 << 16))[:1] == b"Q":
                writer.write(NONSENSE)

    served: list[asyncio.Task[None] | None] = []

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"host=127.0.0.1 port={port} user=x sslmode=disable gssencmode=disable"
        for task in served:
            assert task is not None
            task.cancel()
        await asyncio.wait([task for task in served if task is not None])


async def test_who_answers_with_nonsense_is_no_server(watch: Watcher) -> None:
    """Then there is no sample; it is no bug of ours, and we back off as from any other trouble."""
    greeting = (
        framed(b"R", bytes(4)) + framed(b"S", b"server_version\x0017.0\0") + framed(b"K", bytes(8))
    )
    async with pretender(greeting + READY) as conninfo:
        watched = watch(conninfo, backoff_first_seconds=60.0)
        state = await watched.sample()
        assert state.outcome is Outcome.ERROR
        assert state.detail == "the answer to our statement makes no sense"
        assert watched.session.retry.seconds is not None


@pytest.mark.parametrize("answer", [framed(b"R", b""), framed(b"R", b"abc"), framed(b"v", b"")])
async def test_a_knock_that_is_answered_too_briefly(watch: Watcher, answer: bytes) -> None:
    async with pretender(answer) as conninfo:
        knock = (await watch(conninfo).knock()).knocks.newest
    assert knock is not None
    assert knock.outcome is Outcome.ERROR
    assert knock.detail.startswith("unexpected answer")
