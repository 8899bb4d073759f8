"""Reads a process's memory, files and threads from outside, and tells whether they grow."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

_KIB_PER_MIB: Final = 1024
_SECONDS_PER_HOUR: Final = 3600


class Vitals(NamedTuple):
    """What the kernel says about a process at one moment."""

    at: float
    """Seconds of the monotonic clock."""
    resident_mib: float
    files: int
    """Open file descriptors, sockets included."""
    threads: int


def look(pid: int) -> Vitals:
    """Return how *pid* is now. Raises FileNotFoundError when it has ended."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return Vitals(
        time.monotonic(),
        int(fields["VmRSS"].split()[0]) / _KIB_PER_MIB,
        sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        int(fields["Threads"]),
    )


def hourly(times: Sequence[float], values: Sequence[float]) -> float:
    """Return by how much *values*, taken at *times* in seconds, rise in an hour: least squares."""
    return statistics.linear_regression(times, values).slope * _SECONDS_PER_HOUR
