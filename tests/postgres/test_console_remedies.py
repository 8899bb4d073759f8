"""Tests that PgBouncer's console takes the commands to copy, whatever its databases are called."""

from typing import Final

import pytest
from tests.postgres.conftest import Watcher
from tests.postgres.test_runbook_console import console
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.servers.clients import Clients
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres

from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.model.identity import TargetKind
from pgheadroom.status.remedies import remedies

pytestmark = [
    pytest.mark.majors(17),
    pytest.mark.parametrize("program", ["pgbouncer", "pgbouncer-newest"]),
]

NAMES: Final = ("shop", "Shop", "a b; SHUTDOWN", 'a"b', "a\\!'b", "--", "caf\u00e9")


async def test_who_is_paused_or_disabled_goes_on(
    pg: Postgres, make_pgbouncer: MakePgBouncer, clients: Clients, watch: Watcher, program: str
) -> None:
    """A client may name any database where there is an entry for all."""
    pg.sql("create role app login")
    pooler = make_pgbouncer(pg, {"*": "dbname=postgres"}, ["app"], program)
    for name in NAMES:
        clients.admitted(pooler.tcp, user="app", database=name)
        console(pooler, f"PAUSE {quoted(name)};", f"DISABLE {quoted(name)};")
        assert halted(pooler) == {name: ("1", "1")}
        state = await watch(pooler.console, kind=TargetKind.PGBOUNCER).sample()
        alert = Alert(AlertName.PAUSED, Severity.WARNING, 0.0, "words")
        found = [one.statement for one in remedies(state._replace(alerts=(alert,)))]
        assert len(found) == 2
        console(pooler, *found)
        assert halted(pooler) == {}


async def test_the_other_commands(
    pg: Postgres, make_pgbouncer: MakePgBouncer, watch: Watcher, program: str
) -> None:
    pooler = make_pgbouncer(pg, {"shop": "dbname=postgres"}, ["app"], program)
    console(pooler, "PAUSE;")
    state = await watch(pooler.console, kind=TargetKind.PGBOUNCER).sample()
    names = (AlertName.QUEUE, AlertName.CLIENTS_LOW, AlertName.PAUSED)
    alerts = tuple(Alert(name, Severity.WARNING, 0.0, "words") for name in names)
    found = [one.statement for one in remedies(state._replace(alerts=alerts))]
    assert found[:4] == ["SHOW POOLS;", "SHOW SERVERS;", "SHOW CLIENTS;", "RELOAD;"]
    # Up to 1.18 it is not told that all is paused.
    assert found[4:] == (["RESUME;"] if state.sample and state.sample.pooler.paused else [])
    for one in found:
        console(pooler, one)
    if "RESUME;" in found:
        flags = {row["key"]: row["value"] for row in console(pooler, "SHOW STATE;")}
        assert flags["paused"] == "no"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def halted(pooler: PgBouncer) -> dict[str, tuple[str, str]]:
    return {
        row["name"]: (row["paused"], row["disabled"])
        for row in console(pooler, "SHOW DATABASES;")
        if (row["paused"], row["disabled"]) != ("0", "0")
    }
