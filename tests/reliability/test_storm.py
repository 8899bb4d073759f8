"""Tests that a role with a reserve gets back in while 120 clients fight for every slot."""

import statistics
import time

import pytest
from tests.reliability.conftest import MakeTrial
from tests.reliability.sql import END_OURS
from tests.reliability.trial import LONG, Trial
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers import rawclient
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Refused, Session
from tests.support.servers.storm import Storm
from tests.support.servers.wait import until

pytestmark = [pytest.mark.majors(18), pytest.mark.timeout(400)]

CLIENTS = 120
BACK_SECONDS = 5.0
LOSSES = 12 if LONG else 2
LONGEST_STORM_SECONDS = 300.0
# Beside the sessions, those who try are in the way of each other: the count never rests at 95.
MANY = 80
HELD = "select count(*) from pg_stat_activity where application_name = 'storm' and state = 'idle'"


def storm(server: Postgres) -> Storm:
    return Storm(server.unix, "app", CLIENTS, LONGEST_STORM_SECONDS)


def make_server(make_postgres: MakePostgres) -> Postgres:
    server = make_postgres(max_connections=100)
    server.sql("create role app login")
    server.sql("create role watcher login in role pg_monitor, pg_use_reserved_connections")
    return server


def until_full(server: Postgres, master: Session) -> None:
    def full() -> bool:
        if int(master.query(HELD)[0][0] or 0) < MANY:
            return False
        answer = rawclient.connect(server.unix, user="app")
        if isinstance(answer, Refused):
            return True
        answer.close()  # a client of the storm has left the slot for a moment
        return False

    until(full, 30, "full server")


def back_after(tried: Trial, lost: float) -> float:
    """Return how long after the wall clock's *lost* the first sample was taken."""
    return until(
        lambda: max(0.0, tried.observer.looks[-1].faulty - lost), 60, "sample after the loss"
    )


@pytest.mark.parametrize(
    ("fault", "user"), [("storm superuser", "postgres"), ("storm reserve", "watcher")]
)
def test_back_in_after_each_loss(
    make_postgres: MakePostgres, trial: MakeTrial, fault: str, user: str
) -> None:
    server = make_server(make_postgres)
    with rawclient.admitted(server.unix) as master, storm(server):
        until_full(server, master)
        tried = trial(
            fault, server.dsn(user=user), server, passes=["full", "reserved_only"], storm=True
        )
        with tried:
            waits = []
            for _ in range(LOSSES):
                lost = time.time()
                assert master.query(END_OURS)
                waits.append(back_after(tried, lost))
                tried.goes_on(1)
            tried.over()
            tried.counts(losses=LOSSES)
            tried.notes.append(
                f"back in after {statistics.median(waits):.1f} s (median),"
                f" {max(waits):.1f} s (longest)"
            )
    assert max(waits) <= BACK_SECONDS


def test_restarted_under_a_storm(make_postgres: MakePostgres, trial: MakeTrial) -> None:
    server = make_server(make_postgres)
    with rawclient.admitted(server.unix) as master, storm(server):
        until_full(server, master)
        passes = ["full", "reserved_only", "unreachable", "starting", "shutting_down"]
        with trial("storm restart", server.dsn(), server, passes=passes, storm=True) as tried:
            lost = time.time()
            server.restart()
            back = back_after(tried, time.time())
            tried.over()
            tried.notes.append(f"sampled {back:.1f} s after the server was up again")
            assert tried.observer.looks[-1].faulty > lost
    assert back <= BACK_SECONDS
