"""Lists the metrics that only a pooler has: places for clients, queues, pools."""

from __future__ import annotations

from pgheadroom.metrics import points, pooler_points
from pgheadroom.metrics.metric import Metric

OF_POOLER: tuple[Metric, ...] = (
    Metric(
        "pgheadroom_pooler_info",
        "The pooler, in its labels; `serves` is the target behind it, empty while that is not"
        " known. Always 1.",
        ("software", "version", "serves"),
        pooler_points.info,
    ),
    Metric(
        "pgheadroom_pooler_clients",
        "Places for clients that are taken: used_clients of SHOW LISTS, which holds the console's"
        " own sessions and logins in progress.",
        (),
        points.of_sample(lambda s: s.main.used),
    ),
    Metric(
        "pgheadroom_pooler_client_limit",
        "Places for clients: max_client_conn.",
        (),
        points.one(lambda s: None if s.sample is None else s.sample.main.limit),
    ),
    Metric(
        "pgheadroom_pooler_clients_free",
        "How many more clients would be let in now, never below 0; 0 while the pooler refuses us"
        " for want of a place.",
        (),
        points.one(lambda s: s.free),
    ),
    Metric(
        "pgheadroom_pooler_clients_peak",
        "Highest number of places taken in any sample of the window that ends with the newest one.",
        ("window",),
        points.peaks,
    ),
    Metric(
        "pgheadroom_pooler_exhaustion_seconds",
        "Forecast: time until no place for a client is free; +Inf while there is no forecast, 0"
        " when none is free.",
        (),
        pooler_points.exhaustion,
    ),
    Metric(
        "pgheadroom_pooler_client_connections",
        "Clients by application and state, as of pgheadroom_breakdown_timestamp_seconds; those"
        " that wait have the state `waiting`; names beyond the busiest are summed in `other`.",
        ("application_name", "state"),
        points.connections,
    ),
    Metric(
        "pgheadroom_pooler_database_clients",
        "Clients of a database that has a limit on them (PgBouncer 1.24 and newer).",
        ("database",),
        pooler_points.limited_clients("database", limit=False),
    ),
    Metric(
        "pgheadroom_pooler_database_client_limit",
        "The database's max_db_client_connections.",
        ("database",),
        pooler_points.limited_clients("database", limit=True),
    ),
    Metric(
        "pgheadroom_pooler_user_clients",
        "Clients of a user that has a limit on them (PgBouncer 1.24 and newer).",
        ("user",),
        pooler_points.limited_clients("user", limit=False),
    ),
    Metric(
        "pgheadroom_pooler_user_client_limit",
        "The user's max_user_client_connections.",
        ("user",),
        pooler_points.limited_clients("user", limit=True),
    ),
    Metric(
        "pgheadroom_pooler_waiting",
        "Clients that have sent a query and wait for a server connection, by pool; `role` is the"
        " one that logs in to the server. The busiest 100 pools; the others are summed in `other`.",
        ("database", "role"),
        pooler_points.pools(lambda pool: pool.waiting),
    ),
    Metric(
        "pgheadroom_pooler_wait_seconds",
        "For how long the oldest client of the pool's queue waits now; 0 when nobody does.",
        ("database", "role"),
        pooler_points.longest_wait,
    ),
    Metric(
        "pgheadroom_pooler_waited_seconds_total",
        "For how long clients have waited for server connections, all together: its rate is the"
        " mean number of waiters. Added when a client gets one, so one that never does is missing.",
        ("database",),
        pooler_points.waited,
        kind="counter",
    ),
    Metric(
        "pgheadroom_pooler_server_connections",
        "Server connections of the pool by state; each holds a slot of the server, idle or not.",
        ("database", "role", "state"),
        pooler_points.server_connections,
    ),
    Metric(
        "pgheadroom_pooler_pool_size",
        "How many server connections the pool may open; none where nothing limits it.",
        ("database", "role"),
        pooler_points.pools(lambda pool: pool.size),
    ),
    Metric(
        "pgheadroom_pooler_reserve_size",
        "How many more it may open for clients that have waited for reserve_pool_timeout.",
        ("database", "role"),
        pooler_points.pools(lambda pool: pool.reserve),
    ),
    Metric(
        "pgheadroom_pooler_wait_timeout_seconds",
        "query_wait_timeout: a client that has waited this long is disconnected; +Inf for never.",
        (),
        pooler_points.wait_timeout,
    ),
    Metric(
        "pgheadroom_pooler_paused",
        "1 while the database is paused or disabled, or all of the pooler is paused; else 0.",
        ("database",),
        pooler_points.paused,
    ),
)
"""Metrics of a pooler."""
