"""Sums up what one watcher costs, and compares two."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.support.figures import spread


@dataclass(slots=True)
class Bill:
    """What one watcher costs, window by window."""

    server: list[float] = field(default_factory=list)
    """The server's processor seconds per second."""
    own: list[float] = field(default_factory=list)
    """Its own processor seconds per second."""
    resident_mib: list[float] = field(default_factory=list)


def row(ours: Bill, peer: Bill, unwatched: Sequence[float]) -> tuple[list[str], float]:
    """Return the cells of a table, and what *ours* costs the server as a share of *peer*."""
    ratio = statistics.median(ours.server) / statistics.median(peer.server)
    cells = [
        _milliseconds(ours.server),
        _milliseconds(peer.server),
        f"{ratio:.2f}",
        _milliseconds(ours.own),
        _milliseconds(peer.own),
        spread(ours.resident_mib, 1),
        spread(peer.resident_mib, 1),
        _milliseconds(unwatched),
    ]
    return cells, ratio


def _milliseconds(seconds: Sequence[float]) -> str:
    return spread([1000 * value for value in seconds])
