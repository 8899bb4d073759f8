"""Measures whether anything grows in an hour of trouble: memory, files, threads, connections.

    make soak                                    an hour, 50 targets
    SOAK_SECONDS=120 make soak
    python -m benchmarks.soak --help

The daemon watches a fleet of which a tenth is in trouble at any time, keeps its state in a
directory, pushes to a real Alertmanager, and is scraped twice a second by the observer and every
15 s by a real Prometheus. What is inside its event loop cannot be seen from outside: threads are
the kernel's, and a task that never ends would show as memory, files or connections.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.parts import find
from tests.support.servers.alertmanager import Alertmanager
from tests.support.servers.prometheus import Prometheus

from benchmarks.support import machine, watchers
from benchmarks.support.figures import quantile, say, table
from benchmarks.support.fleet import Fleet, fleet, trouble
from benchmarks.support.observer import Observer
from benchmarks.support.troubles import ours
from benchmarks.support.vitals import Vitals, hourly, look
from benchmarks.support.watchers import Watcher

_NOBODY: Final = "{route: {receiver: nobody}, receivers: [{name: nobody}]}"
_OBSERVER_SECONDS: Final = 0.5
_ROWS: Final = 12
_BUGS: Final = b"pgheadroom_bugs_total{"
# What a target may take to be seen again: the longest back-off, an attempt, and two intervals.
_BACK_SECONDS: Final = 15 + 5 + 2


class Seen(NamedTuple):
    """One look at the daemon, and at its sessions on the servers that are left alone."""

    vitals: Vitals
    sessions: int


@dataclass(frozen=True, slots=True)
class Bars:
    """What may not be exceeded."""

    rise_mib: float
    """By so much memory may rise over the second half, along the line of least squares."""
    rise_count: float
    """So may files, threads and connections."""
    late_seconds: float
    """99 of 100 samples of healthy targets come no later than that."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the verdict."""

    what: str
    found: str
    allowed: str
    holds: bool


def growth(seen: Sequence[Seen], bars: Bars) -> list[Fact]:
    """Return what the second half of *seen* says about growth."""
    half = seen[len(seen) // 2 :]
    times = [one.vitals.at for one in half]
    hours = (times[-1] - times[0]) / 3600
    columns: Mapping[str, tuple[list[float], float, str]] = {
        "memory": ([one.vitals.resident_mib for one in half], bars.rise_mib, " MiB"),
        "files": ([float(one.vitals.files) for one in half], bars.rise_count, ""),
        "threads": ([float(one.vitals.threads) for one in half], bars.rise_count, ""),
        "sessions": ([float(one.sessions) for one in half], bars.rise_count, ""),
    }
    facts = []
    for what, (values, most, unit) in columns.items():
        slope = hourly(times, values)
        rise = slope * hours
        facts.append(
            Fact(
                f"{what}, rise over the second half",
                f"{rise:+.2f}{unit} ({slope:+.2f}{unit} an hour; median"
                f" {statistics.median(values):.1f}, most {max(values):.1f})",
                f"{most:g}{unit}",
                rise <= most,
            )
        )
    return facts


def punctuality(made: Fleet, observer: Observer, began: float, bars: Bars) -> list[Fact]:
    """Return whether healthy targets were sampled on time, and others soon after their trouble."""
    end = time.time()
    late = observer.late(made.healthy, began, end)
    p50, p99, most = (quantile(late, share) for share in (0.5, 0.99, 1.0))
    back: list[float] = []
    missing = 0
    for one in made.troubles:
        for target in one.targets:
            first = observer.first_after(target, one.ended)
            if first is not None:
                back.append(first - one.ended)
            elif end - one.ended > _BACK_SECONDS:
                missing += 1
    took, failed = observer.took(began, end), observer.failed(began, end)
    longest = max(back, default=0.0)
    return [
        Fact(
            f"lateness of healthy targets ({len(late)} samples)",
            f"{p50 * 1000:.0f} / {p99 * 1000:.0f} / {most * 1000:.0f} ms (median, p99, most)",
            f"p99 {bars.late_seconds * 1000:g} ms",
            p99 <= bars.late_seconds,
        ),
        Fact(
            f"seen again after trouble ({len(back)} times)",
            f"{statistics.median(back or [0.0]):.1f} s, at most {longest:.1f} s; never: {missing}",
            f"{_BACK_SECONDS} s",
            longest <= _BACK_SECONDS and not missing,
        ),
        Fact(
            f"/metrics to the observer ({len(took)} times)",
            f"{quantile(took, 0.5) * 1000:.1f} / {quantile(took, 0.99) * 1000:.1f} ms"
            f" (median, p99); failed: {failed}",
            "none failed",
            not failed,
        ),
    ]


def manners(made: Fleet, observer: Observer, seen: Sequence[Seen]) -> list[Fact]:
    """Return whether there was ever more than one session per target, or a bug."""
    targets = len(made.healthy) + len(made.victims)
    most = max(one.sessions for one in seen)
    bugs = sum(
        float(line.rpartition(b" ")[2])
        for line in observer.page.splitlines()
        if line.startswith(_BUGS)
    )
    return [
        # One more while the terminated one and its successor overlap.
        Fact(
            "our sessions on steady servers, most", str(most), str(targets + 1), most <= targets + 1
        ),
        Fact("bugs", f"{bugs:g}", "0", not bugs),
    ]


def soak(targets: int, seconds: float, trouble_seconds: float, bars: Bars) -> list[Fact]:
    """Watch so many targets for so long; return what was found. Prints its progress."""
    home = find("postgres17").path
    if home is None:
        sys.exit("PostgreSQL 17 is missing; python -m tests.support.parts install")
    with ExitStack() as stack:
        say("starting the servers")
        made = stack.enter_context(fleet(home, targets))
        told = stack.enter_context(Alertmanager(_program("alertmanager"), _NOBODY))
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix="pgh-soak-"))
        daemon = stack.enter_context(
            watchers.pgheadroom(
                made.dsns, state_directory=state, alertmanager_urls=f'["{told.url}"]'
            )
        )
        stack.enter_context(Prometheus(_program("prometheus"), _scrape_config(daemon)))
        observer = stack.enter_context(Observer(daemon, _OBSERVER_SECONDS))
        stop = threading.Event()
        work = stack.enter_context(ThreadPoolExecutor(1)).submit(
            trouble, made, trouble_seconds, stop
        )
        stack.callback(stop.set)
        began = time.time()  # the daemon is ready by now
        seen = _looks(daemon, made, seconds, work)
        facts = growth(seen, bars) + punctuality(made, observer, began, bars)
        facts += manners(made, observer, seen)
        _report(made, seen, Path(state), began, observer)
        return facts


def _program(name: str) -> Path:
    part = find(name)
    if part.path is None:
        sys.exit(f"{name} is missing: {part.reason}; python -m tests.support.parts install")
    return part.path


def _scrape_config(daemon: Watcher) -> str:
    return f"""
global: {{scrape_interval: 15s}}
scrape_configs:
  - job_name: pgheadroom
    static_configs: [{{targets: ["{daemon.url.removeprefix("http://")}"]}}]
"""


def _looks(daemon: Watcher, made: Fleet, seconds: float, work: Future[None]) -> list[Seen]:
    """Look every 10 s, or 40 times in all if that is more often, until it is over."""
    pause = min(10.0, seconds / 40)
    began = time.monotonic()
    seen: list[Seen] = []
    while (passed := time.monotonic() - began) < seconds:
        if work.done():
            work.result()  # raises what went wrong
        one = Seen(look(daemon.pid), sum(ours(server) for server in made.steady))
        seen.append(one)
        vitals = one.vitals
        say(
            f"{passed:5.0f} of {seconds:.0f} s: {vitals.resident_mib:.1f} MiB,"
            f" {vitals.files} files, {vitals.threads} threads, {one.sessions} sessions"
        )
        time.sleep(max(0.0, pause - (time.monotonic() - began - passed)))
    return seen


def _report(
    made: Fleet, seen: Sequence[Seen], state: Path, began: float, observer: Observer
) -> None:
    """Print a dozen rows over time, and the figures without a limit."""
    step = max(1, len(seen) // _ROWS)
    # From the clock of the looks to that of the samples.
    since = began - seen[0].vitals.at
    rows = [
        [
            f"{(one.vitals.at - seen[0].vitals.at) / 60:.1f}",
            f"{one.vitals.resident_mib:.1f}",
            str(one.vitals.files),
            str(one.vitals.threads),
            str(one.sessions),
            f"{quantile(_late(made, observer, since + one.vitals.at), 0.99):.3f}",
        ]
        for one in seen[step - 1 :: step]
    ]
    head = ["minute", "memory, MiB", "files", "threads", "our sessions", "late by, p99 so far, s"]
    sys.stdout.write(f"{machine.description([17])}\n\n{table(head, rows)}\n")
    sizes = [file.stat().st_size for file in state.iterdir() if file.is_file()]
    sys.stdout.write(
        f"{len(made.dsns)} targets, {len(made.troubles)} troubles;"
        f" state directory: {len(sizes)} files, {sum(sizes) / 1024:.0f} KiB\n\n"
    )


def _late(made: Fleet, observer: Observer, until: float) -> list[float]:
    return observer.late(made.healthy, 0, until) or [0.0]


def main(argv: Sequence[str] | None = None) -> int:
    """Soak, print a table and a verdict, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--seconds", type=float, default=3600)
    add("--targets", type=int, default=50)
    add("--trouble-seconds", type=float, default=20, help="how long each trouble lasts")
    add("--rise-mib", type=float, default=3, help="allowed over the second half")
    add("--late-ms", type=float, default=100, help="allowed for 99 of 100 samples")
    options = parser.parse_args(argv)
    bars = Bars(options.rise_mib, 2, options.late_ms / 1000)
    facts = soak(options.targets, options.seconds, options.trouble_seconds, bars)
    rows = [[f.what, f.found, f.allowed, "holds" if f.holds else "MISSED"] for f in facts]
    sys.stdout.write(table(["", "found", "allowed", ""], rows))
    return 0 if all(fact.holds for fact in facts) else 1


if __name__ == "__main__":
    sys.exit(main())
