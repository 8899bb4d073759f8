"""Defines what asking a server once returns: a Sample, a Failure or a Probe.

Expected trouble is a value. A server that refuses us has answered, and its answer says more than
most samples do; so reading never raises, and every cause has a name of its own.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from pgheadroom.model.activity import Younger
from pgheadroom.model.blockers import Blockers
from pgheadroom.model.capacity import Capacity, CapacityKind
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.pooling import Pooling
from pgheadroom.model.postgres import PG_17, PostgresFacts
from pgheadroom.model.slots import Slots


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
    """Connections that share an application name, a state, a database and a role."""

    application_name: str
    state: str
    count: int
    oldest_seconds: float | None
    """Age of the oldest connection among them; None where our role may not see it."""
    database: str = ""
    role: str = ""
    """Both empty where they are not known, as in a recording."""


class Holders(NamedTuple):
    """Who holds the target's capacity: what a full reading found."""

    at: float
    """When it was taken, in seconds since the epoch by our clock."""
    visible: int
    """Connections that the groups sum up to."""
    groups: tuple[Group, ...]
    complete: bool
    """Our role may see the state and age of every connection."""
    cost_seconds: float
    """How long one of the server's processors worked on it."""
    younger: Younger | None = None
    """Young connections of each application; None where not every connection's age is known."""


class Sample(NamedTuple):
    """A successful reading: full (its holders are its own) or a pulse (it carries the last)."""

    at: float
    """When the answer was in, in seconds since the epoch by our clock."""
    duration_seconds: float
    main: Capacity
    """What an ordinary client runs out of; forecasts are about this."""
    others: tuple[Capacity, ...]
    """Further limits, of roles, databases and pools."""
    holders: Holders
    facts: PostgresFacts | PoolerFacts

    @classmethod
    def of_postgres(
        cls,
        at: float,
        duration_seconds: float,
        facts: PostgresFacts,
        holders: Holders,
        others: tuple[Capacity, ...] = (),
    ) -> Sample:
        """Return the sample of a PostgreSQL server: its main capacity is its ordinary slots."""
        return cls(at, duration_seconds, facts.slots.ordinary, others, holders, facts)

    def with_slots(self, slots: Slots) -> Sample:
        """Return the sample of the same PostgreSQL server with other *slots*."""
        return self._replace(main=slots.ordinary, facts=self.postgres._replace(slots=slots))

    @property
    def postgres(self) -> PostgresFacts:
        """What only a PostgreSQL server says; raises TypeError of anything else."""
        if not isinstance(self.facts, PostgresFacts):
            raise TypeError(self.facts.software)
        return self.facts

    @property
    def pooler(self) -> PoolerFacts:
        """What only a pooler says; raises TypeError of anything else."""
        if not isinstance(self.facts, PoolerFacts):
            raise TypeError(self.facts.server.version_text)
        return self.facts

    def limits_of(self, kind: CapacityKind) -> list[Capacity]:
        """Return the further limits of *kind*."""
        return [capacity for capacity in self.others if capacity.scope.kind is kind]

    @property
    def exact(self) -> bool:
        """Whether the slots were counted; if not, they are an estimate.

        Up to PostgreSQL 16 a role that may not see every session cannot tell other processes from
        client backends; from 17 on their numbers tell.
        """
        return self.holders.complete or self.postgres.server.version >= PG_17

    @property
    def full(self) -> bool:
        """Whether the holders were read with this very sample."""
        return self.holders.at == self.at


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


Recorded = Sample | Failure | Probe
"""What asking a target brings; a recording is made of these."""
Reading = Recorded | Pooling | Blockers
"""What changes what is known of a target."""

Trouble = TypeVar("Trouble", Failure, Probe)


def most_telling(answers: list[Trouble]) -> Trouble:
    """Return the one of *answers* (at least one) that says most about the target."""
    order = list(Outcome)
    return min(answers, key=lambda answer: order.index(answer.outcome))
