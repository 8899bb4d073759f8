"""Lists the metrics that only a PostgreSQL server has: slots, connections, limits, knocks."""

from __future__ import annotations

import math

from pgheadroom.metrics import points
from pgheadroom.metrics.metric import Metric
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.reading import Outcome, ProbeKind

OF_POSTGRES: tuple[Metric, ...] = (
    Metric(
        "pgheadroom_max_connections",
        "The server's max_connections; while it refuses us, as last known.",
        (),
        points.of_postgres(lambda f: f.slots.limits.max_connections),
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
        points.of_postgres(lambda f: f.slots.used),
    ),
    Metric(
        "pgheadroom_slots_hidden",
        "Slots held by logins that are not finished; up to PostgreSQL 17 pg_stat_activity does not"
        " show them.",
        (),
        points.of_postgres(lambda f: f.slots.hidden),
    ),
    Metric(
        "pgheadroom_reserved_slots_used",
        "Reserved slots in use; above 0, applications are being refused.",
        (),
        points.of_postgres(lambda f: f.slots.reserved_used),
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
        "Forecast: time until no slot is free for a role of this tier; +Inf while there"
        " is no forecast, 0 when none is free.",
        ("tier",),
        points.exhaustion,
    ),
    Metric(
        "pgheadroom_peak_exhaustion_seconds",
        "Forecast for planning: time until the peaks of a weekday, which grow from week to week,"
        " reach the limit of ordinary roles; +Inf while none is in sight within half a year. It"
        " needs three weeks of history.",
        (),
        points.peak_exhaustion,
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
        "pgheadroom_slots_pooled",
        "Slots in use that are server connections of this pooler, which is watched, too. That it is"
        " behind it is proven by process and port, or told by address or the setting `serves`.",
        ("pooler",),
        points.pooler_uses(lambda use: use.pooled),
    ),
    Metric(
        "pgheadroom_slots_committed",
        "Connections that the pooler's pools may open to this server, those that exist; with their"
        " reserve, times the `replicas` of its settings; +Inf where nothing limits them.",
        ("pooler",),
        points.pooler_uses(lambda use: math.inf if use.committed is None else use.committed),
    ),
    Metric(
        "pgheadroom_slots_ceiling",
        "The same with a pool for every role and database that the pooler's settings admit; +Inf"
        " where nothing bounds that.",
        ("pooler",),
        points.pooler_uses(lambda use: math.inf if use.ceiling is None else use.ceiling),
    ),
    Metric(
        "pgheadroom_slots_direct",
        "Slots in use that no pooler holds which is watched.",
        (),
        points.one(lambda s: None if s.pooling is None else s.pooling.direct),
    ),
    Metric(
        "pgheadroom_slots_direct_highest",
        "The most slots that no pooler held for five seconds, in the last day or since the daemon"
        " started.",
        (),
        points.one(lambda s: s.direct.highest if s.pooling and s.pooling.uses else None),
    ),
    Metric(
        "pgheadroom_overcommitted_slots",
        "By how much the poolers' committed connections and the highest direct use of the last day"
        " exceed the ordinary slots; 0 where they fit, +Inf where nothing limits a pool.",
        (),
        points.overcommitted,
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
        "pgheadroom_transactions_total",
        "Transactions committed, in all databases together (xact_commit of pg_stat_database), ours"
        " included; as of pgheadroom_breakdown_timestamp_seconds.",
        (),
        points.of_postgres(lambda f: None if f.activity is None else f.activity.commits),
        kind="counter",
    ),
    Metric(
        "pgheadroom_knock_up",
        "1 if the newest knock was answered as that of a new client is, 0 if not.",
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
        points.of_postgres(lambda f: f.server.pooled),
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
        points.of_postgres(lambda f: f.server.started_at),
    ),
)
"""Metrics of a PostgreSQL server."""
