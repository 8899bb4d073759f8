"""Tests that a real PgBouncer is read right, in the oldest and the newest version that there is."""

import pytest
from tests.postgres.conftest import Watcher
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.servers.clients import Clients
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Refused, Session

from pgheadroom.model.identity import TargetKind
from pgheadroom.model.reading import Outcome

pytestmark = pytest.mark.majors(17)

PROGRAMS = ("pgbouncer", "pgbouncer-newest")


@pytest.mark.parametrize("program", PROGRAMS)
async def test_places_are_counted_one_by_one(
    pg: Postgres, clients: Clients, watch: Watcher, make_pgbouncer: MakePgBouncer, program: str
) -> None:
    """Ours is one of them; at the last one the next client is refused, and we still see it."""
    pooler = make_pgbouncer(pg, program=program, max_client_conn=6)
    watched = watch(pooler.console, TargetKind.PGBOUNCER)
    for taken in range(1, 7):
        state = await watched.sample()
        assert state.outcome is Outcome.OK, state.detail
        assert state.sample is not None
        assert (state.sample.main.used, state.free) == (taken, 6 - taken)
        admitted = clients.connect(pooler.tcp)
        assert isinstance(admitted, Session if taken < 6 else Refused)
    state = await watched.sample()
    assert (state.outcome, state.free) == (Outcome.OK, 0)
