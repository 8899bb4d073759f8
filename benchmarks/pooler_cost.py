"""Measures what being watched costs a PgBouncer: the processor time of its one thread.

    python -m benchmarks.pooler_cost             about four minutes
    python -m benchmarks.pooler_cost --seconds 60 --rounds 5

A PgBouncer with idle clients, its pools spread over databases and roles. Windows with and without
pgheadroom alternate; what PgBouncer uses unwatched is subtracted. A scrape of the daemon every 15 s
is part of it. Loopback only; it ends only what it started.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.support.parts import find
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session

from benchmarks.support import machine
from benchmarks.support.accounts import of_process
from benchmarks.support.figures import say, spread, table

_CASES: Final = ((1000, 50), (5000, 50), (5000, 1))
"""Clients, and pools that they are spread over."""
_PROGRAMS: Final = ("pgbouncer", "pgbouncer-newest")
_WARM_SECONDS: Final = 5.0
_HEAD: Final = (
    *("PgBouncer", "clients", "pools"),
    *("of its thread, ms/s", "unwatched, ms/s", "pgheadroom itself, ms/s", "sample, ms"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pooler_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a window")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of windows")
    plan = parser.parse_args(argv)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 20_000)), hard))
    rows = []
    for program in _PROGRAMS:
        for clients, pools in _CASES:
            rows.append(_measured(program, clients, pools, plan))
            say(" | ".join(rows[-1]))
    sys.stdout.write(f"{machine.description([17])}\n\n{table(_HEAD, rows)}")
    return 0


def _measured(program: str, count: int, pools: int, plan: argparse.Namespace) -> list[str]:
    with ExitStack() as stack:
        server = stack.enter_context(Postgres(_home("postgres17"), max_connections=pools + 20))
        entries = {f"db{n}": "dbname=postgres user=postgres pool_size=2" for n in range(pools)}
        pooler = stack.enter_context(
            PgBouncer(_home(program), server, entries, ["app"], max_client_conn=count + 20)
        )
        clients = Clients()
        stack.callback(clients.close)
        say(f"{program}: {count} clients in {pools} pools")
        for number in range(count):
            session = clients.connect(
                pooler.tcp,
                user="app",
                database=f"db{number % pools}",
                application_name=f"app-{number % 40}",
            )
            if not isinstance(session, Session):
                raise SystemExit(f"not let in: {session}")
            if number < pools:
                session.query("select 1")
        alone, watched, ours, samples = [], [], [], []
        for _ in range(plan.rounds):
            alone.append(_window(pooler.pid, plan.seconds))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            with Headroom(folder, f'targets: {{pool: "{pooler.console}"}}\n') as daemon:
                daemon.ready()
                time.sleep(_WARM_SECONDS)
                began = of_process(daemon.pid)
                watched.append(_window(pooler.pid, plan.seconds))
                ours.append((of_process(daemon.pid) - began) / plan.seconds)
                took = daemon.metric('pgheadroom_sample_duration_seconds{target="pool"}')
                samples.append(took or 0.0)
        cost = [more - less for more, less in zip(watched, alone, strict=True)]
        version = str(pooler.show("version")[0][0])
    figures = (cost, alone, ours, samples)
    cells = [spread([1000 * value for value in values]) for values in figures]
    return [version, str(count), str(pools), *cells]


def _home(part: str) -> Path:
    found = find(part)
    if found.path is None:
        raise SystemExit(f"{part} is missing: {found.reason}")
    return found.path


def _window(pid: int, seconds: float) -> float:
    """Return how many seconds of a processor *pid* uses each second, over so many of them."""
    before, began = of_process(pid), time.monotonic()
    time.sleep(seconds)
    return (of_process(pid) - before) / (time.monotonic() - began)


if __name__ == "__main__":
    raise SystemExit(main())
