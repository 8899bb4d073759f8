"""Lists every metric: its name, help, labels, and how it follows from a State.

The table is the one place where a metric's name, type, help and labels stand; README, dashboards
and rules are checked against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pgheadroom.judge.figures import climbing_seconds, growth_rates
from pgheadroom.metrics import points
from pgheadroom.metrics.points import Labels, Point
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.reading import Outcome, ProbeKind
from pgheadroom.state import State


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table."""

    name: str
    """As it appears on the page: a counter's ends in ``_total``."""
    help: str
    labels: Labels
    points: Callable[[State], Iterator[Point]]
    kind: str = "gauge"
    """Or counter, or histogram: then a point is a bucket with its upper bound as the last label,
    or without that label the sum."""


TABLE: tuple[Metric, ...] = (
    Metric(
        "pgheadroom_up",
        "1 if the newest reading of the target is a sample, 0 if it failed; see"
        " pgheadroom_target_state for how.",
        (),
        points.one(lambda s: None if s.outcome is None else s.outcome is Outcome.OK),
    ),
    Metric(
        "pgheadroom_target_state",
        "How the target stands by the newest reading: 1 for the state that holds, else 0.",
        ("state",),
        points.states,
    ),
    Metric(
        "pgheadroom_max_connections",
        "The server's max_connections; while it refuses us, as last known.",
        (),
        points.of_sample(lambda s: s.facts.slots.limits.max_connections),
    ),
    Metric(
        "pgheadroom_reserved_slots",
        "Slots held back: superuser_reserved_connections, reserved_connections (PostgreSQL 16 and"
        " newer) and what the provider keeps for itself.",
        ("tier",),
        points.reserved,
    ),
    Metric(
        "pgheadroom_slots_limit",
        "Slots that may be in use before a role of this tier is refused.",
        ("tier",),
        points.limits,
    ),
    Metric(
        "pgheadroom_slots_free",
        "How many more roles of this tier would be let in now, never below 0; while the server"
        " refuses us because slots ran out, 0 for the tiers that are out of them.",
        ("tier",),
        points.free,
    ),
    Metric(
        "pgheadroom_slots_used",
        "Slots in use: client backends, our own and the hidden ones included; while the server"
        " refuses us, as last known (see pgheadroom_sample_timestamp_seconds).",
        (),
        points.of_sample(lambda s: s.facts.slots.used),
    ),
    Metric(
        "pgheadroom_slots_hidden",
        "Slots held by logins that are not finished; up to PostgreSQL 17 pg_stat_activity does not"
        " show them.",
        (),
        points.of_sample(lambda s: s.facts.slots.hidden),
    ),
    Metric(
        "pgheadroom_reserved_slots_used",
        "Reserved slots in use; above 0, ordinary roles are being refused.",
        (),
        points.of_sample(lambda s: s.facts.slots.reserved_used),
    ),
    Metric(
        "pgheadroom_slots_used_peak",
        "Highest number of slots in use in any sample of the window that ends with the newest"
        " one; what a scrape would miss.",
        ("window",),
        points.peaks,
    ),
    Metric(
        "pgheadroom_exhaustion_seconds",
        "Forecast: time until no slot is free for a role of this tier; +Inf when no end is in"
        " sight, 0 when none is free.",
        ("tier",),
        points.exhaustion,
    ),
    Metric(
        "pgheadroom_connections",
        "Client backends by application and state, as of pgheadroom_breakdown_timestamp_seconds;"
        " logins in progress are `unnamed` and `starting`, so that the sum is the slots in"
        " use; names beyond the busiest are summed in `other`.",
        ("application_name", "state"),
        points.connections,
    ),
    Metric(
        "pgheadroom_application_connections",
        "Client backends of each application by database and role: whose pools they are. At most"
        " 200 series; the smallest of more are summed in `other`.",
        ("application_name", "database", "role"),
        points.holders,
    ),
    Metric(
        "pgheadroom_application_oldest_connection_seconds",
        "Age of the application's oldest connection when the breakdown was taken.",
        ("application_name",),
        points.oldest,
    ),
    Metric(
        "pgheadroom_application_growth",
        "Connections a second by which the application grows, below 0 if it shrinks: over the"
        " stretch that the present forecast was seen in, without one over five minutes.",
        ("application_name",),
        points.by_name(growth_rates),
    ),
    Metric(
        "pgheadroom_application_climbing_seconds",
        "For how long the application has climbed without coming back, at least, and higher than it"
        " ever was; 0 if it does not climb.",
        ("application_name",),
        points.by_name(climbing_seconds),
    ),
    Metric(
        "pgheadroom_application_verdict",
        "What the application's curve looks like: 1 for the verdict that holds, else 0.",
        ("application_name", "verdict"),
        points.application_verdicts,
    ),
    Metric(
        "pgheadroom_applications_in_other",
        "Application names that are summed in `other`.",
        (),
        points.one(points.in_other),
    ),
    Metric(
        "pgheadroom_application_names_folded",
        "Application names, as clients gave them, that were folded into another because they"
        " held a uuid, a pod's hash, a pid, a port or the like.",
        (),
        points.one(points.rewritten),
    ),
    Metric(
        "pgheadroom_role_connections",
        "Client backends of a role that has a CONNECTION LIMIT above 0. Of more than 100 such roles"
        " these are the ones that use most of theirs, and all that an alert may speak of.",
        ("role",),
        points.limit_uses(CapacityKind.ROLE, "used"),
    ),
    Metric(
        "pgheadroom_role_connection_limit",
        "The role's CONNECTION LIMIT. Superusers, which it does not limit, are left out, and so is"
        " a limit of 0, which locks the role.",
        ("role",),
        points.limit_uses(CapacityKind.ROLE, "limit"),
    ),
    Metric(
        "pgheadroom_database_connections",
        "Client backends in a database that has a CONNECTION LIMIT above 0. Of more than 100 such"
        " databases these are the ones that use most of theirs, and all that an alert may speak"
        " of.",
        ("database",),
        points.limit_uses(CapacityKind.DATABASE, "used"),
    ),
    Metric(
        "pgheadroom_database_connection_limit",
        "The database's CONNECTION LIMIT; one of 0, which locks the database, is left out.",
        ("database",),
        points.limit_uses(CapacityKind.DATABASE, "limit"),
    ),
    Metric(
        "pgheadroom_sessions_total",
        "Sessions by pg_stat_database: opened, and ended by a lost client, a fatal error (a"
        " refusal by the database's limit is one) or an operator; the 100 busiest databases.",
        ("database", "end"),
        points.sessions,
        kind="counter",
    ),
    Metric(
        "pgheadroom_knock_up",
        "1 if the newest knock was answered as a newcomer's is, 0 if it was refused or unanswered.",
        (),
        points.newest(ProbeKind.KNOCK, lambda probe: probe.outcome is Outcome.OK),
    ),
    Metric(
        "pgheadroom_knock_seconds",
        "How long the newest knock took, from connect to the server's first answer.",
        (),
        points.newest(ProbeKind.KNOCK, lambda probe: probe.seconds),
    ),
    Metric(
        "pgheadroom_knock_failures_total",
        "Knocks that were refused or unanswered, by cause.",
        ("state",),
        points.knock_failures,
        kind="counter",
    ),
    Metric(
        "pgheadroom_canary_up",
        "1 if the canary's newest login got in, 0 if not; of targets that have a canary.",
        (),
        points.newest(ProbeKind.CANARY, lambda probe: probe.outcome is Outcome.OK),
    ),
    Metric(
        "pgheadroom_canary_seconds",
        "How long the canary's logins took that got in, from looking up the host's name: a"
        " histogram.",
        ("le",),
        points.canary_durations,
        kind="histogram",
    ),
    Metric(
        "pgheadroom_canary_failures_total",
        "Logins of the canary that did not get in, by cause.",
        ("state",),
        points.canary_failures,
        kind="counter",
    ),
    Metric(
        "pgheadroom_alert",
        "1 while the daemon's own verdict is that this alert fires, else 0.",
        ("alertname", "severity"),
        points.alerts,
    ),
    Metric(
        "pgheadroom_policy_seconds",
        "The thresholds in force that are times; the name is that of the setting.",
        ("name",),
        points.policy("seconds"),
    ),
    Metric(
        "pgheadroom_policy_ratio",
        "The thresholds in force that are shares of a limit; the name is that of the setting.",
        ("name",),
        points.policy("ratio"),
    ),
    Metric(
        "pgheadroom_visibility",
        "1 if our role may see every session; 0 if it may not: states and ages are not known then,"
        " and up to PostgreSQL 16 counts are estimates.",
        (),
        points.of_sample(lambda s: s.holders.complete),
    ),
    Metric(
        "pgheadroom_slots_exact",
        "1 if the slots in use are counted; 0 if they are an estimate, which never pages, because"
        " our role may not see every session of a PostgreSQL up to 16.",
        (),
        points.of_sample(lambda s: s.exact),
    ),
    Metric(
        "pgheadroom_pooled",
        "1 if the target is reached through a connection pooler, whose slots we then use.",
        (),
        points.of_sample(lambda s: s.facts.server.pooled),
    ),
    Metric(
        "pgheadroom_server_info",
        "The server, in its labels; always 1.",
        ("version", "in_recovery"),
        points.server,
    ),
    Metric(
        "pgheadroom_server_start_time_seconds",
        "When the server's postmaster started, in seconds since the epoch, by its clock.",
        (),
        points.of_sample(lambda s: s.facts.server.started_at),
    ),
    Metric(
        "pgheadroom_sample_timestamp_seconds",
        "When the newest sample was taken, in seconds since the epoch.",
        (),
        points.of_sample(lambda s: s.at),
    ),
    Metric(
        "pgheadroom_sample_duration_seconds",
        "How long the newest sample took, as we waited for it.",
        (),
        points.of_sample(lambda s: s.duration_seconds),
    ),
    Metric(
        "pgheadroom_breakdown_timestamp_seconds",
        "When connections were last counted by application, in seconds since the epoch;"
        " between two breakdowns only their number is followed.",
        (),
        points.of_sample(lambda s: s.holders.at),
    ),
    Metric(
        "pgheadroom_failures_total",
        "Readings that got no sample, by cause.",
        ("state",),
        points.failures,
        kind="counter",
    ),
)
"""Every metric that speaks of a target; each has the labels `target` and `server` besides."""
