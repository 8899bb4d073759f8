"""Tests that the other real programs start, answer, and end with their test."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.fixtures.programs import MakePgBouncer, MakePrometheus
from tests.support.servers import http
from tests.support.servers.alertmanager import Alertmanager
from tests.support.servers.chromium import Launch
from tests.support.servers.clients import Clients
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import auntil, until

PROMETHEUS = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: itself
    static_configs: [{targets: ["%s"]}]
"""
RULES = """
groups:
  - name: test
    rules: [{alert: Always, expr: vector(1)}]
"""
ALERTMANAGER = "{route: {receiver: nobody}, receivers: [{name: nobody}]}"
PAGE = "<html><body><p id=answer></p><script>answer.textContent = 6 * 7</script></body></html>"


def test_pgbouncer_shares_one_session(
    make_pgbouncer: MakePgBouncer, pg: Postgres, clients: Clients
) -> None:
    """Ten clients in transaction mode need one slot of the server."""
    pooler = make_pgbouncer(pg)
    sessions, refused = clients.fill(pooler.tcp, 10, user="app")
    pids = {session.query("select pg_backend_pid()")[0] for session in sessions}
    assert (refused, len(sessions), len(pids)) == (None, 10, 1)
    assert any(row[0] == "postgres" for row in pooler.show("pools"))


def test_prometheus_scrapes_and_evaluates(make_prometheus: MakePrometheus) -> None:
    """It scrapes a target (an older one of its kind), reloads, and fires a rule."""
    scraped = make_prometheus("{}")
    address = scraped.url.removeprefix("http://")
    server = make_prometheus(PROMETHEUS % address, rules=RULES)
    until(lambda: server.query("up == 1"), 20, "scrape")
    until(lambda: [a for a in server.alerts() if a["state"] == "firing"], 20, "alert")
    assert [target["health"] for target in server.targets()] == ["up"]
    server.write_config("{}")
    server.reload()
    assert server.targets() == []


async def test_alertmanager_receives(make_alertmanager: Callable[[str], Alertmanager]) -> None:
    """What is posted is shown, also after a restart on the same port."""
    server = make_alertmanager(ALERTMANAGER)
    alert = b'[{"labels": {"alertname": "Real"}}]'
    http.post(f"{server.url}/api/v2/alerts", alert)
    shown = await auntil(server.alerts, 10, "alert")
    assert [found["labels"] for found in shown] == [{"alertname": "Real"}]
    server.stop()
    server.start()
    assert server.alerts() == []


def test_promtool_checks_rules(promtool: Path, tmp_path: Path) -> None:
    """The tool that tests the shipped rules runs."""
    (tmp_path / "rules.yml").write_text(RULES)
    subprocess.run([promtool, "check", "rules", tmp_path / "rules.yml"], check=True)


def test_chromium_runs_scripts(chromium: Launch, tmp_path: Path) -> None:
    """The browser renders a page with its script."""
    page = tmp_path / "page.html"
    page.write_text(PAGE)
    done = subprocess.run(
        chromium.command(tmp_path / "profile", "--dump-dom", page.as_uri()),
        env=chromium.environment(os.environ, tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert '<p id="answer">42</p>' in done.stdout
