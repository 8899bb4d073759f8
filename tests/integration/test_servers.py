"""Tests that two servers of one name stay two, and that two daemons on one server are one alert.

Three daemons that call their server `main`, scraped by one job: a pair on a server that is full,
one on a calm one. They post what fires themselves, too.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from dashboards.builder.server import server as server_dashboard
from tests.integration.conftest import MakeHeadroom
from tests.support.fixtures.postgres import MakePostgres
from tests.support.fixtures.programs import MakePrometheus
from tests.support.servers import http
from tests.support.servers.alertmanager import Alertmanager
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.postgres import Postgres
from tests.support.servers.prometheus import Prometheus
from tests.support.servers.wait import until

from pgheadroom.postgres.whereabouts import address

ROOT: Final = Path(__file__).parents[2]
SLOTS: Final = {"full": 20, "calm": 40}
RESERVED: Final = 5
"""So many of these are not for ordinary roles."""
EXHAUSTED: Final = "PostgresConnectionsExhausted"


@dataclass(frozen=True, slots=True)
class Scene:
    """All that runs, and which server is which."""

    full: str
    calm: str
    prometheus: Prometheus
    alertmanager: Alertmanager

    def told(self) -> list[dict[str, Any]]:
        """Return what Alertmanager was told of a server without slots."""
        return [a for a in self.alertmanager.alerts() if a["labels"]["alertname"] == EXHAUSTED]


def which(server: Postgres) -> str:
    """Return what a daemon says of *server*."""
    ((identifier,),) = server.sql("select system_identifier from pg_control_system()")
    return f"{address(server.dsn())}#{identifier}"


@pytest.fixture
def scene(
    make_postgres: MakePostgres,
    make_headroom: MakeHeadroom,
    make_alertmanager: Callable[[str], Alertmanager],
    make_prometheus: MakePrometheus,
    clients: Clients,
) -> Scene:
    """Return it with one server full, once every daemon says so."""
    alertmanager = make_alertmanager((ROOT / "deploy/alertmanager/alertmanager.yml").read_text())
    servers = {name: make_postgres(max_connections=slots) for name, slots in SLOTS.items()}
    daemons: list[Headroom] = []
    for name in ("full", "full", "calm"):
        config = {
            "targets": {"main": servers[name].dsn()},
            "alertmanager_urls": [alertmanager.url],
            "alert_labels": {"job": "pgheadroom", "cluster": "eu"},
        }
        daemons.append(make_headroom(yaml.safe_dump(config)))
        daemons[-1].ready()
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (scrape,) = (job for job in config["scrape_configs"] if job["job_name"] == "pgheadroom")
    scrape |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    ports = [f"{LOOPBACK}:{daemon.port}" for daemon in daemons]
    scrape["static_configs"] = [{"targets": ports, "labels": {"cluster": "eu", "zone": "1"}}]
    told = f"{LOOPBACK}:{alertmanager.port}"
    config |= {"scrape_configs": [scrape], "rule_files": ["rules.yml"]}
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [told]}]}]
    rules = (ROOT / "alerts/pgheadroom.rules.yml").read_text()
    prometheus = make_prometheus(
        yaml.safe_dump(config), rules=rules.replace("interval: 15s", "interval: 1s")
    )
    servers["full"].sql("create role app login")
    assert clients.fill(servers["full"].tcp, user="app")[1] is not None
    return Scene(which(servers["full"]), which(servers["calm"]), prometheus, alertmanager)


def test_the_full_one_of_two_is_one_alert(scene: Scene) -> None:
    """Of the pair and of the rules together, with its own figures."""
    firing = f'ALERTS{{alertname="{EXHAUSTED}",alertstate="firing"}}'
    until(lambda: scene.prometheus.query(firing), 30, "alert by the rules")
    labels = {
        "alertname": EXHAUSTED,
        "severity": "critical",
        "job": "pgheadroom",
        "cluster": "eu",
        "target": "main",
        "server": scene.full,
    }
    # Prometheus tells it with a link of its own, the daemons without: both have to have come.
    until(lambda: any(a.get("generatorURL") for a in scene.told()), 30, "word of Prometheus")
    assert [alert["labels"] for alert in scene.told()] == [labels]
    (ruled,) = (a for a in scene.prometheus.alerts() if a["labels"]["alertname"] == EXHAUSTED)
    assert ruled["labels"] == labels
    slots = SLOTS["full"] - RESERVED
    assert f"main: 0 of {slots} slots free" in ruled["annotations"]["description"]
    assert ruled["annotations"]["summary"].startswith(f"main: FULL, 0 of {slots} slots free: ")
    groups = http.get_json(f"{scene.alertmanager.url}/api/v2/alerts/groups")
    about = [group["labels"] for group in groups if group["labels"]["alertname"] == EXHAUSTED]
    assert about == [{"alertname": EXHAUSTED, "target": "main", "server": scene.full}]
    assert scene.calm not in json.dumps(scene.alertmanager.alerts())


def test_each_has_figures_of_its_own_on_the_dashboards(scene: Scene) -> None:
    """A figure for each of the two, where one is chosen; and the pair does not count twice."""

    def asked(expression: str) -> list[float]:
        answer = http.get_json(f"{scene.prometheus.url}/api/v1/query", {"query": expression})
        return sorted(float(one["value"][1]) for one in answer["data"]["result"])

    (left,) = (
        target["expr"]
        for panel in server_dashboard()["panels"]
        for target in panel.get("targets", ())
        if (panel["title"], target["legendFormat"]) == ("Slots left", "left")
    )
    expected = {scene.full: [0.0], scene.calm: [float(SLOTS["calm"] - RESERVED - 1)]}
    for which_, figures in expected.items():
        expression = left.replace("$job", ".+").replace("$instance", ".+")
        expression = expression.replace("$target", "main").replace("$server", which_)
        until(lambda: asked(expression) == figures, 20, f"{figures} on {which_}")  # noqa: B023 - called here only
    assert asked('count(count by (target, server) (pgheadroom_up{target="main"}))') == [2.0]
