"""Tests the daemon with a server and the PgBouncer in front of it."""

import os
import signal
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from tests.integration.conftest import MakeHeadroom
from tests.support.fixtures.postgres import MakePostgres
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.needs import need
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom, run
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(17)

INSTANCES = 150
DATABASES = ("shop", "bill", "mail")
ROLES = ("api", "web", "job", "cron")


def instances(
    clients: Clients, pooler: PgBouncer, databases: tuple[str, ...], roles: tuple[str, ...]
) -> list[Session]:
    """Return as many clients of the pooler, spread over its databases and roles."""
    found = []
    for number in range(INSTANCES):
        session = clients.connect(
            pooler.tcp,
            user=roles[number % len(roles)],
            database=databases[number // len(roles) % len(databases)],
            application_name=f"fn-{number}",
        )
        assert isinstance(session, Session), session
        session.query("select 1")
        found.append(session)
    return found


def alerts(daemon: Headroom, target: str) -> Mapping[tuple[str, str], Any]:
    answer = requests.get(f"{daemon.url}/api/v1/targets/{target}", timeout=10).json()
    return {(one["alertname"], one["severity"]): one for one in answer["alerts"]}


def server_for(make_postgres: MakePostgres) -> Postgres:
    server = make_postgres(17, max_connections=100)
    for role in ROLES:
        server.sql(f"create role {role} login")
    return server


def config(server: Postgres, pooler: PgBouncer) -> str:
    return (
        "overcommit_hold_seconds: 2\n"
        f'targets: {{orders: "{server.dsn()}", pool: "{pooler.console}"}}\n'
    )


def test_many_instances_through_one_pool_are_quiet(
    make_postgres: MakePostgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    clients: Clients,
) -> None:
    """A hundred and fifty of them share twenty slots, also while all of them are busy."""
    server = server_for(make_postgres)
    pooler = make_pgbouncer(
        server, {"shop": "dbname=postgres pool_size=20"}, ["api"], max_client_conn=400
    )
    daemon = make_headroom(config(server, pooler))
    sessions = instances(clients, pooler, ("shop",), ("api",))
    for _ in range(3):
        for session in sessions:
            session.send_query("select pg_sleep(0.05)")
        for session in sessions:
            session.result()
    used = 'pgheadroom_slots_used{target="orders"}'
    until(lambda: daemon.metric('pgheadroom_slots_direct{target="orders"}') is not None, 40, "it")
    assert (daemon.metric(used) or 0) <= 25
    over = 'pgheadroom_overcommitted_slots{target="orders"}'
    assert daemon.metric(over) == 0
    assert daemon.metric('pgheadroom_pooler_clients{target="pool"}') == INSTANCES + 1
    for target in ("orders", "pool"):
        assert alerts(daemon, target) == {}


def test_many_small_pools_are_warned_of_and_then_paged(
    make_postgres: MakePostgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    clients: Clients,
) -> None:
    """Twelve pools of ten are 120; warned while nearly all is free, paged when they are used."""
    server = server_for(make_postgres)
    entries = dict.fromkeys(DATABASES, "dbname=postgres pool_size=10")
    pooler = make_pgbouncer(server, entries, ROLES, "pgbouncer-newest", max_client_conn=400)
    daemon = make_headroom(config(server, pooler))
    sessions = instances(clients, pooler, DATABASES, ROLES)
    warning = ("PostgresSlotsOvercommitted", "warning")
    until(lambda: warning in alerts(daemon, "orders"), 40, "the warning")
    free = daemon.metric('pgheadroom_slots_free{target="orders",tier="ordinary"}')
    assert free is not None
    assert free > 70
    described = alerts(daemon, "orders")[warning]["description"]
    assert "pool may open 120 connections by its 12 pools" in described
    assert "there are 95 ordinary slots: over-committed by" in described
    page = ("PostgresConnectionsExhausted", "critical")
    assert page not in alerts(daemon, "orders")
    for session in sessions:
        session.send_query("select pg_sleep(60)")
    until(lambda: page in alerts(daemon, "orders"), 30, "the page")
    found = alerts(daemon, "orders")[page]
    assert found["application_name"] == "fn-*"
    assert "through pool" in found["description"]
    queue = ("PoolerQueueGrowing", "critical")
    until(lambda: queue in alerts(daemon, "pool"), 40, "the page of the queue")
    assert alerts(daemon, "pool")[queue]["application_name"] == "fn-*"


def test_check_prints_the_arithmetic(
    make_postgres: MakePostgres, make_pgbouncer: MakePgBouncer, clients: Clients
) -> None:
    """And what the pooler serves, what bounds it, and which of several processes is watched."""
    server = server_for(make_postgres)
    entries = dict.fromkeys(DATABASES, "dbname=postgres pool_size=10")
    pooler = make_pgbouncer(
        server,
        entries,
        ROLES,
        "pgbouncer-newest",
        max_client_conn=400,
        query_wait_timeout=0,
        so_reuseport=1,
    )
    instances(clients, pooler, DATABASES, ROLES)
    ended = run(
        "check", "--targets", f"orders={server.dsn()}", "--targets", f"pool={pooler.console}"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for words in (
        "slots; its settings allow 120",
        "pool may open 120 connections by its 12 pools",
        "there are 95 ordinary slots: over-committed by",
        "serves orders",
        "this is one of several processes that share a port",
        "query_wait_timeout is 0",
    ):
        assert words in " ".join(ended.stdout.split()), ended.stdout


def test_one_of_several_peers_is_told(make_postgres: MakePostgres) -> None:
    server = server_for(make_postgres)
    pooler = PgBouncer(need("pgbouncer-newest"), server, {"shop": "dbname=postgres"}, peer_id=1)
    pooler.peers = (1, 2, 3)
    with pooler:
        ended = run("check", "--targets", f"pool={pooler.console}")
    assert "this is 1 of 3 processes that share a port" in ended.stdout, ended.stdout


def test_a_wrong_kind_is_one_clear_line(
    make_postgres: MakePostgres, make_pgbouncer: MakePgBouncer
) -> None:
    server = server_for(make_postgres)
    pooler = make_pgbouncer(server)
    ended = run(
        "check",
        *("--targets", f'{{"pool": {{"kind": "pgbouncer", "dsn": "{server.dsn()}"}}}}'),
        *("--targets", f'{{"db": {{"kind": "postgres", "dsn": "{pooler.console}"}}}}'),
    )
    assert ended.returncode == 1
    assert "this is a database and not PgBouncer's console" in ended.stdout
    assert "this is PgBouncer's console and no PostgreSQL server" in ended.stdout


class _Page(BaseHTTPRequestHandler):
    """Serves the figures of a real PgBouncer as CloudNativePG's pooler pods do."""

    pooler: PgBouncer

    def do_GET(self) -> None:
        """Answer with what the console says now."""
        lines = [
            f"cnpg_pgbouncer_lists_{name} {count}" for name, count in self.pooler.show("lists")
        ]
        for row in self.pooler.show("pools"):
            labels = f'{{database="{row[0]}",user="{row[1]}"}}'
            for name, value in zip(_POOLS_1_18, row[2:15], strict=True):
                lines.append(f"cnpg_pgbouncer_pools_{name}{labels} {value}")
        body = "\n".join(lines).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


_POOLS_1_18 = (
    *("cl_active", "cl_waiting", "cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active"),
    *("sv_active_cancel", "sv_wait_cancels", "sv_idle", "sv_used", "sv_tested", "sv_login"),
    *("maxwait", "maxwait_us"),
)


def test_a_pooler_whose_console_is_closed_is_watched_by_its_exporter(
    make_postgres: MakePostgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    clients: Clients,
) -> None:
    """The operator itself cannot run here: its page is made of a real PgBouncer's figures."""
    server = server_for(make_postgres)
    pooler = make_pgbouncer(server, {"shop": "dbname=postgres pool_size=2"}, ["api"])
    for number in range(5):
        session = clients.connect(
            pooler.tcp, user="api", database="shop", application_name=f"fn-{number}"
        )
        assert isinstance(session, Session)
        session.send_query("select pg_sleep(60)")
    page = type("Page", (_Page,), {"pooler": pooler})
    with ThreadingHTTPServer(("127.0.0.1", 0), page) as exporter:
        threading.Thread(target=exporter.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{exporter.server_port}/metrics"
        daemon = make_headroom(
            f"""targets:
  orders: "{server.dsn()}"
  pool: {{metrics_url: "{url}", max_client_conn: 100, default_pool_size: 2, serves: orders}}
"""
        )
        waiting = 'pgheadroom_pooler_waiting{database="shop",role="api",target="pool"}'
        until(lambda: daemon.metric(waiting) == 3, 20, "those that wait")
        pooled = 'pgheadroom_slots_pooled{pooler="pool",target="orders"}'
        until(lambda: daemon.metric(pooled) == 2, 20, "its slots")
        assert daemon.metric('pgheadroom_pooler_client_limit{target="pool"}') == 100
        exporter.shutdown()
    state = 'pgheadroom_target_state{state="unreachable",target="pool"}'
    until(lambda: daemon.metric(state) == 1, 20, "its end")


def test_a_pooler_that_is_added_by_a_reload_is_traced(
    make_postgres: MakePostgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    clients: Clients,
) -> None:
    server = server_for(make_postgres)
    pooler = make_pgbouncer(server, {"shop": "dbname=postgres"}, ["api"])
    session = clients.connect(pooler.tcp, user="api", database="shop")
    assert isinstance(session, Session)
    session.query("begin")
    alone = f'targets: {{orders: "{server.dsn()}"}}\n'
    daemon = make_headroom(alone)
    daemon.ready()
    daemon.config.write_text(f'targets: {{orders: "{server.dsn()}", pool: "{pooler.console}"}}\n')
    os.kill(daemon.pid, signal.SIGHUP)
    pooled = 'pgheadroom_slots_pooled{pooler="pool",target="orders"}'
    until(lambda: daemon.metric(pooled) == 1, 40, "its slot")
    daemon.config.write_text(alone)
    os.kill(daemon.pid, signal.SIGHUP)
    until(lambda: daemon.metric(pooled) is None, 20, "its end")
