"""Defines an alert: its name, severity, text, and whom it is about.

The names, summaries and labels are the same here, in the rules for Prometheus and in the runbooks.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from pgheadroom.model.identity import TargetKind

Label = tuple[str, str]
About = tuple[Label, ...]
"""What tells an alert from others of its name: a role; of a pool its database and its user."""


class Severity(enum.StrEnum):
    """Whom an alert is for."""

    CRITICAL = "critical"
    """Pages a person."""
    WARNING = "warning"
    """A ticket."""


class AlertName(enum.StrEnum):
    """Every alert that the daemon itself can raise."""

    EXHAUSTED = "PostgresConnectionsExhausted"
    IMMINENT = "PostgresConnectionsExhaustionImminent"
    EXPECTED = "PostgresConnectionsExhaustionExpected"
    LOW = "PostgresConnectionsLow"
    REFUSED = "PostgresConnectionsRefused"
    RESERVE = "PostgresReservedSlotsInUse"
    LOGINS = "PostgresLoginsPilingUp"
    ROLE = "PostgresRoleConnectionsLow"
    DATABASE = "PostgresDatabaseConnectionsLow"
    LEAKING = "PostgresApplicationLeaking"
    UNKNOWN = "PostgresHeadroomUnknown"
    CLIENTS_EXHAUSTED = "PoolerClientsExhausted"
    CLIENTS_IMMINENT = "PoolerClientsExhaustionImminent"
    CLIENTS_LOW = "PoolerClientsLow"
    QUEUE = "PoolerQueueGrowing"
    PAUSED = "PoolerPaused"
    OVERCOMMITTED = "PostgresSlotsOvercommitted"
    OUTGROWN = "PostgresPeaksOutgrowLimit"


_BOTH = (Severity.WARNING, Severity.CRITICAL)

SEVERITIES: dict[AlertName, tuple[Severity, ...]] = {
    AlertName.EXHAUSTED: (Severity.CRITICAL,),
    AlertName.IMMINENT: (Severity.CRITICAL,),
    AlertName.EXPECTED: (Severity.WARNING,),
    AlertName.LOW: (Severity.WARNING,),
    AlertName.REFUSED: (Severity.CRITICAL,),
    AlertName.RESERVE: (Severity.CRITICAL,),
    AlertName.LOGINS: _BOTH,
    AlertName.ROLE: _BOTH,
    AlertName.DATABASE: _BOTH,
    AlertName.LEAKING: (Severity.WARNING,),
    AlertName.UNKNOWN: _BOTH,
    AlertName.CLIENTS_EXHAUSTED: (Severity.CRITICAL,),
    AlertName.CLIENTS_IMMINENT: (Severity.CRITICAL,),
    AlertName.CLIENTS_LOW: (Severity.WARNING,),
    AlertName.QUEUE: (Severity.CRITICAL,),
    AlertName.PAUSED: (Severity.WARNING,),
    AlertName.OVERCOMMITTED: (Severity.WARNING,),
    AlertName.OUTGROWN: (Severity.WARNING,),
}
"""The severities that each alert comes in."""

SUMMARIES: dict[AlertName, str] = {
    AlertName.EXHAUSTED: "No connection slot is left for applications.",
    AlertName.IMMINENT: "Applications are about to run out of connection slots.",
    AlertName.EXPECTED: "Connection slots will run out at this rate.",
    AlertName.LOW: "Few connection slots are left for applications.",
    AlertName.REFUSED: "The server is refusing new connections.",
    AlertName.RESERVE: "Reserved connection slots are in use.",
    AlertName.LOGINS: "Logins hold connection slots and do not finish.",
    AlertName.ROLE: "A role's CONNECTION LIMIT is nearly or fully used.",
    AlertName.DATABASE: "A database's CONNECTION LIMIT is nearly or fully used.",
    AlertName.LEAKING: "An application opens connections and does not close them.",
    AlertName.UNKNOWN: "The number of free connection slots is unknown.",
    AlertName.CLIENTS_EXHAUSTED: "The pooler has no place left for clients.",
    AlertName.CLIENTS_IMMINENT: "The pooler is about to run out of places for clients.",
    AlertName.CLIENTS_LOW: "Few places for clients are left at the pooler.",
    AlertName.QUEUE: "Clients queue at the pooler, longer and longer.",
    AlertName.PAUSED: "A database of the pooler is paused or disabled.",
    AlertName.OVERCOMMITTED: "Poolers may open more connections than the server has slots.",
    AlertName.OUTGROWN: "The peaks of a weekday grow and will reach the limit in some weeks.",
}
"""One sentence each, the same whatever the figures are; those are in the description."""

_OF_BOTH = frozenset({AlertName.REFUSED, AlertName.UNKNOWN})
_OF_A_POOLER = frozenset(
    {
        AlertName.CLIENTS_EXHAUSTED,
        AlertName.CLIENTS_IMMINENT,
        AlertName.CLIENTS_LOW,
        AlertName.QUEUE,
        AlertName.PAUSED,
    }
)
ALERTS_OF: dict[TargetKind, frozenset[AlertName]] = {
    TargetKind.POSTGRES: frozenset(AlertName) - _OF_A_POOLER,
    TargetKind.PGBOUNCER: _OF_A_POOLER | _OF_BOTH,
}
"""Which alerts a target of each kind may raise."""

Key = tuple[AlertName, Severity, About]
"""What makes an alert the same as one of another time."""

RUNBOOKS = "https://github.com/pgheadroom/pgheadroom/blob/main/alerts/runbooks"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires, of one target."""

    name: AlertName
    severity: Severity
    since: float
    """When it began to fire, in seconds since the epoch."""
    description: str
    """The figures in words, with units, and the culprit."""
    application_name: str | None = None
    """The application to look at first; None where no application is to blame."""
    about: About = ()
    """Labels that tell this alert from others of its name: ``(("role", "app"),)``."""
    told_at: float | None = None
    """As of when the description is, in seconds since the epoch: when the alert's cause was last
    seen. None where that is not known, as in a file of an older version."""

    @property
    def summary(self) -> str:
        """What is wrong, in one sentence."""
        return SUMMARIES[self.name]

    @property
    def runbook_url(self) -> str:
        """Where it says what to do."""
        return f"{RUNBOOKS}/{self.name}.md"

    @property
    def key(self) -> Key:
        """What makes it the same alert as one of another time."""
        return self.name, self.severity, self.about


class ActiveAlert(NamedTuple):
    """What is remembered of one alert that fires, or may begin to."""

    pending_since: float | None
    """Since when it has been found without a break; None while it is not."""
    alert: Alert | None = None
    """None before it fires, and when it has resolved but is not forgotten."""
    gone_since: float | None = None
    until: float = 0.0
    """Up to then it stands without being found again; resolved, it is remembered up to then."""
    least_free: int = 0
    """The fewest ordinary slots that were free while it fired."""
