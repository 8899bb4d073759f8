"""Measures how long a backtest takes: 100,000 samples with four applications, on one core.

    python -m benchmarks.backtest_speed
    python -m benchmarks.backtest_speed --help

The recording is written first: four applications, each in two states, that wander as pools do, one
of which leaks. Each run is the whole command in a process of its own, held to one core; beside it
stands what reading the file alone takes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.support import machine
from benchmarks.support.figures import say, spread, table
from pgheadroom.storage.recording_reader import RecordingReader

_BAR_SECONDS = 10.0
_START = 1767225600
_LEAK_EVERY = 2000  # samples


def lines(samples: int) -> Iterator[str]:
    """Yield the lines of the recording, one for every second."""
    chance = random.Random(4)  # noqa: S311 - the same file each time
    held = {"web": 20, "worker": 10, "reports": 4, "checkout": 2}
    for second in range(samples):
        for name, usual in (("web", 20), ("worker", 10), ("reports", 4)):
            step = chance.choice((-1, 0, 0, 0, 1))
            held[name] = min(usual + 6, max(usual - 3, held[name] + step))
        held["checkout"] = 2 + second // _LEAK_EVERY
        rows = []
        for name, count in held.items():
            busy = chance.randrange(count)
            rows += [[name, "active", busy], [name, "idle", count - busy]]
        sample = {
            "time": _START + second,
            "max_connections": 100,
            "superuser_reserved_connections": 3,
            "reserved_connections": 0,
            "connections": rows,
        }
        yield json.dumps(sample, separators=(",", ":")) + "\n"


def backtest(file: Path, core: int, *more: str) -> float:
    """Return how many seconds the command takes, its start included."""
    began = time.perf_counter()
    words = [sys.executable, "-m", "pgheadroom", "backtest", "--format=jsonl", *more, str(file)]
    done = subprocess.run(
        words,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        check=False,
    )
    if done.returncode not in (0, 1):
        sys.exit(f"exit status {done.returncode}")
    return time.perf_counter() - began


def reading(file: Path) -> float:
    """Return how many seconds it takes to read the file and make samples of its lines."""
    began = time.perf_counter()
    for _ in RecordingReader(str(file)):
        pass
    return time.perf_counter() - began


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, and return 1 if the bar is missed."""
    options = _options(argv)
    core = min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "long.jsonl"
        with file.open("w") as written:
            written.writelines(lines(options.samples))
        say(f"{options.samples:,} samples, {file.stat().st_size / 1e6:.0f} MB")
        rows: dict[str, list[float]] = {"reading alone": [], "backtest": [], "with --html": []}
        for number in range(options.runs):
            say(f"run {number + 1} of {options.runs}")
            rows["reading alone"].append(reading(file))
            rows["backtest"].append(backtest(file, core))
            report = f"--html={Path(folder) / 'report.html'}"
            rows["with --html"].append(backtest(file, core, report))
    # No PostgreSQL and no other exporter takes part.
    parts = machine.description([]).split("; ")
    sys.stdout.write("; ".join(p for p in parts if p and "exporter" not in p) + "\n\n")
    sys.stdout.write(
        table(
            ["", "runs", "seconds", "microseconds a sample"],
            [
                [name, str(len(times)), spread(times), spread(_each(times, options.samples), 1)]
                for name, times in rows.items()
            ],
        )
    )
    return 0 if max(rows["backtest"]) < _BAR_SECONDS * options.samples / 100_000 else 1


def _each(times: Sequence[float], samples: int) -> list[float]:
    return [seconds / samples * 1e6 for seconds in times]


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.backtest_speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
