"""What is exported, under which names, and how a State becomes samples of it.

The table is the one place where a metric's name, type, help and labels stand; README, dashboards
and rules are checked against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pgheadroom.applications import Applications
from pgheadroom.peaks import WINDOWS
from pgheadroom.reading import FAILURES, Condition, Sample
from pgheadroom.slots import Tier
from pgheadroom.step import State

Labels = tuple[str, ...]
Point = tuple[Labels, float]
"""The values of a metric's labels beside `target`, in the table's order, and the value."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table."""

    name: str
    """As it appears on the page: a counter's ends in ``_total``."""
    help: str
    labels: Labels
    points: Callable[[State], Iterator[Point]]
    kind: str = "gauge"


def _one(value: Callable[[State], float | None]) -> Callable[[State], Iterator[Point]]:
    """Make the points of a metric without labels; none while the value is not known."""

    def points(state: State) -> Iterator[Point]:
        known = value(state)
        if known is not None:
            yield (), float(known)

    return points


def _of_sample(value: Callable[[Sample], float]) -> Callable[[State], Iterator[Point]]:
    return _one(lambda state: None if state.sample is None else value(state.sample))


def _states(state: State) -> Iterator[Point]:
    if state.condition is not None:
        for condition in Condition:
            yield (str(condition),), float(condition is state.condition)


def _reserved(state: State) -> Iterator[Point]:
    if state.sample is not None:
        limits = state.sample.slots.limits
        yield ("superuser",), limits.superuser_reserved
        yield ("reserved",), limits.reserved
        yield ("provider",), limits.provider_reserved


def _limits(state: State) -> Iterator[Point]:
    if state.sample is not None:
        for tier in Tier:
            yield (str(tier),), state.sample.slots.limits.of(tier)


def _free(state: State) -> Iterator[Point]:
    for tier in Tier:
        free = state.free(tier)
        if free is not None:
            yield (str(tier),), free


def _peaks(state: State) -> Iterator[Point]:
    if state.sample is not None:
        for label, seconds in WINDOWS:
            highest = state.peaks.highest(seconds, state.sample.at)
            if highest is not None:
                yield (label,), highest


def _applications(state: State) -> Applications | None:
    return None if state.sample is None else state.applications


def _connections(state: State) -> Iterator[Point]:
    applications = _applications(state)
    if applications is not None:
        yield from applications.counts.items()


def _oldest(state: State) -> Iterator[Point]:
    applications = _applications(state)
    if applications is not None:
        for name, seconds in applications.oldest_seconds.items():
            yield (name,), seconds


def _in_other(state: State) -> float | None:
    applications = _applications(state)
    return None if applications is None else applications.in_other


def _rewritten(state: State) -> float | None:
    applications = _applications(state)
    return None if applications is None else applications.rewritten


def _limit_uses(part: str, figure: str) -> Callable[[State], Iterator[Point]]:
    def points(state: State) -> Iterator[Point]:
        if state.sample is not None:
            for use in getattr(state.sample.breakdown, part):
                yield (use.name,), getattr(use, figure)

    return points


def _sessions(state: State) -> Iterator[Point]:
    if state.sample is not None:
        for sessions in state.sample.breakdown.sessions:
            yield (sessions.database, "open"), sessions.opened
            yield (sessions.database, "abandoned"), sessions.abandoned
            yield (sessions.database, "fatal"), sessions.fatal
            yield (sessions.database, "killed"), sessions.killed


def _server(state: State) -> Iterator[Point]:
    if state.sample is not None:
        server = state.sample.server
        recovery = "true" if server.in_recovery else "false"
        yield (server.version_text, recovery), 1


def _failures(state: State) -> Iterator[Point]:
    for condition in FAILURES:
        yield (str(condition),), state.failures.get(condition, 0)


def _knock_failures(state: State) -> Iterator[Point]:
    for condition in FAILURES:
        yield (str(condition),), state.knock_failures.get(condition, 0)


TABLE: tuple[Metric, ...] = (
    Metric(
        "pgheadroom_up",
        "1 if the newest reading of the target is a sample, 0 if it failed; see"
        " pgheadroom_target_state for how.",
        (),
        _one(lambda s: None if s.condition is None else s.condition is Condition.OK),
    ),
    Metric(
        "pgheadroom_target_state",
        "How the target stands by the newest reading: 1 for the state that holds, else 0.",
        ("state",),
        _states,
    ),
    Metric(
        "pgheadroom_max_connections",
        "The server's max_connections; while it refuses us, as last known.",
        (),
        _of_sample(lambda s: s.slots.limits.max_connections),
    ),
    Metric(
        "pgheadroom_reserved_slots",
        "Slots held back: superuser_reserved_connections, reserved_connections (PostgreSQL 16 and"
        " newer) and what the provider keeps for itself.",
        ("tier",),
        _reserved,
    ),
    Metric(
        "pgheadroom_slots_limit",
        "Slots that may be in use before a role of this tier is refused.",
        ("tier",),
        _limits,
    ),
    Metric(
        "pgheadroom_slots_free",
        "How many more roles of this tier would be let in now, never below 0; while the server"
        " refuses us for want of slots, 0 for the tiers that are out of them.",
        ("tier",),
        _free,
    ),
    Metric(
        "pgheadroom_slots_used",
        "Slots in use: client backends, our own and the hidden ones included; while the server"
        " refuses us, as last known (pgheadroom_sample_timestamp_seconds tells when).",
        (),
        _of_sample(lambda s: s.slots.used),
    ),
    Metric(
        "pgheadroom_slots_hidden",
        "Slots held by logins that are not finished; up to PostgreSQL 17 pg_stat_activity does not"
        " show them.",
        (),
        _of_sample(lambda s: s.slots.hidden),
    ),
    Metric(
        "pgheadroom_reserved_slots_used",
        "Reserved slots in use; above 0, ordinary roles are being refused.",
        (),
        _of_sample(lambda s: s.slots.reserved_used),
    ),
    Metric(
        "pgheadroom_slots_used_peak",
        "Highest number of slots in use in any sample of the window that ends with the newest"
        " one; what a scrape would miss.",
        ("window",),
        _peaks,
    ),
    Metric(
        "pgheadroom_connections",
        "Client backends by application and state, as of pgheadroom_breakdown_timestamp_seconds;"
        " logins under way are `unnamed` and `starting`, so that all of it adds up to the slots in"
        " use; names beyond the busiest are summed in `other`.",
        ("application_name", "state"),
        _connections,
    ),
    Metric(
        "pgheadroom_application_oldest_connection_seconds",
        "Age of the application's oldest connection when the breakdown was taken.",
        ("application_name",),
        _oldest,
    ),
    Metric(
        "pgheadroom_applications_in_other",
        "Application names that are summed in `other`.",
        (),
        _one(_in_other),
    ),
    Metric(
        "pgheadroom_application_names_folded",
        "Application names, as clients gave them, that were folded into another because they"
        " held a uuid, a pod's hash, a pid, a port or the like.",
        (),
        _one(_rewritten),
    ),
    Metric(
        "pgheadroom_role_connections",
        "Client backends of a role that has a CONNECTION LIMIT (the 100 nearest to theirs).",
        ("role",),
        _limit_uses("roles", "used"),
    ),
    Metric(
        "pgheadroom_role_connection_limit",
        "The role's CONNECTION LIMIT; superusers, whom it does not bind, are left out.",
        ("role",),
        _limit_uses("roles", "limit"),
    ),
    Metric(
        "pgheadroom_database_connections",
        "Client backends in a database that has a CONNECTION LIMIT (the 100 nearest to theirs).",
        ("database",),
        _limit_uses("databases", "used"),
    ),
    Metric(
        "pgheadroom_database_connection_limit",
        "The database's CONNECTION LIMIT.",
        ("database",),
        _limit_uses("databases", "limit"),
    ),
    Metric(
        "pgheadroom_sessions_total",
        "Sessions by pg_stat_database: opened, and ended by a lost client, a fatal error (a"
        " refusal by the database's limit is one) or an operator; the 100 busiest databases.",
        ("database", "end"),
        _sessions,
        kind="counter",
    ),
    Metric(
        "pgheadroom_knock_up",
        "1 if the newest knock was answered as a newcomer's is, 0 if it was refused or unanswered.",
        (),
        _one(lambda s: None if s.knock is None else s.knock.condition is Condition.OK),
    ),
    Metric(
        "pgheadroom_knock_seconds",
        "How long the newest knock took, from connect to the server's first answer.",
        (),
        _one(lambda s: None if s.knock is None else s.knock.seconds),
    ),
    Metric(
        "pgheadroom_knock_failures_total",
        "Knocks that were refused or unanswered, by cause.",
        ("state",),
        _knock_failures,
        kind="counter",
    ),
    Metric(
        "pgheadroom_visibility",
        "1 if our role may see every session; 0 if it may not, and counts are estimates.",
        (),
        _of_sample(lambda s: s.breakdown.complete),
    ),
    Metric(
        "pgheadroom_pooled",
        "1 if the target is reached through a connection pooler, whose slots we then use.",
        (),
        _of_sample(lambda s: s.server.pooled),
    ),
    Metric(
        "pgheadroom_server_info",
        "The server, in its labels; always 1.",
        ("version", "in_recovery"),
        _server,
    ),
    Metric(
        "pgheadroom_server_start_time_seconds",
        "When the server's postmaster started, in seconds since the epoch, by its clock.",
        (),
        _of_sample(lambda s: s.server.started_at),
    ),
    Metric(
        "pgheadroom_sample_timestamp_seconds",
        "When the newest sample was taken, in seconds since the epoch.",
        (),
        _of_sample(lambda s: s.at),
    ),
    Metric(
        "pgheadroom_sample_duration_seconds",
        "How long the newest sample took, as we waited for it.",
        (),
        _of_sample(lambda s: s.duration_seconds),
    ),
    Metric(
        "pgheadroom_breakdown_timestamp_seconds",
        "When the connections were last told apart by application, in seconds since the epoch;"
        " between two breakdowns only their number is followed.",
        (),
        _of_sample(lambda s: s.breakdown.at),
    ),
    Metric(
        "pgheadroom_failures_total",
        "Readings that got no sample, by cause.",
        ("state",),
        _failures,
        kind="counter",
    ),
)
"""Every metric that speaks of a target; each has the label `target` first."""
