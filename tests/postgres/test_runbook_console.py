"""Tests that PgBouncer's console takes what the runbooks say, in its oldest and newest version."""

import csv
import io
import os
import subprocess
from collections.abc import Sequence
from typing import Final

import pytest
from tests.postgres.test_runbook_sql import BLOCKS, POOLER, Block, Rows, block, psql
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import clean_environment
from tests.support.servers.pgbouncer import ADMIN, PgBouncer
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Refused, Session
from tests.support.servers.wait import until

from pgheadroom.demo.binaries import newest_install

pytestmark = [
    pytest.mark.majors(17),
    pytest.mark.parametrize("program", ["pgbouncer", "pgbouncer-newest"]),
]

CONSOLE: Final = tuple(
    line for b in BLOCKS if b.where == POOLER for line in b.text.splitlines() if line
)
"""Each line that is to be pasted into the console."""
QUESTIONS: Final = sorted({line for line in CONSOLE if line.startswith("SHOW")})
ORDERS: Final = {line for line in CONSOLE if not line.startswith("SHOW")}


def make(pg: Postgres, make_pgbouncer: MakePgBouncer, program: str) -> PgBouncer:
    """Return a pooler with the database and the user that the runbooks' examples speak of."""
    pg.sql("create role app login")
    return make_pgbouncer(pg, {"shop": "dbname=postgres"}, ["app"], program, max_client_conn=20)


def console(pooler: PgBouncer, *lines: str) -> Rows:
    """Paste *lines* into the console and return the rows of the last answer."""
    text = psql(pooler.dsn(user=ADMIN, dbname="pgbouncer"), "\n".join(lines) + "\n")
    return list(csv.DictReader(io.StringIO(text)))


def setting(pooler: PgBouncer, name: str) -> str:
    (value,) = (row["value"] for row in console(pooler, "SHOW CONFIG;") if row["key"] == name)
    return value


def shell(pooler: PgBouncer, one: Block, **replaced: str) -> Sequence[str]:
    """Run a block of shell against *pooler* and return the lines that it prints."""
    text = one.text.replace("POOLER_HOST", LOOPBACK).replace("-p 6432", f"-p {pooler.port}")
    for old, new in replaced.items():
        text = text.replace(old, new)
    path = os.pathsep.join((str(newest_install() / "bin"), os.environ["PATH"]))
    environment = {**clean_environment(), "PATH": path}
    done = subprocess.run(
        ["sh", "-c", text], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_every_question_is_answered(
    pg: Postgres, make_pgbouncer: MakePgBouncer, clients: Clients, program: str
) -> None:
    """And the columns that the texts name are there."""
    pooler = make(pg, make_pgbouncer, program)
    clients.admitted(pooler.tcp, user="app", database="shop").query("select 1")
    answers = {line: console(pooler, line) for line in QUESTIONS}
    assert all(answers.values())
    (pool,) = (row for row in answers["SHOW POOLS;"] if row["database"] == "shop")
    assert {"cl_active", "cl_waiting", "maxwait", "sv_login"} <= set(pool)
    assert sum(int(value) for name, value in pool.items() if name.startswith("sv_")) == 1
    (entry,) = (row for row in answers["SHOW DATABASES;"] if row["name"] == "shop")
    assert {"pool_size", "current_connections", "max_connections"} <= set(entry)
    assert {"paused", "disabled"} <= set(entry)
    assert ("current_client_connections" in entry) == (program == "pgbouncer-newest")
    assert {"remote_pid", "link"} <= set(answers["SHOW SERVERS;"][0])
    assert "ptr" in answers["SHOW CLIENTS;"][0]
    assert "used_clients" in {row["list"] for row in answers["SHOW LISTS;"]}


def test_every_order_is_obeyed(
    pg: Postgres, make_pgbouncer: MakePgBouncer, clients: Clients, program: str
) -> None:
    pooler = make(pg, make_pgbouncer, program)
    client = clients.admitted(pooler.tcp, user="app", database="shop")
    assert {
        *("RESUME shop;", "RESUME;", "ENABLE shop;", "RELOAD;"),
        "SET max_client_conn = 200;",
        "SET default_pool_size = 25;",
        "SET query_wait_timeout = 10;",
    } == ORDERS
    for pause, resume in (("PAUSE shop;", "RESUME shop;"), ("PAUSE;", "RESUME;")):
        console(pooler, pause)
        client.send_query("select 1")
        until(lambda: console(pooler, "SHOW POOLS;")[-1]["cl_waiting"] == "1", 10, "its wait")
        console(pooler, resume)
        until(lambda: console(pooler, "SHOW POOLS;")[-1]["cl_waiting"] == "0", 10, "its turn")
        client.close()
        client = clients.admitted(pooler.tcp, user="app", database="shop")
    console(pooler, "DISABLE shop;")
    refused = clients.connect(pooler.tcp, user="app", database="shop")
    assert isinstance(refused, Refused)
    assert refused.message == 'database "shop" is disabled'
    assert client.query("select 1") == [("1",)]
    console(pooler, "ENABLE shop;")
    assert isinstance(clients.connect(pooler.tcp, user="app", database="shop"), Session)
    for name, value in (("max_client_conn", "200"), ("default_pool_size", "25")):
        console(pooler, f"SET {name} = {value};")
        assert setting(pooler, name) == value
    console(pooler, "SET query_wait_timeout = 10;")
    assert float(setting(pooler, "query_wait_timeout")) == 10
    console(pooler, "RELOAD;")
    assert setting(pooler, "max_client_conn") == "20"
    assert setting(pooler, "default_pool_size") == "20"


def test_a_full_pooler_says_so_and_lets_the_administrator_in(
    pg: Postgres, make_pgbouncer: MakePgBouncer, clients: Clients, program: str
) -> None:
    """Where the limit is raised, which holds at once."""
    pooler = make(pg, make_pgbouncer, program)
    held, refused = clients.fill(pooler.tcp, user="app", database="shop")
    assert len(held) == 20
    assert refused is not None
    assert refused.message == "no more connections allowed (max_client_conn)"
    assert refused.sqlstate == "08P01"
    console(pooler, "SET max_client_conn = 200;")
    assert isinstance(clients.connect(pooler.tcp, user="app", database="shop"), Session)


def test_who_holds_the_places_and_since_when(
    pg: Postgres, make_pgbouncer: MakePgBouncer, clients: Clients, program: str
) -> None:
    pooler = make(pg, make_pgbouncer, program)
    clients.fill(pooler.tcp, 5, user="app", database="shop", application_name="nest-api")
    clients.admitted(pooler.tcp, user="app", database="shop", application_name="cron")
    state = "idle" if program == "pgbouncer-newest" else "active"
    first, *others = shell(pooler, block("PoolerClientsExhausted", "sort -rn", "sh"))
    assert first == f"5 shop/app  nest-api  127.0.0.1  {state}"
    assert f"1 shop/app  cron  127.0.0.1  {state}" in others
    newest = shell(pooler, block("PoolerClientsExhaustionImminent", "sort -r ", "sh"))
    minutes = [line.split("  ") for line in newest]
    assert sum(int(n[-1]) for n in minutes if n[1] == "nest-api") == 5
    assert [minute[0] for minute in minutes] == sorted((m[0] for m in minutes), reverse=True)


def test_the_log_tells_who_paused_it(
    pg: Postgres, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    pooler = make(pg, make_pgbouncer, program)
    console(pooler, "PAUSE shop;")
    asking = block("PoolerPaused", "command issued", "sh")
    log = {"/var/log/postgresql/pgbouncer.log": str(pooler.log.path)}
    who, what = shell(pooler, asking, **log)
    assert f"pgbouncer/{ADMIN}@127.0.0.1" in who
    assert "PAUSE 'shop' command issued" in what


def test_descriptors_are_counted(pg: Postgres, make_pgbouncer: MakePgBouncer, program: str) -> None:
    pooler = make(pg, make_pgbouncer, program)
    asking = block("PoolerClientsExhausted", "/proc/", "sh")
    (line,) = shell(pooler, asking, **{"$(pidof pgbouncer)": str(pooler.pid)})
    assert line.startswith(f"process {pooler.pid}: ")
    assert "Max open files" in line
    told = pooler.log.read()
    assert "kernel file descriptor limit: " in told
    assert "max_client_conn: 20, max expected fd use: " in told
