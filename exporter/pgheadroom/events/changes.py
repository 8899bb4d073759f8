"""Says what changed about a target and its server: one piece of news a change, none a reading."""

from __future__ import annotations

from collections.abc import Iterator

from pgheadroom.durations import duration
from pgheadroom.events.news import News, Value
from pgheadroom.model.event import Event, EventKind, Level
from pgheadroom.model.postgres import PG_16, PostgresFacts
from pgheadroom.model.probes import ProbeLog
from pgheadroom.model.reading import Outcome, Sample
from pgheadroom.model.slots import Tier
from pgheadroom.state import State
from pgheadroom.status.status import status


def changes(before: State, after: State, now: float) -> Iterator[News]:
    """Yield what differs between two successive states of one target, of which one is *now*."""
    if after.outcome is not before.outcome:
        yield _condition(before, after, now)
    if after.sample is not None and after.sample is not before.sample:
        known = None if before.restored else before.sample
        if isinstance(after.sample.facts, PostgresFacts):
            yield from _server(known, after.sample, now)
        elif known is None:
            yield News(Level.INFO, "pooler", _of_pooler(after.sample))
    if after.probes is not before.probes:
        yield from _knock(before.knocks, after.knocks)
        yield from _canary(before.canary, after.canary)


def _condition(before: State, after: State, now: float) -> News:
    if after.outcome is Outcome.OK and after.sample is not None:
        main, facts = after.sample.main, after.sample.facts
        limit: dict[str, Value] = {"client_limit": main.limit}
        if isinstance(facts, PostgresFacts):
            limit = {"max_connections": facts.slots.limits.max_connections}
        blind = _blind_seconds(before, after)
        words = status(after).left
        if blind is not None:
            words = f"after {duration(round(blind))} without a reading: {words}"
        return News(
            Level.INFO,
            "target readable" if before.outcome is None else "target readable again",
            {
                "used": main.used,
                "free": main.free,
                **limit,
                **({} if blind is None else {"blind_seconds": round(blind, 1)}),
            },
            remembered=Event(now, EventKind.READABLE, Level.INFO, words),
        )
    fields: dict[str, Value] = {"state": str(after.outcome), "reason": after.detail}
    if after.sample is not None:
        fields["last_used"] = after.sample.main.used
    label = status(after).label
    words = f"{label} ({after.detail})" if after.detail else label
    event = Event(now, EventKind.UNREADABLE, Level.WARNING, words)
    return News(Level.WARNING, "target unreadable", fields, retries=True, remembered=event)


def _blind_seconds(before: State, after: State) -> float | None:
    if before.sample is None or before.restored or after.sample is None:
        return None
    return after.sample.at - before.sample.at


def _of_pooler(sample: Sample) -> dict[str, Value]:
    facts = sample.pooler
    return {
        "software": facts.software,
        "version": facts.version,
        "client_limit": facts.config.most_clients,
        "pools": len(facts.pools),
        "databases": len(facts.databases),
    }


def _server(before: Sample | None, after: Sample, now: float) -> Iterator[News]:
    server = after.postgres.server
    if before is None:
        yield News(Level.INFO, "server", _about(after))
    elif server.started_at != before.postgres.server.started_at:
        words = f"the server was restarted, or is another one: PostgreSQL {server.version_text}"
        event = Event(now, EventKind.RESTART, Level.WARNING, words)
        yield News(Level.WARNING, "server restarted or changed", _about(after), remembered=event)
    if server.pooled and not (before and before.postgres.server.pooled):
        yield News(
            Level.WARNING,
            "connected through a pooler: the slot that we use, and a refusal, are the pooler's;"
            " name the server itself to be able to log in when the pooler is full",
        )
    if not after.holders.complete and (before is None or before.holders.complete):
        yield News(
            Level.WARNING,
            "states and ages of other roles' sessions are unknown: our role may not see them"
            if after.exact
            else "counts are estimates: our role may not see other roles' sessions",
            {"cure": f"GRANT pg_monitor TO {server.role};"},
        )
    if before is not None and after.holders.complete and not before.holders.complete:
        yield News(Level.INFO, "counts are exact: our role may see every session")
    if before is None and server.shared_reserve:
        yield News(
            Level.INFO,
            "reserved_connections and rds.rds_superuser_reserved_connections are counted as one"
            " reserve; set the target's rds_reserve to separate if they are two",
            {"slots": server.shared_reserve},
        )
    if before is None and server.version >= PG_16 and not _may_use_reserve(after):
        yield News(
            Level.INFO,
            "our role may not use the reserved slots: it is refused when applications are",
            {"cure": f"GRANT pg_use_reserved_connections TO {server.role};"},
        )


def _may_use_reserve(sample: Sample) -> bool:
    return sample.postgres.server.reserve or sample.postgres.server.superuser


def _about(sample: Sample) -> dict[str, Value]:
    limits = sample.postgres.slots.limits
    return {
        "version": sample.postgres.server.version_text,
        "max_connections": limits.max_connections,
        "superuser_reserved": limits.superuser_reserved,
        "reserved": limits.reserved,
        "ordinary_limit": limits.of(Tier.ORDINARY),
        "in_recovery": sample.postgres.server.in_recovery,
    }


def _knock(before: ProbeLog, after: ProbeLog) -> Iterator[News]:
    if after.outcome is before.outcome:
        return
    if after.outcome is Outcome.OK:
        yield News(Level.INFO, "knock answered again")
    else:
        yield News(Level.WARNING, "knock refused", _reason(after))


def _canary(before: ProbeLog, after: ProbeLog) -> Iterator[News]:
    if after.outcome is not before.outcome:
        if after.outcome is Outcome.OK:
            yield News(Level.INFO, "canary logs in again")
        else:
            yield News(Level.WARNING, "canary login failed", _reason(after), retries=True)
    if after.privilege and after.privilege != before.privilege:
        yield News(
            Level.WARNING,
            "the canary proves nothing for applications",
            {"reason": after.privilege},
        )


def _reason(probes: ProbeLog) -> dict[str, Value]:
    detail = "" if probes.newest is None else probes.newest.detail
    return {"state": str(probes.outcome), "reason": detail}
