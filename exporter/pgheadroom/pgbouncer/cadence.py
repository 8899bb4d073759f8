"""Decides which readings are full, so that large poolers pay little for being watched.

PgBouncer has one thread, and SHOW CLIENTS and SHOW SERVERS hold it for as long as they take: each
second only what costs the same whatever the number of clients is asked, and no more of that than
tells how many places are taken and who queues.
"""

from __future__ import annotations

from typing import NamedTuple

_MOVED_SECONDS = 2.0
"""Clients or server connections came or went: who they are is asked again after this ..."""
_STILL_SECONDS = 10.0
"""... and else after this ..."""
_LATELY_SECONDS = 5.0
"""Databases, whether they are paused, and totals are asked this often: a row of each costs more
than the row of a pool."""
_SHARE = 0.002
"""... but never so often that it takes more than this share of the pooler's thread."""
_LONGEST_SECONDS = 60.0


class Full(NamedTuple):
    """The newest full reading."""

    at: float
    cost_seconds: float
    """For how long it kept the pooler's thread, at most."""
    clients: int
    servers: int


def lately_due(at: float, now: float) -> bool:
    """Say whether what was asked *at* that time is to be asked again *now*."""
    return not 0 <= now - at < _LATELY_SECONDS


def full_due(last: Full | None, now: float, clients: int, servers: int) -> bool:
    """Say whether a full reading is due *now*, with so many *clients* and *servers*."""
    if last is None or now < last.at:
        return True
    moved = (clients, servers) != (last.clients, last.servers)
    wanted = _MOVED_SECONDS if moved else _STILL_SECONDS
    pause = min(_LONGEST_SECONDS, max(wanted, last.cost_seconds / _SHARE))
    return now - last.at >= pause
