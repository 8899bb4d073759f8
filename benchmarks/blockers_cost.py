"""Measures what it costs the server to be asked who blocks whom.

    python -m benchmarks.blockers_cost                  about a minute
    python -m benchmarks.blockers_cost --help

A server with idle sessions, one transaction that is left open, and sessions that wait for a row
which it has locked, each holding further locks of its own. The statement is sent as the daemon
sends it, over and over, and its backend's processor time is read.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from tests.support.parts import find
from tests.support.servers import rawclient
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

from benchmarks.support import machine
from benchmarks.support.accounts import of_process
from benchmarks.support.figures import say, spread, table
from benchmarks.support.sessions import ROLE, held, role
from pgheadroom.postgres import rows
from pgheadroom.postgres.statements import Plan

_HEAD: Final = (
    "PostgreSQL", "idle sessions", "waiting", "of the server, ms", "by its clock, ms",
    "pgheadroom itself, ms",
)  # fmt: skip
_WARM: Final = 3
_ROUNDS: Final = 10
_ASKED: Final = 5
_SPARE_SLOTS: Final = 20
_WAIT_SECONDS: Final = 60.0
_STATEMENT_SECONDS: Final = 2.4  # the daemon's, by default
_LIMIT_SHARE: Final = 0.8
_MILLISECONDS: Final = 1000
_COST: Final = 5  # the column


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print a table."""
    plan = _plan(argv)
    found: list[list[str]] = []
    for major in plan.majors:
        for sessions in plan.sessions:
            for waiting in plan.waiting:
                found.append([str(major), str(sessions), str(waiting)])
                found[-1] += _measure(major, sessions, waiting, plan.locks)
                say(" | ".join(found[-1]))
    sys.stdout.write(f"{machine.description(plan.majors)}\n\n{table(_HEAD, found)}")
    return 0


def _measure(major: int, sessions: int, waiting: int, locks: int) -> list[str]:
    home = find(f"postgres{major}").path
    if home is None:
        sys.exit(f"PostgreSQL {major} is missing; python -m tests.support.parts install")
    slots = sessions + waiting + _SPARE_SLOTS
    with ExitStack() as stack:
        server = stack.enter_context(
            Postgres(home, tls=False, max_connections=slots, autovacuum=False)
        )
        role(server)
        stack.enter_context(held(server, sessions, 20))
        for session in _queue(server, waiting, locks):
            stack.enter_context(session)
        asking = stack.enter_context(rawclient.admitted(server.unix, user=ROLE))
        version = int(server.sql("show server_version_num")[0][0] or 0)
        sql = Plan(version, _STATEMENT_SECONDS, _LIMIT_SHARE).blockers.decode()
        return _asked(asking, sql)


def _queue(server: Postgres, waiting: int, locks: int) -> list[Session]:
    """Have one session hold a row, and so many wait for it; those that wait come first."""
    server.sql("create table goods as select 1 as id; grant all on goods to shop")
    for number in range(locks):
        server.sql(f"create table t{number} (); grant all on t{number} to shop")
    queue: list[Session] = []
    for number in range(waiting + 1):
        session = rawclient.admitted(server.unix, user="shop", application_name=f"queue{number}")
        tables = "".join(f"select from t{other};" for other in range(locks))
        session.query(f"begin; {tables}")
        session.send_query("select from goods for update")
        if number == 0:
            session.result()
        queue.append(session)
    count = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    until(lambda: server.sql(count) == [(str(waiting),)], _WAIT_SECONDS, "queue")
    return queue


def _asked(session: Session, sql: str) -> list[str]:
    worked, told, own = list[float](), list[float](), list[float]()
    for _ in range(_WARM):
        session.query(sql)
    for _ in range(_ROUNDS):
        before = of_process(session.pid)
        for _ in range(_ASKED):
            answer = session.query(sql)
        worked.append((of_process(session.pid) - before) / _ASKED * _MILLISECONDS)
        told.append(float(answer[-1][_COST] or 0) * _MILLISECONDS)
        raw = [tuple(None if cell is None else cell.encode() for cell in row) for row in answer]
        began = time.perf_counter()
        rows.who_blocks(raw, at=0.0)
        own.append((time.perf_counter() - began) * _MILLISECONDS)
    return [spread(worked), spread(told), spread(own)]


def _plan(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.blockers_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--majors", type=_numbers, default=[15, 18], metavar="15,18")
    add("--sessions", type=_numbers, default=[200, 1000], metavar="200,1000,...")
    add("--waiting", type=_numbers, default=[2, 50, 200], metavar="2,50,...")
    add("--locks", type=int, default=10, help="further tables that each who waits has read")
    return parser.parse_args(argv)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
