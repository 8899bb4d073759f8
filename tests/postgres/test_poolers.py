"""Tests that a pooler that is full is told from a server that is full, by real poolers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.postgres.conftest import Watcher
from tests.support.fixtures.logs import show_on_failure
from tests.support.needs import need
from tests.support.servers.clients import Clients
from tests.support.servers.poolers import Odyssey, Pgpool, Pooler
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

from pgheadroom.model.reading import Outcome
from pgheadroom.postgres.login import ConnectOptions

pytestmark = pytest.mark.majors(17)

MakePooler = Callable[[str, Postgres, int], Pooler]

KINDS: dict[str, type[Pooler]] = {"odyssey": Odyssey, "pgpool": Pgpool}


@pytest.fixture
def make_pooler(request: pytest.FixtureRequest) -> Iterator[MakePooler]:
    """Return a function that starts the pooler of a kind with so many places for clients."""
    with ExitStack() as stack:

        def make(kind: str, server: Postgres, places: int) -> Pooler:
            pooler = KINDS[kind](need(kind), server, places)
            show_on_failure(request, f"log of {kind}", pooler.log.read)
            return stack.enter_context(pooler)

        yield make


@pytest.mark.parametrize("kind", KINDS)
async def test_a_full_pooler_is_no_full_server(
    pg: Postgres, clients: Clients, watch: Watcher, make_pooler: MakePooler, kind: str
) -> None:
    """By a sample, by a knock and by a login of the canary."""
    pooler = make_pooler(kind, pg, 3)
    for _ in range(3):  # the place of the client that has looked whether it is up comes free soon
        until(lambda: isinstance(clients.connect(pooler.tcp), Session), 5, "a place in it")
    state = await watch(pooler.dsn()).sample()
    assert state.outcome is Outcome.POOLER_FULL, state.detail
    if kind == "pgpool":  # Odyssey judges after it has asked for the password
        assert (await watch(pooler.dsn()).knock()).knocks.outcome is Outcome.POOLER_FULL
    direct = watch(pg.dsn(), canary=ConnectOptions("db", pooler.dsn(), backoff_first_seconds=0.0))
    assert (await direct.sample()).outcome is Outcome.OK
    state = await direct.canary_login()
    assert state.canary.outcome is Outcome.POOLER_FULL
