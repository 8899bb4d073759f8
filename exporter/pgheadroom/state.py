"""Defines State: all that is known of one target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pgheadroom.forecast.countdown import Countdown
from pgheadroom.forecast.queues import Queue
from pgheadroom.forecast.traffic import Traffic
from pgheadroom.forecast.usage import Usage
from pgheadroom.model.alert import ActiveAlert, Alert, Key
from pgheadroom.model.applications import Applications
from pgheadroom.model.blockers import Blockers
from pgheadroom.model.capacity import Scope
from pgheadroom.model.event import Event, Told
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.pooling import HighWater, Pooling
from pgheadroom.model.probes import ProbeLog
from pgheadroom.model.reading import Outcome, ProbeKind, Sample
from pgheadroom.model.thresholds import Thresholds

_NOT_PROBED = ProbeLog()

NOTHING_LEFT: Mapping[TargetKind, tuple[Outcome, ...]] = {
    TargetKind.POSTGRES: (Outcome.FULL, Outcome.RESERVED_ONLY),
    TargetKind.PGBOUNCER: (Outcome.POOLER_FULL,),
}
"""The refusals that say that nothing is left of what a target runs out of."""


class State(NamedTuple):
    """All that is known of one target."""

    target: str
    thresholds: Thresholds = Thresholds()
    kind: TargetKind = TargetKind.POSTGRES
    outcome: Outcome | None = None
    """By the newest reading; None before there was one."""
    since: float | None = None
    """When *outcome* began, in seconds since the epoch."""
    detail: str = ""
    """The newest failure in words, while it lasts."""
    sample: Sample | None = None
    """The newest sample: while the server refuses us, the last that there was."""
    restored: bool = False
    """Whether that one was taken before a restart of the daemon; then it has no groups."""
    applications: Applications = Applications()
    failures: Mapping[Outcome, int] = {}
    probes: Mapping[ProbeKind, ProbeLog] = {}
    usage: Usage = Usage()
    """Of the main capacity."""
    countdown: Countdown = Countdown()
    """Until the main capacity is used up, as it is told."""
    traffic: Traffic = Traffic()
    """Of a server: transactions committed, over the last hours."""
    queues: Mapping[Scope, Queue] = {}
    """Of a pooler: the pools in which somebody waits."""
    active: Mapping[Key, ActiveAlert] = {}
    alerts: tuple[Alert, ...] = ()
    """What fires now."""
    told: Told | None = None
    """What was told of the alerts that fire; None before there was a reading since the start."""
    events: tuple[Event, ...] = ()
    """What happened, the newest last."""
    address: str = ""
    """Where the server is, in a few characters that may be shown to everybody."""
    blockers: Blockers | None = None
    """Of a server: who makes others wait for locks, as of its own time, the applications that wait
    called as in *applications*; None while no two sessions wait for somebody."""
    pooling: Pooling | None = None
    """What it has to do with poolers, or as a pooler with servers; None where there are none."""
    direct: HighWater = HighWater()
    """Of a server that is behind poolers: slots in use that no pooler holds."""
    configured_serves: str = ""
    """Of a pooler: the target that its settings say is behind it."""
    replicas: int = 1
    """Of a pooler: how many processes like this one there are."""
    identifier: str = ""
    """What initdb called the cluster, as last known; empty while it is not."""

    @property
    def server(self) -> str:
        """Which server the target is, whatever the target is called.

        The address alone does not tell: ``db`` is another server in each container's network. Nor
        does the identifier: a standby has that of its primary.
        """
        return f"{self.address}#{self.identifier}" if self.identifier else self.address

    def probed(self, kind: ProbeKind) -> ProbeLog:
        """Return what is known by probes of *kind*; an empty log where there was none."""
        return self.probes.get(kind, _NOT_PROBED)

    @property
    def knocks(self) -> ProbeLog:
        """What the knocks have shown."""
        return self.probed(ProbeKind.KNOCK)

    @property
    def canary(self) -> ProbeLog:
        """What the canary's logins have shown."""
        return self.probed(ProbeKind.CANARY)

    @property
    def serves(self) -> str:
        """Of a pooler: the targets behind it, parted by commas; empty while that is not known."""
        found = () if self.pooling is None else self.pooling.serves
        return ",".join(found) or self.configured_serves

    def of(self, identity: Identity) -> State:
        """Return the state of the target of *identity*; of another one, nothing is kept."""
        address, kind, serves, replicas = identity
        if kind is not self.kind:
            self = State(self.target, self.thresholds)  # noqa: PLW0642 - a value, not an object
        elif address != self.address:
            self = self._replace(identifier="")  # noqa: PLW0642 - a value, not an object
        return self._replace(
            address=address, kind=kind, configured_serves=serves, replicas=replicas
        )

    @property
    def free(self) -> int | None:
        """How much an ordinary client can still take; None when never known, or unlimited.

        A refusal is news: while the newest reading is one, its word counts more than the last
        sample's, and counts without one too.
        """
        if self.outcome in NOTHING_LEFT[self.kind]:
            return 0
        return None if self.sample is None else self.sample.main.free
