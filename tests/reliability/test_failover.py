"""Tests that the daemon follows a primary to its standby, and notices a promotion."""

from collections.abc import Iterator

import pytest
from tests.reliability.conftest import MakeTrial
from tests.support.fixtures.postgres import MakePostgres
from tests.support.needs import need
from tests.support.servers.postgres import Postgres
from tests.support.servers.standby import Standby
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(18)


@pytest.fixture
def pair(make_postgres: MakePostgres) -> Iterator[tuple[Postgres, Postgres]]:
    """Return a primary and the standby that follows it."""
    primary = make_postgres(18)
    with Standby(need("postgres18"), primary) as standby:
        until(
            lambda: primary.sql("select 1 from pg_stat_replication where state = 'streaming'"),
            20,
            "streaming standby",
        )
        yield primary, standby


def test_failover(pair: tuple[Postgres, Postgres], trial: MakeTrial) -> None:
    primary, standby = pair
    dsn = (
        f"host=127.0.0.1,127.0.0.1 port={primary.port},{standby.port} user=postgres"
        " dbname=postgres target_session_attrs=read-write"
    )
    with trial("failover", dsn, *pair, passes=["unreachable", "error"]) as tried:
        primary.kill()
        tried.shows("error")  # the standby lets us in, but is not what the DSN asks for
        standby.sql("select pg_promote()")
        tried.over()
    assert [line["event"] for line in tried.lines()].count("server restarted or changed") == 1


def test_promotion(pair: tuple[Postgres, Postgres], trial: MakeTrial) -> None:
    _, standby = pair
    with trial("promotion", standby.dsn(), standby) as tried:

        def is_standby() -> bool:
            info = next(
                line
                for line in tried.daemon.page().splitlines()
                if line.startswith("pgheadroom_server_info{") and 'target="faulty"' in line
            )
            return 'in_recovery="true"' in info

        assert is_standby()
        standby.sql("select pg_promote()")
        tried.over()
        until(lambda: not is_standby(), 20, "news of the promotion")
    assert tried.observer.states == ["ok"]
