"""Tests that the daemon survives a network that drops, cuts and delays."""

from collections.abc import Callable

import pytest
from tests.reliability.conftest import MakeTrial
from tests.reliability.trial import only_long
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers.cable import HERE, THERE, Cable
from tests.support.servers.namespace import Namespace
from tests.support.servers.postgres import Postgres

pytestmark = pytest.mark.majors(18)

Apart = tuple[Namespace, Namespace, Cable]


def start_there(make_postgres: MakePostgres, there: Namespace) -> Postgres:
    with there.inside():
        server = make_postgres(listen_addresses=f"127.0.0.1,{THERE}")
    server.access.append(f"host all all {HERE}/32 trust")
    server.reload()
    return server


def drop(cable: Cable, server: Postgres, *, on: bool) -> None:
    cable.dropped_port = server.port if on else 0


def pull(cable: Cable, _server: Postgres, *, on: bool) -> None:
    cable.pulled = on


@pytest.mark.parametrize(
    ("fault", "make"),
    [pytest.param("dropped port", drop, marks=only_long), ("pulled cable", pull)],
)
def test_nothing_arrives(
    make_postgres: MakePostgres,
    apart: Apart,
    trial: MakeTrial,
    fault: str,
    make: Callable[..., None],
) -> None:
    here, there, cable = apart
    server = start_there(make_postgres, there)
    with here.inside():
        dsn = f"host={THERE} port={server.port} user=postgres dbname=postgres"
        passes = ["timeout", "unreachable"]
        # The server learns of the old connection's end by its own keepalives, 5 s apart.
        with trial(fault, dsn, server, passes=passes, two_seconds=6) as tried:
            make(cable, server, on=True)
            tried.shows("timeout")
            tried.lasts(2, 30)
            make(cable, server, on=False)
            tried.over()
    assert tried.observer.states == ["ok", "timeout", "ok"]


def test_latency(make_postgres: MakePostgres, apart: Apart, trial: MakeTrial) -> None:
    here, there, cable = apart
    server = start_there(make_postgres, there)
    with here.inside():
        dsn = f"host={THERE} port={server.port} user=postgres dbname=postgres"
        # A knock lasts a round trip or two, beside the session.
        with trial("latency", dsn, server, two_seconds=2) as tried:
            cable.delay_seconds = 0.25
            tried.lasts(2, 30)
            duration = 'pgheadroom_sample_duration_seconds{target="faulty"}'
            assert (tried.daemon.metric(duration) or 0) >= 0.5
            cable.delay_seconds = 0.0
            tried.over()
    assert tried.observer.states == ["ok"]
