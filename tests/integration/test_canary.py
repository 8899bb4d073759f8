"""Tests that the canary tells whether an application gets in, and costs no slot."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from tests.integration.conftest import MakeHeadroom
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom, run
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(18)

HERE = "select count(*) from pg_stat_activity where application_name = 'pgheadroom canary'"


def config(server: Postgres, user: str = "canary", **more: str) -> str:
    lines = "".join(f"{name}: {value}\n" for name, value in more.items())
    return (
        f'{lines}canary_interval_seconds: 1\ntargets: {{db: {{dsn: "{server.dsn()}",'
        f' canary_dsn: "{server.dsn(user=user)}"}}}}'
    )


def logins(daemon: Headroom) -> float:
    return daemon.metric('pgheadroom_canary_seconds_count{target="db"}') or 0


def test_from_room_to_none_and_back(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients
) -> None:
    """What pages, what is exported, shown and logged, while our own session is fine."""
    pg.sql("create role canary login")
    daemon = make_headroom(config(pg, resolve_hold_seconds="1"))
    until(lambda: daemon.metric('pgheadroom_canary_up{target="db"}') == 1, 5, "canary that got in")
    clients.fill(pg.tcp, user="canary")
    fires = (
        'pgheadroom_alert{alertname="PostgresConnectionsRefused",severity="critical",target="db"}'
    )
    until(lambda: daemon.metric(fires) == 1, 5, "page about refused logins")
    assert daemon.metric('pgheadroom_canary_up{target="db"}') == 0
    assert daemon.metric('pgheadroom_up{target="db"}') == 1
    refusals = 'pgheadroom_canary_failures_total{state="reserved_only",target="db"}'
    assert (daemon.metric(refusals) or 0) >= 1
    seen = json.loads(daemon.page("/api/v1/targets/db"))["canary"]
    assert seen["state"] == "reserved_only"
    assert "SQLSTATE 53300" in seen["detail"]
    clients.close()
    until(lambda: daemon.metric('pgheadroom_canary_up{target="db"}') == 1, 6, "canary is back")
    until(lambda: daemon.metric(fires) == 0, 5, "end of the page")
    daemon.stop()
    log = daemon.log.read()
    (refused,) = [line for line in log.splitlines() if "canary login failed" in line]
    assert "retry_seconds=" in refused
    assert log.count("canary logs in again") == 1


def test_it_is_one_at_most_and_gone_between(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    """Seen by an observer that looks all the time."""
    pg.sql("create role canary login")
    daemon = make_headroom(config(pg))
    until(lambda: logins(daemon) == 1, 5, "first login")
    counted: list[int] = []

    def several_logins() -> bool:
        if len(counted) % 500 == 499 and logins(daemon) >= 6:
            return True
        counted.append(int(observer.query(HERE)[0][0] or 0))
        return False

    with Clients().admitted(pg.unix) as observer:
        ends = time.monotonic() + 15
        while not several_logins():
            assert time.monotonic() < ends
    assert max(counted) <= 1
    assert sum(counted) < 0.3 * len(counted), "there for a small part of the time only"


def test_a_superuser_is_no_canary(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(config(pg, user="postgres"))
    until(lambda: logins(daemon) >= 2, 10, "second login")
    assert daemon.log.read().count("the canary proves nothing for applications") == 1


def test_without_one_there_is_no_series_of_it(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(f'targets: {{db: "{pg.dsn()}"}}')
    daemon.ready()
    assert "pgheadroom_canary" not in daemon.page()
    assert json.loads(daemon.page("/api/v1/targets/db"))["canary"] is None


def test_promtool_has_nothing_to_say(
    pg: Postgres, make_headroom: MakeHeadroom, promtool: Path
) -> None:
    pg.sql("create role canary login")
    daemon = make_headroom(config(pg))
    until(lambda: logins(daemon) >= 1, 5, "login")
    page = daemon.page().encode()
    done = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_check_tries_it(pg: Postgres) -> None:
    pg.sql("create role canary login")
    single = ("check", "--dsn", pg.dsn(), "--canary-dsn")
    done = run(*single, pg.dsn(user="canary"))
    assert done.returncode == 0
    assert "canary logs in within" in done.stdout
    assert "proves nothing" not in done.stdout
    pg.sql("grant pg_use_reserved_connections to canary")
    done = run(*single, pg.dsn(user="canary"))
    assert done.returncode == 0
    assert "member of pg_use_reserved_connections" in " ".join(done.stdout.split())
    done = run("check", PGHEADROOM_DSN=pg.dsn(), PGHEADROOM_CANARY_DSN=pg.dsn(user="nobody"))
    assert done.returncode == 1
    assert "the canary cannot log in: auth" in done.stdout
