"""Tests that every slot is traced to the pooler that holds it, in a mixed load.

Three PgBouncers, each as a role of its own, and direct users: so the server itself can say whose a
session is, by its role. In `.ci/run` it takes seconds; `make truth` takes minutes.
"""

import os
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.fixtures.postgres import MakePostgres
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(17)

SECONDS: Final = min(300.0, float(os.environ.get("TRUTH_SECONDS", "25")))
SEED: Final = int(os.environ.get("SEED", "4711"))
LATE_SECONDS: Final = 2.5
"""Server and pooler are sampled every second, and each at its own moment."""
MOVE_SECONDS: Final = 20.0
SIZES: Final = {"one": 10, "two": 15, "three": 20}
DIRECT: Final = 45


class Moment(NamedTuple):
    """Whose sessions there were, by the server's own word."""

    at: float
    whose: Mapping[str, int]


def whose(oracle: Session) -> Moment:
    """Ask the server for the sessions of each role, *oracle*'s and the daemon's included."""
    rows = oracle.query(
        "select usename, count(*) from pg_stat_activity where backend_type = 'client backend'"
        " group by usename"
    )
    return Moment(time.time(), {str(name): int(str(count)) for name, count in rows})


def pooled(moments: Sequence[Moment], name: str) -> set[int]:
    """Return how many sessions the pooler *name* had in any of *moments*."""
    return {one.whose.get(name, 0) for one in moments}


def direct(moments: Sequence[Moment]) -> set[int]:
    """Return how many sessions may have been no pooler's.

    All sessions are counted at one moment and the poolers' a little earlier or later.
    """
    everybody = {sum(one.whose.values()) for one in moments}
    of_poolers = {sum(one.whose.get(name, 0) for name in SIZES) for one in moments}
    return {both - theirs for both in everybody for theirs in of_poolers}


def published(daemon: Headroom) -> dict[str, float]:
    """Return the slots of each pooler, and those of nobody, as the daemon publishes them."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(daemon.page()):
        for sample in family.samples:
            if sample.name == "pgheadroom_slots_pooled":
                found[sample.labels["pooler"]] = sample.value
            elif sample.name == "pgheadroom_slots_direct":
                found["direct"] = sample.value
    return found


class Load:
    """Ninety sessions: each pool full, and direct ones."""

    def __init__(
        self, server: Postgres, poolers: Mapping[str, PgBouncer], clients: Clients
    ) -> None:
        self._server = server
        self._poolers = poolers
        self._clients = clients
        self._busy: dict[str, list[Session]] = {name: [] for name in (*SIZES, "direct")}
        for name in self._busy:
            self._fill(name, SIZES.get(name, DIRECT))

    def move(self, chance: random.Random) -> None:
        """Have some sessions of one kind go, and perhaps others come."""
        name = chance.choice([*self._busy])
        for session in self._busy[name][chance.randrange(len(self._busy[name])) :]:
            session.leave()
            self._busy[name].remove(session)
        self._fill(name, chance.randrange(1, SIZES.get(name, DIRECT) + 1))

    def _fill(self, name: str, most: int) -> None:
        while len(self._busy[name]) < most:
            if name == "direct":
                session = self._clients.connect(self._server.tcp, user="app", database="postgres")
            else:
                tcp = self._poolers[name].tcp
                session = self._clients.connect(tcp, user="app", database="shop")
            assert isinstance(session, Session), session
            if name != "direct":
                session.query("begin")
            self._busy[name].append(session)


@pytest.mark.timeout(SECONDS + 120)
def test_every_slot_is_its_poolers(
    make_postgres: MakePostgres, make_pgbouncer: MakePgBouncer, clients: Clients, tmp_path: Path
) -> None:
    server = make_postgres(17, max_connections=120)
    for role in (*SIZES, "app", "pgheadroom"):
        server.sql(f"create role {role} login")
    server.sql("grant pg_monitor to pgheadroom")
    programs = ("pgbouncer", "pgbouncer-newest", "pgbouncer-newest")
    poolers = {
        name: make_pgbouncer(
            server,
            {"shop": f"dbname=postgres user={name} pool_size={size}"},
            ["app"],
            program,
            pool_mode="session" if name == "three" else "transaction",
            server_lifetime=7,  # so that connections are replaced all the time
            max_client_conn=200,
        )
        for (name, size), program in zip(SIZES.items(), programs, strict=True)
    }
    targets = "\n".join(f'  {name}: "{pooler.console}"' for name, pooler in poolers.items())
    targets += f'\n  orders: "{server.dsn(user="pgheadroom")}"'
    config = f"knock_interval_seconds: 0\ntargets:\n{targets}\n"
    chance = random.Random(SEED)  # noqa: S311 - a load, no secret
    oracle = clients.connect(server.tcp, user="postgres", database="postgres")
    assert isinstance(oracle, Session)
    load = Load(server, poolers, clients)
    truth: list[Moment] = []
    mistakes: list[str] = []
    judged = seconds = 0
    with Headroom(tmp_path, config) as daemon:
        daemon.ready()
        until(lambda: len(published(daemon)) == len(SIZES) + 1, 40, "every slot traced")
        began = moved = time.monotonic()
        while time.monotonic() - began < SECONDS:
            truth.append(whose(oracle))
            while time.monotonic() < began + seconds:
                truth.append(whose(oracle))
            found = published(daemon)
            seconds += 1
            recent = [one for one in truth if truth[-1].at - one.at <= LATE_SECONDS]
            settled = truth[-1].at - truth[0].at >= LATE_SECONDS
            for name in (*SIZES, "direct"):
                possible = direct(recent) if name == "direct" else pooled(recent, name)
                judged += settled
                if settled and found.get(name) not in possible:
                    mistakes.append(f"{truth[-1].at:.1f} {name}: {found.get(name)} of {possible}")
            if time.monotonic() - moved >= MOVE_SECONDS:
                moved = time.monotonic()
                load.move(chance)
    print(f"{judged} figures in {seconds} s, {len(mistakes)} wrong")  # noqa: T201 - for make truth
    assert judged > SECONDS
    assert mistakes == []
