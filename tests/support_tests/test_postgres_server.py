"""Tests that a test server does what is done to it, and leaves nothing behind."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers import rawclient
from tests.support.servers.clients import Clients
from tests.support.servers.postgres import Postgres
from tests.support.servers.process import exists, family
from tests.support.servers.wire import HangUpError, Wire

PASSWORD = "sesame"  # noqa: S105 - of a server that lives for a second


def test_a_killed_server_starts_again(pg: Postgres, clients: Clients) -> None:
    """A kill takes the whole family; the sessions notice, and a start recovers."""
    session = clients.admitted(pg.tcp)
    members = family(pg.pid)
    pg.kill()
    assert not any(map(exists, members))
    with pytest.raises((HangUpError, ConnectionError)):
        session.query("select 1")
    pg.start()
    assert pg.sql("select 1") == [("1",)]


def test_a_paused_server_is_silent(pg: Postgres, clients: Clients) -> None:
    """While it is paused nothing is answered; afterwards everything is."""
    session = clients.admitted(pg.tcp)
    pg.pause()
    session.send_query("select 1")
    line = Wire(pg.tcp, deadline_seconds=0.1)
    line.startup({"user": "postgres"})
    with pytest.raises(TimeoutError):
        next(line.messages())
    line.socket.close()
    pg.resume()
    assert session.result() == [("1",)]


def test_settings_last_until_the_test_ends(pg: Postgres) -> None:
    """A restart and a reload bring settings in."""
    pg.restart(max_connections=30)
    pg.reload(work_mem="1MB")
    assert pg.sql("show max_connections") + pg.sql("show work_mem") == [("30",), ("1MB",)]


def test_the_next_test_gets_the_server_whole(pg: Postgres) -> None:
    """Settings, roles, databases, access rules and sessions of other tests are gone."""
    rows = pg.sql("select count(*) from pg_roles where oid >= 16384")
    rows += pg.sql("select count(*) from pg_database where oid >= 16384")
    rows += pg.sql("show max_connections")
    assert rows == [("0",), ("0",), ("20",)]
    assert len(pg.client_pids()) <= 1  # the session of the last question may be ending


def test_reset_takes_everything_back(make_postgres: MakePostgres, clients: Clients) -> None:
    """Whatever a test leaves behind, stalled logins and a pause included, `reset` undoes."""
    server = make_postgres(max_connections=10)
    server.sql("create role owner login; grant create on schema public to owner")
    server.sql("create table t ()", user="owner")
    server.sql("create database other owner owner is_template true")
    server.sql("alter system set work_mem = '2MB'")
    server.require_scram("stalled")
    clients.stall(server.tcp, 3, user="stalled")
    clients.silent(server.tcp, 3)
    server.pause()
    server.reset()
    assert server.client_pids() == []
    assert server.sql("select count(*) from pg_roles where oid >= 16384") == [("0",)]
    assert server.sql("show work_mem") + server.sql("show max_connections") == [("4MB",), ("10",)]
    assert isinstance(rawclient.connect(server.tcp, user="stalled"), rawclient.Refused)


def test_libpq_gets_in_by_password_and_tls(make_postgres: MakePostgres) -> None:
    """The DSN serves a real driver, over TLS and with SCRAM."""
    server = make_postgres(tls=True)
    server.sql("create role app login")
    server.require_scram("app", password=PASSWORD)
    with psycopg.connect(server.dsn(user="app", password=PASSWORD, sslmode="require")) as session:
        row = session.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
    assert row == (True,)


@pytest.mark.parametrize("ending", ["close", "kill"])
def test_nothing_is_left(make_postgres: MakePostgres, ending: str) -> None:
    """A server that was killed leaves as little as one that was closed."""
    server = make_postgres()
    members, folder = family(server.pid), server.socket_directory
    segment = (server.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
    if ending == "kill":
        server.kill()
    server.close()
    assert not folder.exists()
    assert not any(map(exists, members))
    segments = Path("/proc/sysvipc/shm").read_text(encoding="ascii").split()
    assert segment not in segments


def test_psycopg_hides_what_the_oracle_sees(pg: Postgres, clients: Clients) -> None:
    """The driver gives no SQLSTATE for a refused login: the reason for a raw client."""
    clients.fill(pg.tcp)
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(pg.dsn())
    assert caught.value.sqlstate is None


def test_programs_run_as_an_ordinary_user(pg: Postgres) -> None:
    """Under root everything runs as nobody."""
    owner = Path(f"/proc/{pg.pid}").stat().st_uid
    assert owner == (os.geteuid() or int(subprocess.check_output(["id", "-u", "nobody"])))
