"""Measures whether the daemon stays on time while clients of its pages misbehave.

    make load                                    about six minutes
    python -m benchmarks.scrape_load --help

Ten targets on two real servers are watched, with many applications each, so that the page is large.
One kind of misbehaviour after another, then all at once, comes from a process of its own; between
them it is quiet. One observer scrapes four times a second throughout: what it sees of the samples'
times says how late they come.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from tests.support.parts import find
from tests.support.servers.postgres import Postgres

from benchmarks.support import machine, watchers
from benchmarks.support.figures import quantile, say, table
from benchmarks.support.http_load import ALL, WAYS
from benchmarks.support.observer import Observer
from benchmarks.support.sessions import held, role
from benchmarks.support.vitals import look
from benchmarks.support.watchers import Watcher

_OBSERVER_SECONDS: Final = 0.25
_LOOK_SECONDS: Final = 0.2
_AFTER_SECONDS: Final = 3.0
QUIET: Final = "quiet"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was seen during one kind of load, or of quiet."""

    name: str
    answers: Mapping[str, int]
    late: Sequence[float]
    """Seconds by which each sample of each target was late."""
    took: Sequence[float]
    """Seconds that the observer's scrapes took."""
    failed: int
    """Scrapes of the observer that failed."""
    failed_after: int
    """The same when the load was over."""
    before_mib: float
    peak_mib: float
    after_mib: float
    files: int
    """Most that were open."""


def stretch(daemon: Watcher, observer: Observer, name: str, seconds: float) -> Stretch:
    """Watch for so long, with the load *name* unless it is `QUIET`."""
    before = look(daemon.pid)
    child = None if name == QUIET else _misbehaving(name, daemon.port, seconds)
    began, end = time.time(), time.monotonic() + seconds
    peak, files, answers = before.resident_mib, before.files, "{}"
    with ExitStack() as stack:
        if child is not None:
            stack.enter_context(child)
        while time.monotonic() < end:
            now = look(daemon.pid)
            peak, files = max(peak, now.resident_mib), max(files, now.files)
            time.sleep(_LOOK_SECONDS)
        if child is not None:
            answers = child.communicate(timeout=seconds)[0] or "{}"
    over = time.time()
    time.sleep(_AFTER_SECONDS)
    return Stretch(
        name,
        json.loads(answers),
        observer.late(observer.stamps, began, over),
        observer.took(began, over),
        observer.failed(began, over),
        observer.failed(over + _OBSERVER_SECONDS, time.time()),
        before.resident_mib,
        peak,
        look(daemon.pid).resident_mib,
        files,
    )


def _misbehaving(name: str, port: int, seconds: float) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "benchmarks.support.http_load", name, str(port), str(seconds)]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None  # noqa: S101 - a pipe was asked for
    time.sleep(_AFTER_SECONDS)  # to start
    child.stdin.write("go\n")
    child.stdin.flush()
    return child


def loads(
    targets: int, applications: int, names: Sequence[str], seconds: float
) -> tuple[list[Stretch], int]:
    """Watch so many targets through each of *names*; return what was seen, and the page's bytes."""
    home = find("postgres17").path
    if home is None:
        sys.exit("PostgreSQL 17 is missing; python -m tests.support.parts install")
    with ExitStack() as stack:
        sessions = applications + targets + 30
        servers = [stack.enter_context(Postgres(home, max_connections=sessions)) for _ in range(2)]
        for server in servers:
            role(server)
            stack.enter_context(held(server, applications, applications))
        dsns = {f"t{n:03}": watchers.dsn(servers[n % 2]) for n in range(targets)}
        daemon = stack.enter_context(watchers.pgheadroom(dsns))
        observer = stack.enter_context(Observer(daemon, _OBSERVER_SECONDS))
        time.sleep(_AFTER_SECONDS)
        found = []
        for name in names:
            found.append(stretch(daemon, observer, name, seconds))
            say(f"{name}: peak {found[-1].peak_mib:.0f} MiB; {dict(found[-1].answers)}")
        return found, len(observer.page)


def row(one: Stretch) -> list[str]:
    """Return *one* as a row of the table."""
    late = "/".join(f"{quantile(one.late, q) * 1000:.0f}" for q in (0.5, 0.99, 1.0))
    took = "/".join(f"{quantile(one.took, q) * 1000:.1f}" for q in (0.5, 0.99))
    return [
        one.name,
        late,
        f"{took}{f', {one.failed} failed' if one.failed else ''}",
        f"{one.before_mib:.0f}/{one.peak_mib:.0f}/{one.after_mib:.0f}",
        str(one.files),
        ", ".join(f"{count} × {what}" for what, count in sorted(one.answers.items())) or "–",
    ]


_HEAD: Final = (
    "load", "samples late, ms: median/p99/most", "/metrics to the observer, ms: median/p99",
    "memory, MiB: before/peak/after", "files, most", "answers",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Load, print a table, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scrape_load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--targets", type=int, default=10)
    add("--applications", type=int, default=100)
    add("--seconds", type=float, default=30, help="of each kind of load")
    add("--only", action="append", choices=[*WAYS, ALL], help="this kind of load alone")
    add("--late-ms", type=float, default=100, help="allowed for 99 of 100 samples")
    add("--peak-mib", type=float, default=64, help="by so much memory may rise for a while")
    add("--rise-mib", type=float, default=24, help="by so much may it be higher at the end")
    options = parser.parse_args(argv)
    names = [QUIET, *(options.only or [*WAYS, ALL]), QUIET]
    found, size = loads(options.targets, options.applications, names, options.seconds)
    sys.stdout.write(f"{machine.description([17])}; load {os.getloadavg()[1]:.1f}\n\n")
    sys.stdout.write(f"{options.targets} targets, {size / 1024:.0f} KiB a page\n\n")
    sys.stdout.write(table(_HEAD, [row(one) for one in found]))
    quiet = found[0].peak_mib
    missed = [
        one.name
        for one in found
        if quantile(one.late, 0.99) * 1000 > options.late_ms
        or one.peak_mib > quiet + options.peak_mib
        or one.failed_after
    ]
    if found[-1].after_mib > quiet + options.rise_mib:
        missed.append("memory at the end")
    sys.stdout.write(f"\nmissed: {', '.join(missed) or 'nothing'}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
