"""Measures what being watched costs the server, by pgheadroom and by postgres_exporter.

    python -m benchmarks.server_cost --quick          about two minutes
    python -m benchmarks.server_cost                  the whole table, about forty
    python -m benchmarks.server_cost --work parallel
    python -m benchmarks.server_cost --help

One server at a time, filled with idle sessions, max_connections a quarter above their number. The
windows of the two alternate, each watcher started anew and warmed up before its window. What the
server uses with nobody watching is subtracted. pgheadroom runs as it does by default, and is
scraped every 15 s. postgres_exporter is scraped more often than that, to have more to measure, and
what a scrape costs is divided by 15 s: that favours it, because it finds its caches warm, which
after 15 s it would not (`--pause 15 --scrapes 4` takes the time). Both log in by trust over TCP: to
pgheadroom's knock, which then becomes a whole session, the dearest way there is.

With `--work`, sessions work meanwhile: clients that log in and leave as fast as they can, parallel
queries of two dozen workers, or autovacuum. Then only the backends of the watchers' role are
charged, and nothing is subtracted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Final

from tests.support.parts import find
from tests.support.servers.datadir import Setting
from tests.support.servers.postgres import Postgres

from benchmarks.support import machine, watchers
from benchmarks.support.accounts import ServerAccount, of_role, of_server
from benchmarks.support.bill import Bill, row
from benchmarks.support.figures import say, table
from benchmarks.support.sessions import ROLE, WORK, WORK_SETTINGS, churning, held, role, working
from benchmarks.support.watchers import Scraper, Watcher

_SCRAPE_SECONDS: Final = 15.0  # how often Prometheus is taken to scrape
_RESERVED_SLOTS_SINCE: Final = 16
_WARM_SECONDS: Final = 12.0
_WARM_SCRAPES: Final = 3
_IDLE_SECONDS: Final = 8.0
_CHURN_IDLE_SECONDS: Final = 30.0
_HEAD: Final = (
    "PostgreSQL", "sessions", "they are",
    "server for pgheadroom, ms/s", "server for postgres_exporter, ms/s", "ratio",
    "pgheadroom itself, ms/s", "postgres_exporter itself, ms/s",
    "pgheadroom, MiB", "postgres_exporter, MiB", "server unwatched, ms/s",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, and return 1 if pgheadroom costs more on a server without churn."""
    plan = _plan(argv)
    rows: list[list[str]] = []
    fits = True
    for major in plan.majors:
        for sessions in plan.sessions:
            ours, peer, idle = _measure(major, sessions, plan)
            cells, ratio = row(ours, peer, idle)
            what = plan.work or (f"{plan.churn} replaced/s" if plan.churn else "idle")
            rows.append([str(major), str(sessions), what, *cells])
            fits &= ratio <= 1 or plan.churn > 0
            say(" | ".join(rows[-1]))
    sys.stdout.write(f"{machine.description(plan.majors)}\n\n{table(_HEAD, rows)}")
    return 0 if fits else 1


def _measure(major: int, sessions: int, plan: argparse.Namespace) -> tuple[Bill, Bill, list[float]]:
    ours, peer, idle = Bill(), Bill(), list[float]()
    with ExitStack() as stack:
        server = stack.enter_context(_server(major, sessions, plan))
        role(server)
        say(f"PostgreSQL {major}: opening {sessions} sessions")
        clients = stack.enter_context(held(server, sessions, plan.applications))
        # Only now: an idle session wakes up once, a while after its last statement, to hand in its
        # statistics; thousands of them in one window would be charged to whoever watches.
        account = stack.enter_context(of_role(server, ROLE) if plan.work else of_server(server))
        if plan.work:
            stack.enter_context(working(server, plan.work))
        if plan.churn:
            stack.enter_context(churning(server, clients, plan.churn, plan.applications))
        for number in range(plan.rounds):
            say(f"round {number + 1} of {plan.rounds}, by {account.how}")
            calm = _CHURN_IDLE_SECONDS if plan.churn else _IDLE_SECONDS
            idle.append(0.0 if plan.work else _unwatched(account, calm))
            with watchers.postgres_exporter(watchers.peer_dsn(server)) as exporter:
                _exporter(exporter, account, plan, idle[-1], peer)
            with watchers.pgheadroom({"here": watchers.dsn(server)}) as daemon:
                _daemon(daemon, account, plan.seconds, idle[-1], ours)
    return ours, peer, idle


def _server(major: int, sessions: int, plan: argparse.Namespace) -> Postgres:
    home = find(f"postgres{major}").path
    if home is None:
        sys.exit(f"PostgreSQL {major} is missing; python -m tests.support.parts install --peer")
    settings: dict[str, Setting] = {
        # Working sessions come on top.
        "max_connections": sessions + max(sessions // 4, 20 if plan.work else 0),
        "shared_buffers": "128MB",
        "autovacuum": False,
    }
    if plan.work:
        settings |= WORK_SETTINGS
    if major >= _RESERVED_SLOTS_SINCE:
        settings["reserved_connections"] = 0
    return Postgres(home, tls=False, **settings)


def _unwatched(account: ServerAccount, seconds: float) -> float:
    """Return the server's seconds per second."""
    began, used = time.monotonic(), account.seconds()
    time.sleep(seconds)
    return (account.seconds() - used) / (time.monotonic() - began)


def _daemon(
    daemon: Watcher, account: ServerAccount, seconds: float, unwatched: float, bill: Bill
) -> None:
    scraper = Scraper(daemon)
    scraper.scrape()
    time.sleep(_WARM_SECONDS)

    def work() -> float:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            scraper.scrape()
            time.sleep(min(_SCRAPE_SECONDS, left))
        return seconds

    _window(daemon, account, unwatched, bill, work)


def _exporter(
    exporter: Watcher,
    account: ServerAccount,
    plan: argparse.Namespace,
    unwatched: float,
    bill: Bill,
) -> None:
    scraper = Scraper(exporter)
    for _ in range(_WARM_SCRAPES):
        scraper.scrape()

    def work() -> float:
        for _ in range(plan.scrapes):
            scraper.scrape()
            time.sleep(plan.pause)
        return float(plan.scrapes * _SCRAPE_SECONDS)

    _window(exporter, account, unwatched, bill, work)


def _window(
    watcher: Watcher,
    account: ServerAccount,
    unwatched: float,
    bill: Bill,
    work: Callable[[], float],
) -> None:
    """Charge *bill* with what *work* costs, which returns the seconds that it stands for."""
    began, server, own = time.monotonic(), account.seconds(), watcher.cpu_seconds()
    seconds = work()
    passed = time.monotonic() - began
    bill.server.append((account.seconds() - server - unwatched * passed) / seconds)
    bill.own.append((watcher.cpu_seconds() - own) / seconds)
    bill.resident_mib.append(watcher.resident_mib())
    say(f"  {watcher.name}: {bill.server[-1] * 1000:.2f} ms/s of the server")


def _plan(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.server_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="one size, one major, two short rounds")
    add("--majors", type=_numbers, default=[15, 17, 18], metavar="15,17,18")
    add("--sessions", type=_numbers, default=[20, 200, 1000, 4000], metavar="20,200,...")
    add("--churn", type=int, default=0, help="sessions replaced every second")
    add("--work", choices=sorted(WORK), help="what sessions do meanwhile")
    add("--applications", type=int, default=20, help="names that the sessions go by")
    add("--seconds", type=float, default=60, help="a window of pgheadroom; a multiple of 15 s")
    add("--scrapes", type=int, default=30, help="in a window of postgres_exporter")
    add("--pause", type=float, default=0.25, help="seconds between those; 15 is its real pace")
    add("--rounds", type=int, default=3, help="windows of each")
    plan = parser.parse_args(argv)
    if plan.quick:
        plan.majors, plan.sessions = plan.majors[:1], [200]
        plan.seconds, plan.scrapes, plan.rounds = 30, 15, 2
    return plan


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
