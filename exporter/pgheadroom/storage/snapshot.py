"""Takes from a State what is worth keeping over a restart, and restores a State from it.

The history of its use, what happened, which alerts fire or are about to, and the newest sample with
who held the slots then: a server that is full tells nothing new for as long as it is. Not who they
were one by one, and not what was counted: counters may restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pgheadroom.forecast.usage import Usage
from pgheadroom.model.alert import ALERTS_OF, ActiveAlert, Key
from pgheadroom.model.applications import Applications
from pgheadroom.model.event import Event
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.model.reading import Sample
from pgheadroom.state import State

_RESTART_SECONDS = 300.0
"""A restart that takes less is no end of an alert, however soon one resolves otherwise."""


class Last(NamedTuple):
    """The newest sample, and the applications as of then."""

    sample: Sample
    """Without groups and counters, and without what is only true for a moment."""
    applications: Applications


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is remembered of one target."""

    at: float
    """As of when, in seconds since the epoch."""
    usage: Usage
    """Without what belongs to the newest sample alone."""
    active: Mapping[Key, ActiveAlert]
    identifier: str = ""
    """Of the server, as last known."""
    last: Last | None = None
    """None when there was no sample, of a pooler, and in files of older versions."""
    events: tuple[Event, ...] = ()
    """What happened."""


def taken(state: State, at: float) -> Snapshot:
    """Return what is worth remembering of *state*, as it is *at* seconds since the epoch."""
    usage = state.usage.resting()
    last = None
    if state.sample is not None and isinstance(state.sample.facts, PostgresFacts):
        holders = state.sample.holders._replace(groups=(), younger=None)
        facts = state.sample.facts._replace(sessions=(), blockers=None, activity=None)
        last = Last(state.sample._replace(holders=holders, facts=facts), state.applications)
    return Snapshot(at, usage, state.active, state.identifier, last, state.events)


def restored(fresh: State, snapshot: Snapshot, now: float) -> State:
    """Return the state to begin with *now*: *fresh*, which knows nothing yet, and *snapshot*.

    The time between is a gap in the history, as any other. An alert that would have resolved
    meanwhile, had its cause gone with our last look, is forgotten: a page of days ago helps nobody.
    The last sample is shown with its age, however old it is, until there is another.
    """
    if snapshot.last is not None and fresh.kind is not TargetKind.POSTGRES:
        return fresh  # a server was called so, and now a pooler is
    hold, possible = fresh.thresholds.resolve_hold_seconds, ALERTS_OF[fresh.kind]
    active = {
        key: one
        for key, one in snapshot.active.items()
        if key[0] in possible and not _over(one, snapshot.at, now, hold)
    }
    if snapshot.last is not None:
        sample, applications = snapshot.last
        fresh = fresh._replace(sample=sample, restored=True, applications=applications)
    return fresh._replace(
        usage=snapshot.usage,
        active=active,
        identifier=snapshot.identifier,
        events=snapshot.events,
        alerts=tuple(one.alert for one in active.values() if one.alert is not None),
    )


def _over(active: ActiveAlert, at: float, now: float, hold: float) -> bool:
    gone_since = at if active.gone_since is None else active.gone_since
    return now >= active.until and now - gone_since >= max(hold, _RESTART_SECONDS)
