"""Tests every query of every dashboard in a real Prometheus, of a real incident."""

import time
from collections.abc import Callable
from typing import Final, Protocol

import pytest
import yaml
from dashboards.builder.clients import SHARE
from dashboards.builder.meaning import FOREVER, UNSURE
from dashboards.builder.server import HISTORY
from tests.integration.conftest import MakeHeadroom
from tests.support.dashboards import CULPRIT, TARGET, Query, queries
from tests.support.fixtures.postgres import MakePostgres
from tests.support.fixtures.programs import MakePgBouncer, MakePrometheus
from tests.support.servers import http
from tests.support.servers.alertmanager import Alertmanager
from tests.support.servers.clients import Clients
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.prometheus import Prometheus
from tests.support.servers.wait import until

POOL: Final = "pool"
AHEAD: Final = "If it goes on"
NOT_OF_POOLERS: Final = {"in 15 minutes", "in 3 days"}
LATER: Final = ("in 15 minutes", "in an hour", "in 6 hours", "in a day", "in 3 days")
MAY_BE_EMPTY: Final = {
    ("pgheadroom-leak", "mark", "All connections renewed"): "takes an application that was old",
    ("pgheadroom-pooler", "Full in, over time", "{{target}}"): "takes a pooler that fills up",
    ("pgheadroom-pooler", SHARE, "{{target}} forecast"): "takes a pooler that fills up",
    **{("pgheadroom-server", AHEAD, later): "the server is full before" for later in LATER},
    **{
        ("pgheadroom-pooler", AHEAD, later): "takes a pooler that fills up"
        for later in ("now", "in 5 minutes", *LATER)
        if later not in NOT_OF_POOLERS
    },
}
"""Queries by dashboard, panel and legend that may find nothing here, and why."""
NO_RULES: Final = "Alerts by rules"
"""The mark that would take rules in Prometheus; the dashboards do without them."""


def calm(server: Postgres, clients: Clients) -> None:
    """Open what a shop has on a quiet day, with limits that are nearly used."""
    server.sql(
        "create role app login; create role slow login; create role watcher login in role"
        " pg_monitor; create role batch login connection limit 10"
    )
    server.sql("create database shop connection limit 30")
    server.require_scram("slow", password="slow")
    where = {"user": "app", "database": "shop"}
    for name, count in (("web", 8), (CULPRIT, 3)):
        clients.fill(server.tcp, count, **where, application_name=name)
    clients.fill(server.tcp, 9, user="batch", application_name="report-worker")
    clients.admitted(server.tcp, **where, application_name=CULPRIT).query("begin")


def storm(server: Postgres, clients: Clients) -> None:
    """Take all slots, some of them by logins that never end."""
    assert clients.stall(server.tcp, 3, user="slow") is None
    _, refused = clients.fill(server.tcp, user="app", application_name=CULPRIT)
    assert refused is not None


def queue(pooler: PgBouncer, clients: Clients) -> None:
    """Let clients wait at *pooler*, whose pool has one connection."""
    for count in (1, 2):
        waiting = clients.fill(pooler.tcp, count, user="app", database="shop", application_name="q")
        for session in waiting[0]:
            session.send_query("select pg_sleep(60)")


def scrape(port: int) -> str:
    """Return Prometheus's configuration; rules there are none."""
    job = {"job_name": "pgheadroom", "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}
    pace = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    return yaml.safe_dump({"global": pace, "scrape_configs": [job]})


@pytest.mark.timeout(180)
def test_every_query_finds_something(
    make_postgres: MakePostgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    make_alertmanager: Callable[[str], Alertmanager],
    make_prometheus: MakePrometheus,
    clients: Clients,
) -> None:
    """Within the first minute of a stormed server with a pooler, beside a server that is gone."""
    server = make_postgres(max_connections=60)
    calm(server, clients)
    pooler = make_pgbouncer(
        server,
        {"shop": "dbname=shop pool_size=1 max_db_client_connections=20"},
        ["app"],
        "pgbouncer-newest",
        max_user_client_connections=20,
    )
    told = make_alertmanager("route: {receiver: none}\nreceivers: [{name: none}]\n")
    nowhere = f"host={LOOPBACK} port={free_port()} dbname=postgres user=watcher"
    config = {
        "targets": {
            TARGET: {
                "dsn": server.dsn(user="watcher"),
                "canary_dsn": server.dsn(user="watcher"),
            },
            "gone": nowhere,
            POOL: pooler.console,
        },
        "alertmanager_urls": [told.url],
        "state_directory": "state",
        "limit_hold_seconds": 1,
        "blind_critical_seconds": 5,
        "blind_warning_seconds": 1,
        "queue_wait_seconds": 8,
    }
    daemon = make_headroom(yaml.safe_dump(config))
    daemon.ready()
    prometheus = make_prometheus(scrape(daemon.port))
    growth = f'pgheadroom_application_growth{{target="{TARGET}"}}'
    until(lambda: prometheus.query(growth), 30, "growth, which takes some history")
    queue(pooler, clients)
    storm(server, clients)

    asked = [one for one in queries() if one.legend != NO_RULES]
    open_ = [one for one in asked if one.where not in MAY_BE_EMPTY]
    assert len(open_) > 100

    def all_found() -> bool:
        open_[:] = [one for one in open_ if not one.finds_something(prometheus)]
        return not open_

    try:
        until(all_found, 60, "answer to every query")
    except TimeoutError:
        pytest.fail("\n".join(f"{one.where}: {one.expression}" for one in open_))
    # The leak hunt opens on the first, which is not the first by name.
    (ranked,) = (o for o in asked if o.where == ("pgheadroom-leak", "variable", "application"))
    suspects = [one["metric"]["application_name"] for one in prometheus.query(ranked.expression)]
    assert suspects[0] == CULPRIT
    assert suspects != sorted(suspects)
    # What may be empty must at least be no error; and the list names nothing that is gone.
    for one in asked:
        one.finds_something(prometheus)
    assert MAY_BE_EMPTY.keys() <= {one.where for one in asked}


def test_of_several_poolers_the_worst_is_shown_and_counts_are_summed(
    make_postgres: MakePostgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    make_prometheus: MakePrometheus,
    clients: Clients,
) -> None:
    """Two processes, of which one is fuller; and only poolers may be chosen."""
    server = make_postgres(max_connections=60)
    server.sql("create role app login")
    entries = {"shop": "dbname=postgres pool_size=1"}
    poolers = [make_pgbouncer(server, entries, ["app"], max_client_conn=20) for _ in range(2)]
    named = {f"{POOL}-{number}": pooler.console for number, pooler in enumerate(poolers)}
    daemon = make_headroom(yaml.safe_dump({"targets": {TARGET: server.dsn(), **named}}))
    daemon.ready()
    prometheus = make_prometheus(scrape(daemon.port))
    for pooler, count in zip(poolers, (3, 8), strict=True):
        for session in clients.fill(pooler.tcp, count, user="app", database="shop")[0]:
            session.send_query("select pg_sleep(60)")
    asked = {one.where: one.expression for one in queries()}

    def figures(panel: str, legend: str, uid: str = "pgheadroom-pooler") -> list[float]:
        found = prometheus.query(asked[uid, panel, legend])
        return sorted(float(one["value"][1]) for one in found)

    # The console's session of the daemon takes a place, too.
    first = ("Client connections left", "left")
    until(lambda: figures(*first) == [20 - 8 - 1], 20, "the places that are left at the fuller one")
    waiting = ("Clients waiting", "clients")
    until(lambda: figures(*waiting) == [2 + 7], 20, "all that wait")
    assert figures("Clients waiting", "pools") == [2]
    assert figures("Client connections left", "taken") == [9 / 20]
    assert figures("Clients by application", "max_client_conn") == [40]
    assert figures("Share of the places that is taken", "{{target}}") == [4 / 20, 9 / 20]
    assert figures("Server connections by state", "pool_size") == [2]
    pooled = ("Slots by pooler", "{{pooler}}")
    until(lambda: figures(*pooled) == [1, 1], 20, "whose the slots are")
    assert figures("Connections that the poolers may open", "{{pooler}}") == [1, 1]
    chosen = prometheus.query(asked["pgheadroom-pooler", "variable", "target"])
    assert sorted(one["metric"]["target"] for one in chosen) == sorted(named)
    # In the fleet a pooler stands by its own figures. The server uses less than a fifth.
    fleet = "pgheadroom-fleet"
    assert figures("Targets, worst first", "C", fleet)[-2:] == [4 / 20, 9 / 20]
    assert max(figures("Targets, worst first", "Z", fleet)) == pytest.approx(9 / 20)
    kinds = prometheus.query(asked[fleet, "Targets, worst first", "L"])
    assert {one["metric"]["target"]: one["metric"]["kind"] for one in kinds} == {
        TARGET: "server",
        **dict.fromkeys(named, "pooler"),
    }


class Figures(Protocol):
    """Starts a Prometheus that has these figures of one target, each second anew."""

    def __call__(self, used: int, seconds: str, blamed: str = "0", rate: str = "0") -> Prometheus:
        """Return it when it has all of them."""
        ...


@pytest.fixture
def make_figures(make_prometheus: MakePrometheus) -> Figures:
    """Return a function that makes up a server and a pooler with a limit of 100 each."""

    def make(used: int, seconds: str, blamed: str = "0", rate: str = "0") -> Prometheus:
        figures = {
            "pgheadroom_up": "1",
            "pgheadroom_sample_timestamp_seconds": "time()",
            "pgheadroom_slots_used": f"{used}",
            "pgheadroom_slots_free": f"{100 - used}",
            "pgheadroom_slots_limit": "100",
            "pgheadroom_exhaustion_seconds": seconds,
            "pgheadroom_pooler_clients": f"{used}",
            "pgheadroom_pooler_clients_free": f"{100 - used}",
            "pgheadroom_pooler_client_limit": "100",
            "pgheadroom_pooler_exhaustion_seconds": seconds,
            "pgheadroom_application_growth": rate,
            "pgheadroom_application_verdict": blamed,
        }
        same = {"target": TARGET, **dict.fromkeys(("job", "instance", "server"), "any")}
        own = {
            "pgheadroom_application_growth": {"application_name": CULPRIT},
            "pgheadroom_application_verdict": {"application_name": CULPRIT, "verdict": "climbing"},
        }
        rules = [
            {
                "record": metric,
                "labels": same | own.get(metric, {"tier": "ordinary"}),
                "expr": f"vector({figure})",
            }
            for metric, figure in figures.items()
        ]
        prometheus = make_prometheus(
            yaml.safe_dump({"global": {"evaluation_interval": "1s"}, "rule_files": ["rules.yml"]}),
            rules=yaml.safe_dump({"groups": [{"name": "figures", "rules": rules}]}),
        )
        until(lambda: all(prometheus.query(metric) for metric in figures), 20, "all figures")
        return prometheus

    return make


@pytest.mark.parametrize("seconds", ["200", "Inf"])
def test_the_forecast_is_drawn_ahead_and_only_ahead(make_figures: Figures, seconds: str) -> None:
    """From what is in use straight to the limit; without a forecast nothing is drawn."""
    prometheus = make_figures(50, seconds)
    asked = {one.legend: one.expression for one in queries() if one.panel == HISTORY}

    def drawn(legend: str) -> tuple[float, list[tuple[float, float]]]:
        at = time.time()
        span = {"start": f"{at - 10}", "end": f"{at + 240}", "step": "1"}
        answer = http.get_json(
            f"{prometheus.url}/api/v1/query_range", {"query": asked[legend], **span}
        )
        return at, [
            (float(when), float(value))
            for series in answer["data"]["result"]
            for when, value in series["values"]
        ]

    at, past = drawn("used")
    assert past[-1][0] < at + 11
    at, forecast = drawn("forecast")
    if seconds == "Inf":
        assert not forecast
        return
    assert forecast[0][0] > at - 3
    usage = dict(forecast)
    assert usage[forecast[0][0]] == pytest.approx(50, abs=0.5)
    assert usage[forecast[0][0] + 100] == pytest.approx(75, abs=0.5)
    assert usage[forecast[-1][0]] == 100


@pytest.mark.parametrize(
    ("figures", "full_in", "later"),
    [
        ((100, "0", "1"), 0, {"now": 1, "in 5 minutes": 1}),
        ((50, "600", "1", "9"), 600, {"now": 0.5, "in 5 minutes": 0.75, "in 15 minutes": 1}),
        ((50, "6000"), 6000, {"now": 0.5, "in 5 minutes": 0.525, "in an hour": 0.8}),
        ((50, "Inf", "0", "0.1"), FOREVER, {}),
        ((50, "Inf", "1", "0.1"), 500, {"now": 0.5, "in 5 minutes": 0.8, "in 15 minutes": 1}),
        ((50, "Inf", "1", "-0.1"), UNSURE, {}),
        ((90, "Inf"), UNSURE, {}),
    ],
)
def test_what_is_ahead(
    make_figures: Figures,
    figures: tuple[int, str],
    full_in: float,
    later: dict[str, float],
) -> None:
    """The bars end when it is full. Nobody reads `not filling up` while somebody is blamed."""
    prometheus = make_figures(*figures)
    every = list(queries())
    for uid in ("pgheadroom-server", "pgheadroom-pooler"):
        (figure,) = (one for one in every if one.where == (uid, "Full in", "full in"))
        assert [float(one["value"][1]) for one in prometheus.query(figure.expression)] == [full_in]
        found = {
            one.legend: float(answer[0]["value"][1])
            for one in every
            if (one.uid, one.panel) == (uid, AHEAD)
            if (answer := prometheus.query(one.expression))
        }
        assert found.keys() >= later.keys() - NOT_OF_POOLERS
        assert {text: found[text] for text in found.keys() & later} == pytest.approx(
            {text: later[text] for text in found.keys() & later}
        )
        # The bars end with the first that is full.
        assert bool(found) == bool(later)
        assert all(share < 1 for share in list(found.values())[: -1 if full_in else -2])


def test_what_is_unknown_is_noticed(make_prometheus: MakePrometheus) -> None:
    """The test above can fail."""
    prometheus = make_prometheus("{}")
    unknown = Query("any", "panel", "legend", "pgheadroom_no_such_metric", "query_range")
    assert not unknown.finds_something(prometheus)
    known = Query("any", "panel", "legend", "vector(1)", "query")
    assert known.finds_something(prometheus)
    assert not Query("any", "panel", "legend", "vector(NaN)", "query").finds_something(prometheus)
    wrong = Query("any", "panel", "legend", "vector(1", "query")
    with pytest.raises(pytest.fail.Exception, match="unclosed"):
        wrong.finds_something(prometheus)
