"""Tests that the daemon survives a server that is full, frozen, killed, locked or restarted."""

import os
import signal
import time

import pytest
from tests.reliability.conftest import MakeTrial
from tests.reliability.sql import END_OURS, PIDS
from tests.reliability.trial import only_long
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers import rawclient
from tests.support.servers.clients import Clients
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(18)


def pid_of_ours(session: Session) -> int:
    ((pid,),) = session.query(PIDS)
    return int(pid or 0)


@only_long
def test_full_before_start(make_postgres: MakePostgres, clients: Clients, trial: MakeTrial) -> None:
    server = make_postgres()
    counter = rawclient.admitted(server.unix)
    clients.fill(server.unix)
    tried = trial("full before start", server.dsn(), server, passes=["full"], counter=counter)
    with tried:
        tried.shows("full")
        tried.lasts(1, 20)
        assert tried.observer.states == ["full"]
        clients.close()
        tried.over()


def test_full_while_running_and_our_backend_lost(
    make_postgres: MakePostgres, clients: Clients, trial: MakeTrial
) -> None:
    server = make_postgres()
    with trial("full while running", server.dsn(), server, passes=["full"]) as tried:
        sessions, _ = clients.fill(server.unix)
        tried.goes_on(2)
        assert tried.observer.states == ["ok"]
        ours = pid_of_ours(sessions[0])
        os.kill(ours, signal.SIGTERM)  # as pg_terminate_backend does
        end = time.monotonic() + 2
        while time.monotonic() < end and not clients.fill(server.unix, 1)[0]:
            pass
        tried.shows("full")
        tried.lasts(1, 20)
        clients.close()
        tried.over()
    assert tried.observer.states == ["ok", "full", "ok"]


@only_long
def test_max_connections_changed_by_a_restart(
    make_postgres: MakePostgres, trial: MakeTrial
) -> None:
    server = make_postgres()
    down = ["unreachable", "starting", "shutting_down"]
    with trial("other limits", server.dsn(), server, passes=down) as tried:
        server.restart(max_connections=30)
        tried.over()
    told = [line for line in tried.lines() if line["event"] == "server restarted or changed"]
    assert [line["max_connections"] for line in told] == [30]


def test_frozen(make_postgres: MakePostgres, trial: MakeTrial) -> None:
    server = make_postgres()
    with trial("frozen", server.dsn(), server, passes=["timeout"]) as tried:
        server.pause()
        tried.shows("timeout")
        tried.lasts(2, 60)
        server.resume()
        tried.over()
    assert tried.observer.states == ["ok", "timeout", "ok"]


def test_our_backend_killed(make_postgres: MakePostgres, trial: MakeTrial) -> None:
    server = make_postgres()
    down = ["unreachable", "starting", "shutting_down"]
    with trial("backend killed", server.dsn(), server, passes=down) as tried:
        session = Clients().admitted(server.unix)
        os.kill(pid_of_ours(session), signal.SIGKILL)
        session.close(abruptly=True)
        tried.over()


@only_long
def test_our_backend_terminated_again_and_again(
    make_postgres: MakePostgres, clients: Clients, trial: MakeTrial
) -> None:
    server = make_postgres()
    with trial("terminated", server.dsn(), server, passes=["error", "unreachable"]) as tried:
        session = clients.admitted(server.unix)
        seconds = tried.length(3, 20)
        end, ended = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            ended += len(session.query(END_OURS))
        tried.over()
        tried.notes.append(f"{ended} sessions of ours ended")
        assert ended >= 3


def test_a_locked_catalog(make_postgres: MakePostgres, clients: Clients, trial: MakeTrial) -> None:
    server = make_postgres()
    with trial("locked catalog", server.dsn(), server, passes=["timeout"]) as tried:
        locker = clients.admitted(server.unix)
        locker.query("begin; lock table pg_catalog.pg_database in access exclusive mode")
        locker.query(END_OURS)
        tried.shows("timeout")
        tried.lasts(1, 20)
        locker.query("rollback")
        tried.over()


@only_long
def test_statement_timeout(make_postgres: MakePostgres, clients: Clients, trial: MakeTrial) -> None:
    server = make_postgres()
    # A server that trusts us begins a session for a knock, which then waits for the lock as well.
    # There is one at a time, and none where a password is asked for.
    dsn = server.dsn()
    with trial("statement timeout", dsn, server, passes=["timeout"], two_seconds=40) as tried:
        locker = clients.admitted(server.unix)
        ours = pid_of_ours(locker)
        locker.query("begin; lock table pg_catalog.pg_database in access exclusive mode")
        tried.shows("timeout")
        tried.lasts(1, 20)
        locker.query("rollback")
        tried.over()
        until(lambda: locker.query(PIDS) == [(str(ours),)], 5, "end of the knock, and our session")
