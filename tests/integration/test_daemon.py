"""Tests that the daemon serves what it samples, stays up, and ends when it is asked to."""

import gzip
import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.conftest import MakeHeadroom
from tests.support.fixtures.programs import MakePrometheus
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom, run
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until

from pgheadroom.metrics.table import TABLES
from pgheadroom.model.identity import TargetKind

pytestmark = pytest.mark.majors(17)


def config(server: Postgres, **more: str) -> str:
    lines = [f"{name}: {value}" for name, value in more.items()]
    return "\n".join([*lines, f'targets: {{db: "{server.dsn()}"}}'])


def seen(daemon: Headroom, line: str, value: float) -> Callable[[], bool]:
    return lambda: daemon.metric(line) == value


def ask(
    daemon: Headroom, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=given)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_the_page_follows_the_server(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients
) -> None:
    daemon = make_headroom(config(pg))
    daemon.ready()
    free = 'pgheadroom_slots_free{target="db",tier="ordinary"}'
    until(seen(daemon, free, 14), 5, "14 free slots")
    clients.fill(pg.tcp, 9, application_name="leaky-7")
    until(seen(daemon, free, 5), 5, "5 free slots")
    leaky = 'pgheadroom_connections{application_name="leaky-*",state="idle",target="db"}'
    until(seen(daemon, leaky, 9), 5, "nine connections of the leaking application")
    clients.fill(pg.tcp)
    until(seen(daemon, free, 0), 5, "no free slot")
    until(seen(daemon, 'pgheadroom_reserved_slots_used{target="db"}', 5), 5, "reserve in use")
    pg.kill()
    until(seen(daemon, 'pgheadroom_up{target="db"}', 0), 5, "target that is down")
    state = 'pgheadroom_target_state{state="unreachable",target="db"}'
    until(seen(daemon, state, 1), 5, "state unreachable")
    assert daemon.metric('pgheadroom_max_connections{target="db"}') == 20
    assert daemon.metric('pgheadroom_knock_up{target="db"}') == 0
    pg.start()
    until(seen(daemon, 'pgheadroom_up{target="db"}', 1), 20, "target that is up again")


def test_started_before_its_servers_and_beside_a_dead_one(
    pg: Postgres, make_headroom: MakeHeadroom
) -> None:
    """It serves at once, is ready when each target was tried, and one does not delay another."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        daemon = make_headroom(
            f'targets:\n  db: "{pg.dsn()}"\n'
            f"  down: host=127.0.0.1 port={free_port()} user=x\n"
            f"  deaf: host=127.0.0.1 port={port} user=x\n"
        )
        until(seen(daemon, 'pgheadroom_up{target="db"}', 1), 5, "sample")
        until(seen(daemon, 'pgheadroom_up{target="down"}', 0), 5, "failure")
        assert daemon.metric('pgheadroom_up{target="deaf"}') is None
        assert ask(daemon, "/-/ready")[0] == 503
        daemon.ready()
        state = 'pgheadroom_target_state{state="timeout",target="deaf"}'
        assert daemon.metric(state) == 1


def test_the_page_parses_and_holds_the_whole_table(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients
) -> None:
    pg.sql("create role reports login connection limit 4")
    pg.sql("create database shop connection limit 6")
    clients.fill(pg.tcp, 2, user="reports", database="shop")
    daemon = make_headroom(
        f'targets: {{db: {{dsn: "{pg.dsn()}", canary_dsn: "{pg.dsn(user="reports")}"}}}}'
    )
    daemon.ready()
    until(seen(daemon, 'pgheadroom_knock_up{target="db"}', 1), 5, "knock")
    # Growth is told over ten seconds at least.
    grows = 'pgheadroom_application_growth{application_name="pgheadroom",target="db"}'
    until(lambda: daemon.metric(grows) is not None, 20, "growth of an application")
    families = list(text_string_to_metric_families(daemon.page()))
    names = {sample.name for family in families for sample in family.samples}
    histograms = {family.name for family in families if family.type == "histogram"}
    of_poolers = {"pgheadroom_slots_pooled", "pgheadroom_slots_committed"}
    of_poolers |= {"pgheadroom_slots_ceiling", "pgheadroom_slots_direct"}
    of_poolers |= {"pgheadroom_slots_direct_highest", "pgheadroom_overcommitted_slots"}
    table = {metric.name for metric in TABLES[TargetKind.POSTGRES]}
    assert table - of_poolers <= names | histograms
    assert {"process_resident_memory_bytes", "python_info", "pgheadroom_build_info"} <= names


def test_promtool_has_nothing_to_say(
    pg: Postgres, make_headroom: MakeHeadroom, promtool: Path
) -> None:
    daemon = make_headroom(config(pg))
    daemon.ready()
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=daemon.page().encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_prometheus_scrapes_it(
    pg: Postgres, make_headroom: MakeHeadroom, make_prometheus: MakePrometheus
) -> None:
    """By /metrics, and by /probe with the target's name as a parameter."""
    daemon = make_headroom(config(pg))
    daemon.ready()
    prometheus = make_prometheus(
        f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: pgheadroom
    static_configs: [{{targets: ["127.0.0.1:{daemon.port}"]}}]
  - job_name: probe
    metrics_path: /probe
    params: {{target: [db]}}
    static_configs: [{{targets: ["127.0.0.1:{daemon.port}"]}}]
"""
    )
    for job in ("pgheadroom", "probe"):
        expression = f'pgheadroom_slots_used{{job="{job}",target="db"}} == 1'
        until(partial(prometheus.query, expression), 20, expression)
    assert {target["lastError"] for target in prometheus.targets()} == {""}
    assert prometheus.query('pgheadroom_build_info{job="pgheadroom"}')
    assert not prometheus.query('pgheadroom_build_info{job="probe"}')
    kinds = prometheus.query('count by (__name__) ({job="pgheadroom", __name__=~"pgheadroom_.*"})')
    assert len(kinds) > 20


def test_http_answers(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(config(pg))
    daemon.ready()
    status, headers, body = ask(daemon, "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert not body.endswith(b"# EOF\n")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in ask(daemon, "/")[1]["Content-Security-Policy"]
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    status, headers, body = ask(daemon, "/metrics", Accept=accept, Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert gzip.decompress(body).endswith(b"\n# EOF\n")
    assert "Content-Encoding" not in ask(daemon, "/metrics", Accept_Encoding="gzip;q=0")[1]
    assert ask(daemon, "/probe")[0] == 400
    assert ask(daemon, "/probe?target=a&target=b")[0] == 400
    status, _, body = ask(daemon, "/probe?target=" + quote("host=evil.example password=x"))
    assert (status, body) == (404, b"no such target; configured are: db\n")
    assert ask(daemon, "/probe?target=db")[0] == 200
    assert ask(daemon, "/-/healthy")[0] == 200
    assert ask(daemon, "/nothing")[0] == 404
    status, headers, _ = ask(daemon, "/metrics", method="POST")
    assert status == 405
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_quickly_and_cleanly(
    pg: Postgres, make_headroom: MakeHeadroom, number: signal.Signals
) -> None:
    """Also in the middle of a hung connect; its session is gone from the server, its log clean."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        daemon = make_headroom(
            f'targets: {{db: "{pg.dsn()}", deaf: "host=127.0.0.1 port={port} user=x"}}'
        )
        until(seen(daemon, 'pgheadroom_up{target="db"}', 1), 5, "sample")
        began = time.monotonic()
        assert daemon.stop(number) == 0
        assert time.monotonic() - began < 4.5  # the deadline of the connect is 5
    assert "level=error" not in daemon.log.read()
    assert "Traceback" not in daemon.log.read()
    assert "event=stopped" in daemon.log.read()
    ours = "select count(*) from pg_stat_activity where application_name = 'pgheadroom'"
    until(lambda: pg.sql(ours) == [("0",)], 5, "end of our session")


def test_a_second_one_on_the_same_port_says_so(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(config(pg))
    done = run("serve", "--dsn", pg.dsn(), "--listen", f"127.0.0.1:{daemon.port}")
    assert done.returncode == 1
    address = f"127.0.0.1:{daemon.port}"
    instead = "choose another with --listen"
    assert f"{address} is in use, perhaps by another pgheadroom; {instead}" in done.stderr


def test_one_line_of_log_per_change(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    """Not one per reading: a server that stays down is told once."""
    daemon = make_headroom(config(pg))
    daemon.ready()
    pg.stop()
    failures = 'pgheadroom_failures_total{state="unreachable",target="db"}'
    until(lambda: (daemon.metric(failures) or 0) >= 3, 20, "third failure")
    lines = daemon.log.read().splitlines()
    told = [line for line in lines if 'event="target unreadable"' in line]
    assert len(told) == 1
    assert "state=unreachable" in told[0]
    assert "retry_seconds=" in told[0]
    assert len(lines) < 10


def test_json_logs(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(config(pg, log_format="json"))
    daemon.ready()
    daemon.stop()
    events = [json.loads(line)["event"] for line in daemon.log.read().splitlines()]
    assert "started" in events
    assert "target readable" in events


def test_a_service_of_its_name_does_not_keep_it_from_starting(
    pg: Postgres, make_headroom: MakeHeadroom
) -> None:
    """Kubernetes puts these into every pod when a Service is called pgheadroom-demo."""
    daemon = make_headroom(
        config(pg),
        PGHEADROOM_DEMO_SERVICE_HOST="10.9.8.7",
        PGHEADROOM_DEMO_SERVICE_PORT_HTTP="10187",
        PGHEADROOM_DEMO_PORT="tcp://10.9.8.7:10187",
        PGHEADROOM_DEMO_PORT_10187_TCP_ADDR="10.9.8.7",
    )
    daemon.ready()
    (line,) = [line for line in daemon.log.read().splitlines() if "platform" in line]
    assert 'level=info event="ignored environment variables of the platform"' in line
    assert (
        'names="PGHEADROOM_DEMO_PORT PGHEADROOM_DEMO_PORT_10187_TCP_ADDR'
        ' PGHEADROOM_DEMO_SERVICE_HOST PGHEADROOM_DEMO_SERVICE_PORT_HTTP"'
    ) in line
    assert "10.9.8.7" not in daemon.log.read()
