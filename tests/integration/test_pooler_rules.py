"""Tests that the rules find a pooler's troubles by its figures alone, without the daemon's word."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.integration.conftest import MakeHeadroom
from tests.support.fixtures.postgres import MakePostgres
from tests.support.fixtures.programs import MakePgBouncer, MakePrometheus
from tests.support.servers.clients import Clients
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.prometheus import Prometheus
from tests.support.servers.wait import until

from pgheadroom.commands.rules import plain

pytestmark = pytest.mark.majors(17)

DEPLOYED: Final = Path(__file__).parents[2] / "deploy/prometheus/prometheus.yml"
PLACES: Final = 20
POOL: Final = 3
SETTINGS: Final = {"low_hold_seconds": 1, "paused_hold_seconds": 1, "overcommit_hold_seconds": 1}


def scraping(port: int) -> str:
    """Return a configuration that scrapes a daemon, all but its verdicts."""
    config = yaml.safe_load(DEPLOYED.read_text())
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "pgheadroom")
    job |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    job["static_configs"] = [{"targets": [f"{LOOPBACK}:{port}"]}]
    verdict = {"source_labels": ["__name__"], "regex": "pgheadroom_alert", "action": "drop"}
    job["metric_relabel_configs"] = [verdict]
    return yaml.safe_dump({"scrape_configs": [job], "rule_files": ["rules.yml"]})


def firing(prometheus: Prometheus) -> dict[str, Any]:
    """Return the annotations of what fires, by name."""
    return {
        found["labels"]["alertname"]: found["annotations"]
        for found in prometheus.alerts()
        if found["state"] == "firing"
    }


def test_the_figures_alone_tell(
    make_postgres: MakePostgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    make_prometheus: MakePrometheus,
    clients: Clients,
) -> None:
    """Nothing while all is well; then each alert for its own cause."""
    server = make_postgres(17, max_connections=20)
    server.sql("create role app login")
    entries = {"shop": f"dbname=postgres pool_size={POOL}", "bill": "dbname=postgres"}
    pooler = make_pgbouncer(server, entries, ["app"], max_client_conn=PLACES, default_pool_size=2)
    targets = {"orders": server.dsn(), "pool": pooler.console}
    daemon = make_headroom(yaml.safe_dump({"targets": targets, **SETTINGS}))
    daemon.ready()
    prometheus = make_prometheus(
        scraping(daemon.port), rules=plain().replace("interval: 15s", "interval: 1s")
    )

    def recorded(name: str) -> list[dict[str, Any]]:
        return prometheus.query(f'{name}{{target="pool"}}')

    app = {"user": "app", "database": "shop"}
    busy = [clients.admitted(pooler.tcp, application_name="nest", **app) for _ in range(POOL)]
    until(lambda: recorded("job_target:pgheadroom_pooler_clients:last15m"), 30, "its figures")
    assert firing(prometheus) == {}

    for session in busy:
        session.send_query("select pg_sleep(600)")
    for _ in range(2):
        clients.admitted(pooler.tcp, application_name="report", **app).send_query("select 1")
    told = until(lambda: firing(prometheus).get("PoolerQueueGrowing"), 60, "alert about the queue")
    words = "pool: 2 clients wait for a server connection of pool shop/app, the oldest for "
    assert told["description"].startswith(words)
    assert f"{POOL} of {POOL} server connections." in told["description"]
    assert told["application_name"] == "report"
    assert set(firing(prometheus)) == {"PoolerQueueGrowing"}

    clients.fill(pooler.tcp, user="app", database="bill", application_name="cron")
    expected = {"PoolerClientsExhausted", "PoolerClientsLow"}
    until(lambda: expected <= set(firing(prometheus)), 30, "alert about the places")
    told = firing(prometheus)["PoolerClientsExhausted"]
    assert told["description"].startswith(f"pool: 0 of {PLACES} places for clients free")
    assert told["application_name"] == "cron"

    pooler.order("pause bill")
    told = until(lambda: firing(prometheus).get("PoolerPaused"), 30, "alert about the pause")
    assert told["description"].startswith("pool: bill paused or disabled for ")

    pooler.order("set default_pool_size = 40")
    told = until(lambda: firing(prometheus).get("PostgresSlotsOvercommitted"), 60, "alert of pools")
    # No pool is larger than what the pooler has places for.
    assert f"orders: pool may open {POOL + PLACES} connections;" in told["description"]
    assert "ordinary slots: over-committed by " in told["description"]
    of_slots = {name for name in firing(prometheus) if name.startswith("PostgresConnections")}
    assert of_slots == set()
