"""Defines a capacity: something that is used up to a limit, how much is taken, and who waits."""

from __future__ import annotations

import enum
from typing import NamedTuple


class CapacityKind(enum.StrEnum):
    """What it is that runs out."""

    SLOTS = "slots"
    """Connection slots of a PostgreSQL server, for ordinary roles."""
    ROLE = "role"
    """The CONNECTION LIMIT of a role."""
    DATABASE = "database"
    """The CONNECTION LIMIT of a database."""
    CLIENTS = "clients"
    """Places for clients of a pooler: of all of it, or of one of its databases or users."""
    POOL = "pool"
    """Server connections of one pool, which is of a database and a role."""


class Scope(NamedTuple):
    """Which capacity of a target it is."""

    kind: CapacityKind
    name: tuple[str, ...] = ()
    """Of a role, a database or a pool; empty for what the target has one of."""


class Capacity(NamedTuple):
    """A countable thing with a limit, at one moment."""

    scope: Scope
    used: int
    """How much is taken, by whomever, reserves included."""
    limit: int | None
    """How much an ordinary client may take; None where nothing limits it."""
    reserve: int = 0
    """What is beyond the limit for a few, or for later: reserved slots, a reserve pool."""
    logins: int = 0
    """How much of what is used is held by clients that still log in: they have no name yet."""
    waiting: int = 0
    """Clients that queue for it."""
    longest_wait_seconds: float = 0.0

    @property
    def name(self) -> str:
        """What a role or a database is called; empty for what the target has one of."""
        return "/".join(self.scope.name)

    @property
    def free(self) -> int | None:
        """How much an ordinary client can still take, at least 0; None where nothing limits it."""
        return None if self.limit is None else max(0, self.limit - self.used)
