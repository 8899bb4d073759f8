"""Defines what asking a server once returns: a Sample, a Failure or a Probe.

Expected trouble is a value. A server that refuses us has answered, and its answer says more than
most samples do; so reading never raises, and every cause has a name of its own.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from pgheadroom.model.slots import Slots

PG_16, PG_17, PG_18 = 160000, 170000, 180000
"""First versions of a major, as in ``server_version_num``."""


class Outcome(enum.StrEnum):
    """How a target stands, by the newest reading; the most telling first.

    The order matters: when a target has several hosts and each fails in its own way, the first of
    these is what the target is said to be.
    """

    OK = "ok"
    FULL = "full"
    """Every slot is taken: even a superuser is refused, before any password is asked."""
    RESERVED_ONLY = "reserved_only"
    """Only reserved slots are left, and our role may not use them."""
    ROLE_LIMIT = "role_limit"
    DATABASE_LIMIT = "database_limit"
    POOLER_FULL = "pooler_full"
    """A pooler in front refuses; of the server's own slots that says nothing."""
    STARTING = "starting"
    SHUTTING_DOWN = "shutting_down"
    AUTH = "auth"
    """Wrong password, no such role, no rule in pg_hba.conf, no right to connect."""
    ERROR = "error"
    TIMEOUT = "timeout"
    """Silence: the server, or the way to it, did not answer in time."""
    HOST_UNKNOWN = "host_unknown"
    UNREACHABLE = "unreachable"
    """Nobody listens there, or no route leads there."""


FAILURES: tuple[Outcome, ...] = tuple(c for c in Outcome if c is not Outcome.OK)
"""Every condition that a failed reading can have."""


@dataclass(frozen=True, slots=True)
class Group:
    """Client backends that share an application name, a state, a database and a role."""

    application_name: str
    state: str
    count: int
    oldest_seconds: float | None
    """Age of the oldest connection among them; None where our role may not see it."""
    database: str = ""
    role: str = ""
    """Both empty where they are not known, as in a recording."""


@dataclass(frozen=True, slots=True)
class LimitUse:
    """A CONNECTION LIMIT of a role or a database, and how much of it is used."""

    name: str
    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class Sessions:
    """What ``pg_stat_database`` has counted for a database since its statistics began."""

    database: str
    opened: int
    abandoned: int
    fatal: int
    killed: int


class Breakdown(NamedTuple):
    """Who holds the slots: what a full reading of ``pg_stat_activity`` found."""

    at: float
    """When it was taken, in seconds since the epoch by our clock."""
    visible: int
    groups: tuple[Group, ...]
    roles: tuple[LimitUse, ...]
    databases: tuple[LimitUse, ...]
    sessions: tuple[Sessions, ...]
    complete: bool
    """Our role may see every session."""
    cost_seconds: float
    """How long one of the server's processors worked on it."""


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


class Sample(NamedTuple):
    """A successful reading: full (its breakdown is its own) or a pulse (it carries the last)."""

    at: float
    """When the answer was in, in seconds since the epoch by our clock."""
    duration_seconds: float
    slots: Slots
    breakdown: Breakdown
    server: Server

    @property
    def exact(self) -> bool:
        """Whether the slots were counted; if not, they are an estimate.

        Up to PostgreSQL 16 a role that may not see every session cannot tell other processes from
        client backends; from 17 on their numbers tell.
        """
        return self.breakdown.complete or self.server.version >= PG_17

    @property
    def full(self) -> bool:
        """Whether the breakdown was taken with this very sample."""
        return self.breakdown.at == self.at


@dataclass(frozen=True, slots=True)
class Failure:
    """A reading that got no sample, and why."""

    at: float
    outcome: Outcome
    detail: str
    """One line for the log, free of secrets."""


class ProbeKind(enum.StrEnum):
    """How it is tried whether a new client would get in."""

    KNOCK = "knock"
    """Begins to log in, and leaves when it is asked for a password or its role is judged."""
    CANARY = "canary"
    """Logs in whole as an ordinary role, and leaves at once."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One try to get in as a new client would."""

    kind: ProbeKind
    at: float
    """By our clock, in seconds since the epoch: when a knock began, when a login was over."""
    seconds: float
    """How long it took; for a canary from looking up the host's name on."""
    outcome: Outcome
    """OK when a new client would have got in, as far as this kind of probe can tell."""
    detail: str = ""
    privilege: str = ""
    """Why a login says little about ordinary roles; empty when no reason is known."""


Reading = Sample | Failure | Probe
"""What sampling brings; a recording is made of these."""

Trouble = TypeVar("Trouble", Failure, Probe)


def most_telling(answers: list[Trouble]) -> Trouble:
    """Return the one of *answers* (at least one) that says most about the target."""
    order = list(Outcome)
    return min(answers, key=lambda answer: order.index(answer.outcome))
