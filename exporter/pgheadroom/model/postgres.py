"""Defines the facts of a sample that only a PostgreSQL server has: slots, server, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pgheadroom.model.activity import Activity
from pgheadroom.model.blockers import Blockers
from pgheadroom.model.slots import Slots

PG_16, PG_17, PG_18 = 160000, 170000, 180000
"""First versions of a major, as in ``server_version_num``."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """What ``pg_stat_database`` has counted for a database since its statistics began."""

    database: str
    opened: int
    abandoned: int
    fatal: int
    killed: int


@dataclass(frozen=True, slots=True)
class Server:
    """What stays the same while a server lives."""

    version: int
    """As in ``server_version_num``: 160004 is 16.4."""
    version_text: str
    started_at: float
    in_recovery: bool
    role: str
    """Our role, quoted as SQL needs it."""
    superuser: bool
    """Our role is a superuser."""
    reserve: bool
    """Our role may use the reserved slots (``pg_use_reserved_connections``)."""
    pooled: bool
    """We came in through a pooler: our session is not the backend that answers."""
    identifier: str = ""
    """What initdb called the cluster (``system_identifier``), the same on all its standbys; empty
    where the server does not tell."""
    shared_reserve: int = 0
    """Slots that ``reserved_connections`` and the provider's setting both name; counted once."""


Backend = tuple[int, int]
"""A session: its process, and the port of its client; -1 for a Unix socket, 0 where hidden."""


class PostgresFacts(NamedTuple):
    """What a sample of a PostgreSQL server says beside its capacities and who holds them."""

    slots: Slots
    server: Server
    sessions: tuple[Sessions, ...] = ()
    """As of when the holders were read."""
    backends: tuple[Backend, ...] = ()
    """As of then, too; only where poolers are watched."""
    waiting: int = 0
    """Sessions that wait for a lock, as far as our role may see that; as of then."""
    blockers: Blockers | None = None
    """Who blocked whom shortly before; only in a recording, whose lines are samples. Elsewhere it
    is a reading of its own."""
    activity: Activity | None = None
    """What the sessions have done, as of when the holders were read; None where it is not known."""
