"""Measures what a full reading and a pulse cost the server, and beside them another version's.

    python -m benchmarks.reading_cost                            two or three minutes
    python -m benchmarks.reading_cost --against /path/to/checkout
    python -m benchmarks.reading_cost --help

A server with idle sessions. The statements are prepared and executed as the daemon does it, over
and over, and the processor time of their backend is read. Those of another checkout run on the same
server, through a session of their own, in turn with ours.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.support.parts import find
from tests.support.servers import rawclient
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session

from benchmarks.support import machine
from benchmarks.support.accounts import of_process
from benchmarks.support.figures import say, spread, table
from benchmarks.support.sessions import ROLE, held, role

_KINDS: Final = ("full", "pulse")
_WARM: Final = 10
_ROUNDS: Final = 15
_ASKED: Final = 20
_SPARE_SLOTS: Final = 20
_MILLISECONDS: Final = 1000
# By the daemon's defaults.
_PREPARE: Final = (
    "import sys; from pgheadroom.postgres.statements import Plan;"
    " sys.stdout.write(Plan(int(sys.argv[1]), 2.4, 0.8).prepare.decode())"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print a table."""
    plan = _plan(argv)
    versions = {"this": Path(__file__).parents[1]}
    if plan.against is not None:
        versions = {"the other": plan.against, **versions}
    found: list[list[str]] = []
    for major in plan.majors:
        for sessions in plan.sessions:
            found.append([str(major), str(sessions), str(plan.databases)])
            found[-1] += _measure(major, sessions, plan.databases, versions)
            say(" | ".join(found[-1]))
    costs = [f"a {kind} reading of {name}, ms" for kind in _KINDS for name in versions]
    head = ["PostgreSQL", "idle sessions", "databases", *costs]
    sys.stdout.write(f"{machine.description(plan.majors)}\n\n{table(head, found)}")
    return 0


def _measure(major: int, sessions: int, databases: int, versions: dict[str, Path]) -> list[str]:
    home = find(f"postgres{major}").path
    if home is None:
        sys.exit(f"PostgreSQL {major} is missing; python -m tests.support.parts install")
    with ExitStack() as stack:
        slots = sessions + _SPARE_SLOTS
        server = stack.enter_context(
            Postgres(home, tls=False, max_connections=slots, autovacuum=False)
        )
        role(server)
        for number in range(databases - 1):
            server.sql(f"create database db{number}")
        stack.enter_context(held(server, sessions, 20))
        number = int(server.sql("show server_version_num")[0][0] or 0)
        asking: list[Session] = []
        for checkout in versions.values():
            session = stack.enter_context(rawclient.admitted(server.unix, user=ROLE))
            session.query(_prepare(checkout, number))
            asking.append(session)
        return [spread(worked) for kind in _KINDS for worked in _asked(asking, kind)]


def _prepare(checkout: Path, version: int) -> str:
    """Return what the version in *checkout* prepares on a server of *version*."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "exporter")}
    command = [sys.executable, "-c", _PREPARE, str(version)]
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return ran.stdout


def _asked(sessions: list[Session], kind: str) -> list[list[float]]:
    worked: list[list[float]] = [[] for _ in sessions]
    sql = f"EXECUTE pgheadroom_{kind}"
    for number in range(_WARM + _ROUNDS):
        for session, milliseconds in zip(sessions, worked, strict=True):
            before = of_process(session.pid)
            for _ in range(_ASKED):
                session.query(sql)
            if number >= _WARM:
                used = (of_process(session.pid) - before) / _ASKED
                milliseconds.append(used * _MILLISECONDS)
    return worked


def _plan(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reading_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--majors", type=_numbers, default=[14, 15, 18], metavar="14,15,18")
    add("--sessions", type=_numbers, default=[100, 1000], metavar="100,1000,...")
    add("--databases", type=int, default=2, help="how many there are")
    add("--against", type=Path, help="a checkout of another version", metavar="FOLDER")
    return parser.parse_args(argv)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
