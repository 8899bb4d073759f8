"""Measures what tens of thousands of application names do to page, memory and state.

    python -m benchmarks.many_names                      50,000 names as fast as they are seen
    python -m benchmarks.many_names --over-seconds 3600  the same in an hour

A hundred real sessions take a new name each, and again as soon as the daemon has seen those before:
every name is seen, which in an hour takes as many changes, only slower. The names are random, so
that nothing folds them, and hold what would hurt if it were not escaped.
"""

from __future__ import annotations

import argparse
import random
import re
import string
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from tests.support.parts import find
from tests.support.servers import http, rawclient
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

from benchmarks.support import machine, watchers
from benchmarks.support.figures import say, table
from benchmarks.support.sessions import role
from benchmarks.support.vitals import look
from benchmarks.support.watchers import Watcher

_HOSTILE: Final = (
    '"',
    "'",
    "\\",
    "\n",
    "\r",
    "\x1b[31m",
    "{",
    "}",
    "<!channel>",
    "é",
    "\U0001f480",
)
_SEEN_SECONDS: Final = 30.0
_TOOK: Final = re.compile(r"^pgheadroom_breakdown_timestamp_seconds\{.*\} (\S+)$", re.MULTILINE)
_LOOKS: Final = 10
# So few are left free that the daemon looks closely whenever something moves.
_SLOTS: Final = 110


@dataclass(frozen=True, slots=True)
class Look:
    """How the daemon was after so many names."""

    names: int
    series: int
    page_kib: float
    resident_mib: float
    state_kib: float
    cpu_ms: float
    """Processor time for each batch of names since the look before."""


def names(seed: int) -> Sequence[str]:
    """Return a hundred names that were never seen before."""
    chance = random.Random(seed)  # noqa: S311 - they need only differ, and be the same next time
    return [
        "".join(chance.choices(string.ascii_letters, k=20)) + "".join(chance.choices(_HOSTILE, k=3))
        for _ in range(100)
    ]


def run(count: int, over_seconds: float = 0.0) -> list[Look]:
    """Show the daemon *count* names, in no less time than asked; return what was seen."""
    home = find("postgres17").path
    if home is None:
        sys.exit("PostgreSQL 17 is missing; python -m tests.support.parts install")
    with ExitStack() as stack:
        server = stack.enter_context(Postgres(home, max_connections=_SLOTS))
        role(server)
        sessions = [
            stack.enter_context(rawclient.admitted(server.unix, user="shop")) for _ in range(100)
        ]
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pgh-names-")))
        daemon = stack.enter_context(
            watchers.pgheadroom(
                {"here": watchers.dsn(server)},
                interval_seconds="0.1",
                knock_interval_seconds="0",
                state_directory=str(state),
            )
        )
        batches = count // 100
        looks: list[Look] = []
        extra = sessions[0]
        began, used, since = time.monotonic(), daemon.cpu_seconds(), 0
        for number in range(1, batches + 1):
            before = _taken(_page(daemon))
            _rename(sessions, names(number))
            # One that comes or goes is what makes the daemon tell them apart at once.
            if number % 2:
                extra = rawclient.admitted(server.unix, user="shop")
            else:
                extra.close()
            page = _next_breakdown(daemon, before)
            if number % max(1, batches // _LOOKS) == 0:
                now = daemon.cpu_seconds()
                looks.append(_look(daemon, page, state, number, (now - used) / (number - since)))
                used, since = now, number
                say(f"{looks[-1]}")
            due = began + over_seconds * number / batches
            time.sleep(max(0.0, due - time.monotonic()))
        return looks


def _rename(sessions: Sequence[Session], given: Sequence[str]) -> None:
    for session, name in zip(sessions, given, strict=True):
        quoted = name.replace("'", "''")
        session.send_query(f"set application_name = '{quoted}'")
    for session in sessions:
        session.result()


def _next_breakdown(daemon: Watcher, before: str) -> str:
    """Return the page once the daemon has told the connections apart anew."""
    return until(
        lambda: page if _taken(page := _page(daemon)) != before else None,
        _SEEN_SECONDS,
        "breakdown",
    )


def _page(daemon: Watcher) -> str:
    return http.get(f"{daemon.url}/metrics").decode()


def _taken(page: str) -> str:
    found = _TOOK.search(page)
    return found[1] if found else ""


def _look(daemon: Watcher, page: str, state: Path, batch: int, cpu_seconds: float) -> Look:
    # Raises if the page is not valid.
    series = sum(len(family.samples) for family in text_string_to_metric_families(page))
    files = sum(file.stat().st_size for file in state.iterdir() if file.is_file())
    return Look(
        batch * 100,
        series,
        len(page) / 1024,
        look(daemon.pid).resident_mib,
        files / 1024,
        cpu_seconds * 1000,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Show the names and print a table; return 1 if memory or cost grow with them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.many_names",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--names", type=int, default=50_000)
    parser.add_argument("--over-seconds", type=float, default=0.0)
    parser.add_argument("--rise-mib", type=float, default=8, help="allowed over the second half")
    options = parser.parse_args(argv)
    looks = run(options.names, options.over_seconds)
    sys.stdout.write(f"{machine.description([17])}\n\n")
    head = ["names", "series", "page, KiB", "memory, MiB", "state, KiB", "processor a batch, ms"]
    rows = [
        [f"{one.names:,}", str(one.series)]
        + [f"{v:.0f}" for v in (one.page_kib, one.resident_mib, one.state_kib, one.cpu_ms)]
        for one in looks
    ]
    sys.stdout.write(table(head, rows))
    rise = looks[-1].resident_mib - looks[len(looks) // 2].resident_mib
    return 0 if rise <= options.rise_mib else 1


if __name__ == "__main__":
    sys.exit(main())
