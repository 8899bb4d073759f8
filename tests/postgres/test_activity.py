"""Tests that ages, commits, logins and idle transactions are told as the server has them."""

import time
from functools import partial

import pytest
from tests.postgres.conftest import Watcher
from tests.support.servers.clients import Clients
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import QueryError, Session
from tests.support.servers.wait import auntil, until

from pgheadroom.model.activity import Activity, Younger
from pgheadroom.model.reading import Sample
from pgheadroom.postgres import rows
from pgheadroom.postgres.statements import Plan

_SECONDS = 15.0
_TOTALS = """
    select sum(pg_stat_get_db_xact_commit(oid)), sum(pg_stat_get_db_sessions(oid)) from pg_database
"""


async def full(watch: Watcher, dsn: str) -> Sample:
    """Take a full reading, which the first one of a session is."""
    watched = watch(dsn)
    state = await watched.sample()
    watched.close()
    assert state.sample is not None
    assert state.sample.full
    return state.sample


async def activity(watch: Watcher, dsn: str) -> Activity:
    found = (await full(watch, dsn)).postgres.activity
    assert found is not None
    return found


def totals(pg: Postgres) -> tuple[int, int]:
    """Ask the server for commits and sessions of all its databases."""
    ((commits, opened),) = pg.sql(_TOTALS)
    return int(commits or 0), int(opened or 0)


async def test_commits_and_logins_of_all_databases_are_summed(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Ours are among them: a transaction for each reading, a session for each login."""
    pg.sql("create database shop")
    before = await activity(watch, pg.dsn())
    worker = clients.admitted(pg.tcp, database="shop")
    for _ in range(40):
        worker.query("select")
    for _ in range(3):
        clients.admitted(pg.tcp).close()
    worker.close()  # a session hands in its figures at the latest when it ends

    async def arrived() -> bool:
        now, (commits, opened) = await activity(watch, pg.dsn()), totals(pg)
        return (
            (now.commits or 0) - (before.commits or 0) >= 40
            and (now.opened or 0) - (before.opened or 0) >= 4
            # Asked a moment later, and the asking counts, too.
            and 0 <= commits - (now.commits or 0) < 40
            and 0 <= opened - (now.opened or 0) < 10
        )

    await auntil(arrived, _SECONDS, "what was done in another database")


async def test_a_transaction_that_idles_ages_from_its_last_statement_on(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    pg.sql("create role watcher login in role pg_monitor")
    dsn = pg.dsn(user="watcher")
    assert (await activity(watch, dsn)).idle_transaction_seconds is None
    first = clients.admitted(pg.tcp, application_name="report")
    first.query("begin; select")
    began = time.monotonic()
    second = clients.admitted(pg.tcp, application_name="api")
    second.query("begin")
    with pytest.raises(QueryError):
        second.query("select 1/0")  # idle in transaction (aborted)
    until(lambda: time.monotonic() - began > 0.3, _SECONDS, "a third of a second")
    age = (await activity(watch, dsn)).idle_transaction_seconds
    assert age is not None
    assert 0.3 < age <= time.monotonic() - began + 0.1
    spoke = time.monotonic()
    first.query("select")  # the same transaction, which is no more silent than this
    second.close()
    until(lambda: second.pid not in pg.client_pids(), _SECONDS, "end of a session")
    age = (await activity(watch, dsn)).idle_transaction_seconds
    assert age is not None
    assert age <= time.monotonic() - spoke + 0.1
    first.query("commit")
    assert (await activity(watch, dsn)).idle_transaction_seconds is None


async def test_who_may_not_see_ages_says_nothing_of_them(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """The counters everybody may see."""
    pg.sql("create role nobody login")
    pg.sql("create role app login")
    idles = clients.admitted(pg.tcp, user="app", application_name="api")
    idles.query("begin")
    found = await full(watch, pg.dsn(user="nobody"))
    assert found.holders.younger is None
    told = found.postgres.activity
    assert told is not None
    assert told.idle_transaction_seconds is None

    async def counted() -> bool:  # a new server of 14 needs a moment for its first statistics
        now = await activity(watch, pg.dsn(user="nobody"))
        return (now.commits or 0) > 0 and (now.opened or 0) > 0

    await auntil(counted, _SECONDS, "commits and sessions, counted")
    pg.sql("grant pg_monitor to nobody")
    found = await full(watch, pg.dsn(user="nobody"))
    assert found.holders.younger == {"api": (1, 1, 1), "pgheadroom": (1, 1, 1)}
    assert found.postgres.activity is not None
    assert found.postgres.activity.idle_transaction_seconds is not None


async def test_young_connections_are_counted_by_application(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Over all states, databases and roles; a walsender is none."""
    pg.sql("create role app login")
    api = clients.fill(pg.tcp, 3, user="app", application_name="api")[0]
    api[0].query("begin")
    clients.fill(pg.tcp, 2, database="template1", application_name="api")
    clients.fill(pg.tcp, 2, replication="true", application_name="standby")
    younger = (await full(watch, pg.dsn())).holders.younger
    assert younger == {"api": (5, 5, 5), "pgheadroom": (1, 1, 1)}


def test_each_age_is_compared_with_the_start_of_the_session(pg: Postgres, clients: Clients) -> None:
    """With ages that a test can wait for; what is expected comes from the very same statement."""
    pg.sql("create role watcher login in role pg_monitor")
    born: list[Session] = []
    ages = (0.15, 0.3, 0.45)
    asking = clients.admitted(pg.tcp, user="watcher", application_name="asks")
    for number in range(4):
        born.append(clients.admitted(pg.tcp, application_name="api"))
        seconds = 0.15 * (number + 1)
        until(partial(is_older, pg, born[0], seconds), _SECONDS, "a little age")
    version = int(pg.sql("show server_version_num")[0][0] or 0)
    plan = Plan(version, 2.4, 0.8, ages)
    # All statements of one message have one time.
    asked = asking.query(f"{_STARTS}; {plan.whole.full.decode()}")
    starts = [float(row[1] or 0) for row in asked if row[0] == "start"]
    raw = [tuple(None if cell is None else cell.encode() for cell in row) for row in asked]
    found, _ = rows.sample(
        [row for row in raw if row[0] != b"start"], 1000.0, 0.1, announced_pid=asking.pid
    )
    expected: Younger = {"api": count(starts, ages)}
    assert found.holders.younger is not None
    assert {"api": found.holders.younger["api"]} == expected
    assert len(starts) == 4
    assert expected["api"][2] < 4


_STARTS = """
    select 'start', extract(epoch from statement_timestamp() - backend_start)
    from pg_stat_activity where application_name = 'api'
"""


def is_older(pg: Postgres, session: Session, seconds: float) -> bool:
    asked = "select pid, extract(epoch from now() - backend_start) from pg_stat_activity"
    ages = {pid: float(age or 0) for pid, age in pg.sql(asked)}
    return ages[str(session.pid)] > seconds


def count(ages: list[float], limits: tuple[float, float, float]) -> tuple[int, int, int]:
    least, less, young = (sum(age < limit for age in ages) for limit in limits)
    return least, less, young
