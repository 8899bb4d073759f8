"""Shows a State in JSON's own types, for pages and programs.

Documented in docs/api.md; keys are added, never renamed. Times are seconds since the epoch. Every
name is foreign text: printable, and to be escaped where it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pgheadroom.forecast.rolling_max import WINDOWS
from pgheadroom.judge.blame import foremost, taker
from pgheadroom.judge.wording import NOUNS
from pgheadroom.model.alert import Alert
from pgheadroom.model.applications import unattributed
from pgheadroom.model.capacity import Capacity, CapacityKind
from pgheadroom.model.event import MOST_EVENTS
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.postgres import PostgresFacts, Server
from pgheadroom.model.probes import ProbeLog
from pgheadroom.model.reading import Sample
from pgheadroom.model.slots import Slots, Tier
from pgheadroom.state import State
from pgheadroom.status.advice import by_urgency, to_do
from pgheadroom.status.figures import (
    climbing_seconds,
    exhaustion_seconds,
    free_for,
    growth_rates,
    history_seconds,
    verdicts,
)
from pgheadroom.status.ranking import severity
from pgheadroom.status.remedies import remedies
from pgheadroom.status.standing import Standing, cause_gone_at, resolves_at, resolving, standing
from pgheadroom.status.status import status
from pgheadroom.status.titles import superseded_by, title
from pgheadroom.text import escaped
from pgheadroom.web.json_values import Json, View
from pgheadroom.web.planning_view import planning_view
from pgheadroom.web.pooler_view import pooler_view, pooling_view

_EVENTS_OF_ONE = 30
"""What is told each second of one target; /api/v1/events has all."""

WAITING = "waiting"
"""The state of a target of which there was no reading yet."""


def target_view(state: State) -> View:
    """Return all that is known of one target."""
    return summary_view(state) | {
        "applications": _applications(state),
        "applications_in_other": state.applications.in_other,
        "applications_at": None if state.sample is None else state.sample.holders.at,
        "unattributed": _unattributed(state),
        "limits": {
            "roles": _uses(state, CapacityKind.ROLE),
            "databases": _uses(state, CapacityKind.DATABASE),
        },
        "knock": _probe(state.knocks),
        "canary": _probe(state.canary),
        "blockers": _blockers(state),
        "remedies": [dict(one._asdict()) for one in remedies(state)],
        "events": event_views([state], _EVENTS_OF_ONE),
        "planning": planning_view(state),
    }


def summary_view(state: State) -> View:
    """Return what a list of targets says of one: all but applications, limits, knock and canary."""
    sample = state.sample
    facts, at = (None, 0.0) if sample is None else (sample.facts, sample.at)
    stands = standing(state)
    return {
        "target": state.target,
        "state": WAITING if state.outcome is None else str(state.outcome),
        "state_since": state.since,
        "detail": state.detail,
        "severity": severity(state),
        "standing": str(stands),
        "status": status(state)._asdict(),
        "history_seconds": history_seconds(state),
        "to_do": to_do(state),
        "resolves_at": resolves_at(state),
        "cause_gone_at": cause_gone_at(state) if stands is Standing.RECOVERING else None,
        "taker": _taker(state),
        "sample": None if sample is None else _sample(sample),
        "server": _server(facts.server) if isinstance(facts, PostgresFacts) else None,
        "kind": str(state.kind),
        "capacity": None if sample is None else _capacity(state, sample.main, at),
        "slots": _slots(state, facts.slots, at) if isinstance(facts, PostgresFacts) else None,
        "pooler": pooler_view(state, facts) if isinstance(facts, PoolerFacts) else None,
        "forecast": None if sample is None else _forecast(state),
        "pooling": pooling_view(state),
        "alerts": [_alert(state, alert) for alert in by_urgency(state)],
    }


def event_views(states: Iterable[State], most: int = MOST_EVENTS) -> list[Json]:
    """Return what happened to all targets, at *most* so many events, the newest first."""
    found = [(state.target, event) for state in states for event in reversed(state.events)]
    found.sort(key=lambda one: -one[1].at)
    return [
        {
            "target": target,
            "time": event.at,
            "kind": str(event.kind),
            "level": str(event.level),
            "words": event.words,
            "alertname": event.alertname or None,
            "application_name": event.application_name or None,
        }
        for target, event in found[:most]
    ]


def history_view(state: State, seconds: float = 3600.0) -> View:
    """Return how use went in the last *seconds*, oldest first, each stretch in the finest buckets.

    Half a minute is known to the second, an hour ago to two minutes.
    """
    now = state.sample.at if state.sample is not None else math.inf
    points: list[Json] = [
        {
            "time": start,
            "seconds": width,
            "low": bucket.low,
            "mean": round(bucket.mean, 2),
            "high": bucket.high,
            "free": bucket.free,
            "applications": {name: span[1] for name, span in bucket.spans.items()},
        }
        for start, width, bucket in state.usage.history.stretches()
        if start + width > now - seconds
    ]
    return {"target": state.target, "limit": state.usage.limit, "points": points}


def _sample(sample: Sample) -> View:
    facts = sample.facts
    return {
        "time": sample.at,
        "duration_seconds": sample.duration_seconds,
        "complete": sample.holders.complete,
        "exact": sample.exact,
        "pooled": isinstance(facts, PostgresFacts) and facts.server.pooled,
    }


def _server(server: Server) -> View:
    return {
        "version": server.version_text,
        "started_at": server.started_at,
        "in_recovery": server.in_recovery,
        "role": server.role,
    }


def _slots(state: State, slots: Slots, at: float) -> View:
    limits = slots.limits
    return {
        "max_connections": limits.max_connections,
        "used": slots.used,
        "visible": slots.visible,
        "hidden": slots.hidden,
        "reserved_used": slots.reserved_used,
        "limit": {str(tier): limits.of(tier) for tier in Tier},
        "free": {str(tier): free_for(state, tier) for tier in Tier},
        "reserve": {
            "superuser": limits.superuser_reserved,
            "reserved": limits.reserved,
            "provider": limits.provider_reserved,
        },
        "peak": _peak(state, at),
    }


def _peak(state: State, at: float) -> View:
    return {label: state.usage.recent_max.highest(seconds, at) for label, seconds in WINDOWS}


def _capacity(state: State, main: Capacity, at: float) -> View:
    """Return what an ordinary client runs out of: slots of a server, places of a pooler."""
    return {
        "kind": str(main.scope.kind),
        "noun": NOUNS[main.scope.kind][1],
        "used": main.used,
        "limit": main.limit,
        "free": state.free,
        "logins": main.logins,
        "reserve": main.reserve,
        "peak": _peak(state, at),
    }


def _forecast(state: State) -> View:
    first = foremost(state)
    forecast, who = (None, None) if first is None else first
    return {
        "exhaustion_seconds": {
            str(tier): _finite(seconds) for tier, seconds in exhaustion_seconds(state).items()
        },
        "sign": None if forecast is None else str(forecast.pattern),
        "since": None if forecast is None else forecast.since,
        "application_name": None if who is None else who.application_name,
        "took": None if who is None else who.took,
        "holds": None if who is None else who.holds,
    }


def _taker(state: State) -> View | None:
    who = taker(state)
    return None if who is None else dict(who._asdict())


def _applications(state: State) -> list[Json]:
    if state.sample is None:
        return []
    applications = state.applications
    kinds: dict[str, dict[str, int]] = {name: {} for name in applications.totals}
    for (name, kind), count in applications.counts.items():
        kinds[name][kind] = count
    growth, climbing, verdict = growth_rates(state), climbing_seconds(state), verdicts(state)
    return [
        {
            "application_name": name,
            "connections": applications.totals[name],
            "states": kinds[name],
            "growth_per_second": growth.get(name),
            "climbing_seconds": climbing[name],
            "verdict": str(verdict[name]),
            "oldest_connection_seconds": applications.oldest_seconds.get(name),
        }
        for name in sorted(applications.totals, key=lambda name: (-applications.totals[name], name))
    ]


def _unattributed(state: State) -> int:
    return 0 if state.sample is None else unattributed(state.sample, state.applications)


def _blockers(state: State) -> View | None:
    """Return who waits for a lock, and on whom."""
    found = state.blockers
    if found is None:
        return None
    return {
        "time": found.at,
        "waiting": found.waiting,
        "looked_at": found.looked_at,
        "roots": [
            {
                "pid": root.pid,
                "kind": root.kind,
                "application_name": escaped(root.application_name),
                "role": root.role,
                "database": root.database,
                "state": root.state,
                "transaction_seconds": root.transaction_seconds,
                "blocks": root.blocks,
                "longest_wait_seconds": root.longest_wait_seconds,
                "applications": dict(root.applications),
            }
            for root in found.roots
        ],
    }


def _uses(state: State, kind: CapacityKind) -> list[Json]:
    uses = [] if state.sample is None else state.sample.limits_of(kind)
    return [{"name": use.name, "limit": use.limit, "used": use.used} for use in uses]


def _probe(probes: ProbeLog) -> View | None:
    newest = probes.newest
    if newest is None:
        return None
    return {
        "time": newest.at,
        "state": str(newest.outcome),
        "seconds": newest.seconds,
        "detail": newest.detail,
    }


def _alert(state: State, alert: Alert) -> View:
    other = superseded_by(state, alert)
    return {
        "alertname": str(alert.name),
        "severity": str(alert.severity),
        "since": alert.since,
        "title": title(state, alert),
        "summary": alert.summary,
        "description": alert.description,
        "told_at": alert.told_at,
        "over": resolving(state, alert) or standing(state) is Standing.RECOVERING,
        "superseded_by": None if other is None else str(other),
        "application_name": alert.application_name,
        "about": dict(alert.about),
        "runbook_url": alert.runbook_url,
    }


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
