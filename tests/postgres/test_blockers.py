"""Tests that who blocks whom is told as it is: the roots, and who waits for them."""

import asyncio
import time
from typing import NamedTuple

import pytest
from tests.postgres.conftest import Watch, Watcher
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers.clients import Clients
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import auntil, until

from pgheadroom.model.blockers import Blocker, Blockers
from pgheadroom.model.names import NameFolder
from pgheadroom.model.reading import Outcome, Sample
from pgheadroom.postgres import asides
from pgheadroom.postgres.login import ConnectOptions
from pgheadroom.state import State
from pgheadroom.step import Policy, step
from pgheadroom.storage.recording import line_of, parse

_SECONDS = 30.0


class Lockers(NamedTuple):
    """Opens sessions that hold locks on the rows of a table, and that wait for them."""

    server: Postgres
    clients: Clients

    @classmethod
    def on(cls, server: Postgres, clients: Clients) -> "Lockers":
        """Make the table, and the role that watches."""
        server.sql(
            "drop table if exists goods; create table goods as select generate_series(1, 9) as id"
        )
        server.sql("create role watcher login in role pg_monitor")
        return cls(server, clients)

    def holds(self, row: int, application: str) -> Session:
        """Have a new session lock *row* in a transaction that stays open."""
        session = self.clients.admitted(self.server.unix, application_name=application)
        session.query("begin")
        session.query(f"select from goods where id = {row} for update")
        return session

    def waits(self, row: int, application: str) -> Session:
        """Have a new session wait for *row*."""
        session = self.clients.admitted(self.server.unix, application_name=application)
        self.blocks(session, row)
        return session

    def blocks(self, session: Session, row: int) -> None:
        """Have *session* wait for *row*."""
        session.send_query(f"select from goods where id = {row} for update")
        waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock'"
        until(lambda: (str(session.pid),) in self.server.sql(waiting), _SECONDS, "wait for a lock")


async def found(watched: Watch) -> Blockers:
    blockers = (await watched.sample()).blockers
    assert blockers is not None
    return blockers


async def root(watched: Watch) -> Blocker:
    (only,) = (await found(watched)).roots
    return only


@pytest.mark.majors(14, 17, 18)
async def test_a_chain_has_one_root(pg: Postgres, clients: Clients, watch: Watcher) -> None:
    lockers = Lockers.on(pg, clients)
    first = lockers.holds(1, "report")
    second = lockers.holds(2, "api-1")
    lockers.blocks(second, 1)
    lockers.waits(2, "api-2")
    began = time.time()
    watched = watch(pg.dsn(user="watcher"))
    blockers = await found(watched)
    assert began <= blockers.at <= time.time()
    assert (blockers.waiting, blockers.looked_at) == (2, 2)
    (only,) = blockers.roots
    assert (only.pid, only.kind, only.state) == (first.pid, "client backend", "idle in transaction")
    assert (only.application_name, only.role, only.database) == ("report", "postgres", "postgres")
    assert only.blocks == 2
    assert only.applications == (("api-*", 2),)
    assert only.transaction_seconds is not None
    assert 0 < only.longest_wait_seconds <= only.transaction_seconds < _SECONDS


@pytest.mark.majors(14, 18)
async def test_when_nobody_waits_any_more_nobody_blocks(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    lockers = Lockers.on(pg, clients)
    first = lockers.holds(1, "report")
    lockers.waits(1, "api")
    lockers.waits(1, "api")
    watched = watch(pg.dsn(user="watcher"))
    assert (await root(watched)).blocks == 2
    first.leave()

    async def over() -> bool:
        return (await watched.sample()).blockers is None

    await auntil(over, _SECONDS, "end of the queue")


@pytest.mark.majors(14, 18)
async def test_one_that_waits_is_no_queue(pg: Postgres, clients: Clients, watch: Watcher) -> None:
    lockers = Lockers.on(pg, clients)
    lockers.holds(1, "report")
    lockers.waits(1, "api")
    state = await watch(pg.dsn(user="watcher")).sample()
    assert state.sample is not None
    assert state.sample.postgres.waiting == 1
    assert state.blockers is None


@pytest.mark.majors(14, 18)
async def test_a_role_that_may_not_look_asks_nothing(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    lockers = Lockers.on(pg, clients)
    pg.sql("create role bare login")
    lockers.holds(1, "report")
    lockers.waits(1, "api")
    lockers.waits(1, "api")
    state = await watch(pg.dsn(user="bare")).sample()
    assert state.sample is not None
    assert state.sample.postgres.waiting == 0
    assert state.blockers is None


@pytest.mark.majors(14, 18)
async def test_of_many_who_wait_the_root_is_found(
    make_postgres: MakePostgres, clients: Clients, watch: Watcher, major: int
) -> None:
    """The one that everybody waits for begins to wait last: it is looked at all the same."""
    server = make_postgres(major, max_connections=120)
    lockers = Lockers.on(server, clients)
    first, second = lockers.holds(1, "report"), lockers.holds(2, "middle")
    for _ in range(80):
        lockers.waits(2, "api")
    lockers.blocks(second, 1)
    watched = watch(server.dsn(user="watcher"))
    blockers = await found(watched)
    assert blockers.waiting == 81
    assert 40 < blockers.looked_at <= 50
    (only,) = blockers.roots
    assert only.pid == first.pid
    assert only.blocks == blockers.looked_at
    assert only.applications == (("api", only.blocks - 1), ("middle", 1))


@pytest.mark.majors(14, 18)
async def test_the_longest_queues_of_many(
    make_postgres: MakePostgres, clients: Clients, watch: Watcher, major: int
) -> None:
    server = make_postgres(major, max_connections=60)
    lockers = Lockers.on(server, clients)
    holders = [lockers.holds(row, f"holder{row}") for row in range(1, 8)]
    for row in range(1, 8):
        for _ in range(row):
            lockers.waits(row, "api")
    blockers = await found(watch(server.dsn(user="watcher")))
    assert blockers.waiting == blockers.looked_at == 28
    assert [one.pid for one in blockers.roots] == [one.pid for one in holders[:1:-1]]
    assert [one.blocks for one in blockers.roots] == [7, 6, 5, 4, 3]


@pytest.mark.majors(14, 18)
async def test_a_prepared_transaction_is_called_so(
    make_postgres: MakePostgres, clients: Clients, watch: Watcher, major: int
) -> None:
    server = make_postgres(major, max_prepared_transactions=4)
    lockers = Lockers.on(server, clients)
    session = lockers.holds(1, "broker")
    session.query("prepare transaction 'left behind'")
    lockers.waits(1, "api")
    lockers.waits(1, "api")
    only = await root(watch(server.dsn(user="watcher")))
    assert (only.pid, only.kind, only.state) == (0, "prepared transaction", "prepared")
    assert (only.role, only.database, only.blocks) == ("postgres", "postgres", 2)
    assert only.transaction_seconds is not None
    lockers.holds(2, "broker").query("prepare transaction 'another one'")
    only = await root(watch(server.dsn(user="watcher")))
    assert (only.pid, only.kind, only.blocks) == (0, "prepared transaction", 2)
    assert (only.role, only.database, only.transaction_seconds) == ("", "", None)
    for name in ("left behind", "another one"):
        server.sql(f"rollback prepared '{name}'")


@pytest.mark.majors(14, 18)
async def test_autovacuum_is_called_so(
    make_postgres: MakePostgres, clients: Clients, watch: Watcher, major: int
) -> None:
    server = make_postgres(
        major,
        autovacuum_naptime=1,
        autovacuum_vacuum_cost_limit=1,
        autovacuum_vacuum_cost_delay=100,
        # Who waits for longer than this has autovacuum cancelled.
        deadlock_timeout="60s",
    )
    Lockers.on(server, clients)
    server.sql("create table big as select generate_series(1, 200000) g")
    server.sql("delete from big")
    holds = (
        "select l.pid from pg_locks l join pg_stat_activity a using (pid)"
        " where a.backend_type = 'autovacuum worker' and l.relation = 'big'::regclass"
    )
    ((pid,),) = await auntil(lambda: server.sql(holds), 60, "autovacuum of the table")
    for number in range(2):
        session = clients.admitted(server.unix, application_name=f"migration{number}")
        session.send_query("alter table big add column if not exists h int")
    watched = watch(server.dsn(user="watcher"))

    async def blocked() -> Blockers | None:
        return (await watched.sample()).blockers

    (only,) = (await auntil(blocked, _SECONDS, "queue behind autovacuum")).roots
    assert (only.pid, only.kind) == (int(pid or 0), "autovacuum worker")
    assert (only.database, only.role, only.application_name) == ("postgres", "", "")
    assert only.blocks == 2
    server.kill()


@pytest.mark.majors(14, 18)
async def test_names_that_mean_harm(pg: Postgres, clients: Clients, watch: Watcher) -> None:
    """What parts the answer may be part of a name; and a role may be called anything."""
    lockers = Lockers.on(pg, clients)
    evil = "1 2,3}<!channel>"
    pg.sql('create role "a,b ""c\u202e" login superuser')
    first = clients.admitted(pg.unix, user='a,b "c\u202e', application_name=evil)
    first.query("begin; select from goods where id = 1 for update")
    lockers.waits(1, evil)
    lockers.waits(1, evil)
    only = await root(watch(pg.dsn(user="watcher")))
    assert (only.pid, only.application_name, only.blocks) == (first.pid, evil, 2)
    assert only.role == 'a,b "c\\u202e'
    assert only.applications == ((evil, 2),)


@pytest.mark.majors(14, 18)
async def test_the_session_is_of_use_afterwards(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """The statement's own settings end with it."""
    lockers = Lockers.on(pg, clients)
    lockers.holds(1, "report")
    lockers.waits(1, "api")
    lockers.waits(1, "api")
    watched = watch(pg.dsn(user="watcher"))
    await root(watched)
    connection = watched.session._connection  # noqa: SLF001 - tests may look
    assert connection is not None
    assert await connection.query(b"show statement_timeout") == [(b"2400ms",)]
    pid, session = watched.backend_pid, watched.session
    one, (blockers, _), other = await asyncio.gather(
        session.read(), session.who_blocks(), session.read()
    )
    assert isinstance(one, Sample)
    assert isinstance(other, Sample)
    assert blockers is not None
    assert blockers.waiting == 2
    assert watched.backend_pid == pid


@pytest.mark.majors(14, 18)
async def test_no_answer_is_no_failed_reading(pg: Postgres, watch: Watcher) -> None:
    """Nor is one that makes no sense; and the session is of use afterwards."""
    watched = watch(pg.dsn())
    await watched.sample()
    connection = watched.session._connection  # noqa: SLF001 - tests may look
    assert connection is not None
    for sql in (
        b"select 1/0",
        b"select 1",
        b"set local statement_timeout = 50; select pg_sleep(9)",
    ):
        blockers, seconds = await asides.who_blocks(connection, sql)
        assert blockers is None
        assert seconds < 5
    assert isinstance(await watched.session.read(), Sample)


@pytest.mark.majors(14, 18)
async def test_a_server_that_does_not_answer_is_given_up(pg: Postgres, watch: Watcher) -> None:
    watched = watch(pg.dsn(), read_timeout_seconds=0.4)
    await watched.sample()
    pid = watched.backend_pid
    pg.pause()
    assert await watched.session.who_blocks() == (None, 0.4)
    assert watched.session.newest is None
    assert await watched.session.who_blocks() == (None, 0.0)
    pg.resume()

    async def back() -> bool:
        return (await watched.sample()).outcome is Outcome.OK and watched.backend_pid != pid

    await auntil(back, _SECONDS, "new session")


@pytest.mark.majors(14, 18)
async def test_who_blocked_is_in_the_recording_with_the_sample_after_it(
    pg: Postgres, clients: Clients
) -> None:
    lockers = Lockers.on(pg, clients)
    lockers.holds(1, "report")
    lockers.waits(1, "api")
    lockers.waits(1, "api")
    lines: list[str] = []
    watched = Watch(
        ConnectOptions("db", pg.dsn(user="watcher")),
        on_reading=lambda _, reading: lines.append(line_of(reading)),
    )
    live = await found(watched)
    await watched.sample()
    watched.close()
    state = State("db")
    for line in lines:
        state = step(state, parse(line), Policy(NameFolder().fold))
    assert ["blockers" in line for line in lines] == [False, True]
    played = state.blockers
    assert played is not None
    assert played.at == pytest.approx(live.at, abs=0.001)
    assert [one.pid for one in played.roots] == [one.pid for one in live.roots]
