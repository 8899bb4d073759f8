"""Defines a server's connection slots: the limits, the reserves, and how many are in use.

The rules are PostgreSQL's own (``proc.c`` InitProcess, ``postinit.c`` InitPostgres): every client
backend, one that still logs in included, takes one of ``max_connections`` slots; ordinary roles may
not take the last ``superuser_reserved_connections + reserved_connections`` of them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from pgheadroom.model.capacity import Capacity, CapacityKind, Scope

_SLOTS = Scope(CapacityKind.SLOTS)
MOST_BACKENDS = 262_143
"""PostgreSQL's MAX_BACKENDS: no setting and no count can be larger."""


class Tier(enum.StrEnum):
    """Who asks for a slot: the less a role may, the earlier it is refused."""

    ORDINARY = "ordinary"
    RESERVED = "reserved"
    """A member of ``pg_use_reserved_connections`` (PostgreSQL 16 and newer)."""
    SUPERUSER = "superuser"


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that divide a server's slots; all fixed while its postmaster lives."""

    max_connections: int
    superuser_reserved: int
    reserved: int = 0
    """``reserved_connections``, 0 before PostgreSQL 16."""
    provider_reserved: int = 0
    """What a managed service holds back from its customers' ordinary roles."""

    def of(self, tier: Tier) -> int:
        """Return how many slots may be in use before a role of *tier* is refused, at least 0."""
        if tier is Tier.SUPERUSER:
            return self.max_connections
        left = self.max_connections - self.superuser_reserved
        if tier is Tier.ORDINARY:
            left -= self.reserved + self.provider_reserved
        return max(0, left)


class RdsReserve(enum.StrEnum):
    """Whether ``rds.rds_superuser_reserved_connections`` is the same as ``reserved_connections``.

    On Amazon RDS from PostgreSQL 16 on both are there, and it is nowhere said to be two reserves.
    """

    AUTO = "auto"
    """One reserve where both settings are equal."""
    SAME = "same"
    """One reserve, as large as the larger of them."""
    SEPARATE = "separate"

    def shared(self, reserved: int, rds_reserved: int) -> int:
        """Return how many slots both settings name, given what they are."""
        if self is RdsReserve.SAME or (self is RdsReserve.AUTO and reserved == rds_reserved):
            return min(reserved, rds_reserved)
        return 0


class Slots(NamedTuple):
    """The slots of one server at one moment."""

    limits: Limits
    visible: int
    """Client backends that have logged in, our own included."""
    hidden: int
    """Logins under way: each holds a slot already, whether or not it will ever get in."""

    @property
    def used(self) -> int:
        """Slots that are taken, by whomever."""
        return self.visible + self.hidden

    def free(self, tier: Tier) -> int:
        """Return how many more roles of *tier* would be let in now, never below 0."""
        return max(0, self.limits.of(tier) - self.used)

    @property
    def ordinary(self) -> Capacity:
        """The slots as what an ordinary role runs out of."""
        limit = self.limits.of(Tier.ORDINARY)
        reserve = self.limits.max_connections - limit
        return Capacity(_SLOTS, self.used, limit, reserve, logins=self.hidden)

    @property
    def reserved_used(self) -> int:
        """Reserved slots in use: above 0, ordinary roles are being refused."""
        return max(0, self.used - self.limits.of(Tier.ORDINARY))
