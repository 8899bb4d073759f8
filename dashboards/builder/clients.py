"""Builds the panels on the places that poolers have for clients: who takes them, and until when."""

from __future__ import annotations

from typing import Final

from dashboards.builder import common
from dashboards.builder.meaning import at_this_rate
from dashboards.builder.parts import (
    BLUE,
    DASHED,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Json,
    curve,
    ending,
    fixed,
    lines,
    name,
    of_many,
    steps,
    what_to_do,
)
from dashboards.builder.pools import BY, recent

BY_APPLICATION: Final = "Clients by application"
SHARE: Final = "Share of the places that is taken"
_LIMIT: Final = "max_client_conn"

FREE: Final = f"min {BY} ({of_many('pgheadroom_pooler_clients_free')})"
TAKEN: Final = f"max {BY} ({of_many('pgheadroom_pooler_clients')})"
LIMIT: Final = f"max {BY} ({of_many('pgheadroom_pooler_client_limit')})"
LEFT: Final = at_this_rate(
    f"min {BY} ({of_many('pgheadroom_pooler_exhaustion_seconds')})", BY, FREE, of_many
)


def by_application() -> Json:
    """Return clients by application, stacked, below the limit."""
    clients = recent("pgheadroom_pooler_client_connections")
    limit = recent("pgheadroom_pooler_client_limit")
    return lines(
        BY_APPLICATION,
        what_to_do(
            "Who takes the places, of all chosen poolers together. The colour that widens is the"
            " application that grows. Each process has its own limit: one may be full below the"
            " line, which is the sum.",
            "PoolerClientsExhausted",
        ),
        curve(
            "sum by (application_name)"
            f" (max by (target, server, application_name, state) ({clients}))",
            "{{application_name}}",
        ),
        curve(f"sum(max {BY} ({limit}))", _LIMIT),
        unit="none",
        decimals=0,
        legend="right",
        stacked=True,
        overrides=[common.across(_LIMIT, "text", custom__lineWidth=2)],
    )


def share() -> Json:
    """Return how full each pooler is, and where that goes from now on."""
    taken = recent("pgheadroom_pooler_clients")
    limit = recent("pgheadroom_pooler_client_limit")
    return lines(
        SHARE,
        what_to_do(
            "Each pooler's own share. Dashed is the forecast, if there is one: straight to the"
            " limit at the forecast time. If one climbs and the others do not, clients are not"
            " spread evenly.",
            "PoolerClientsExhaustionImminent",
        ),
        curve(f"max {BY} ({taken}) / max {BY} ({limit})", "{{target}}"),
        curve(_forecast(), "{{target}} forecast"),
        unit="percentunit",
        max=1,
        thresholds=steps("transparent", (1, RED)),
        custom={"thresholdsStyle": {"mode": "line"}, "lineWidth": 2},
        overrides=[ending(" forecast", color=fixed(GREY), custom__lineStyle=DASHED)],
    )


def _forecast() -> str:
    """Return the lines from the newest sample on, for as long as the time range has a future."""

    def newest(how: str, metric: str) -> str:
        return f"{how} {BY} (last_over_time({of_many(metric)}[$__range] @ end()))"

    taken = newest("max", "pgheadroom_pooler_clients")
    free = newest("min", "pgheadroom_pooler_clients_free")
    limit = newest("max", "pgheadroom_pooler_client_limit")
    left = newest("min", "pgheadroom_pooler_exhaustion_seconds")
    at = newest("max", "pgheadroom_sample_timestamp_seconds")
    line = f"({taken} + {free} / clamp_min({left}, 1) * (time() - {at})) / {limit}"
    return f"clamp_max({line}, 1) and {at} <= time() and {left} < Inf"


def if_it_goes_on() -> Json:
    """Return how full the fullest will be, by the forecast."""

    def share_after(seconds: int) -> str:
        grown = f"{TAKEN} + {FREE} / clamp_min({LEFT}, 1) * {seconds}"
        return f"max(clamp_max(({grown}) / {LIMIT}, 1))"

    return common.if_it_goes_on(
        what_to_do(
            "The share of the places that will be taken at the fullest pooler, if it goes on"
            " growing as it does now. If a bar is full, clients are refused by then.",
            "PoolerClientsExhaustionImminent",
        ),
        f"min({LEFT})",
        share_after,
        ("now", 0),
        ("in 5 minutes", 300),
        ("in an hour", 3600),
        ("in 6 hours", 21600),
        ("in a day", 86400),
    )


def time_left() -> Json:
    """Return the forecast over time."""
    horizon = recent("pgheadroom_policy_seconds", name="paging_horizon")
    return common.time_left(
        what_to_do(
            "The forecast at each moment; there is no line while a pooler does not fill up. Below"
            " the red line it pages, if the pooler is nearly full.",
            "PoolerClientsExhaustionImminent",
        ),
        f"min {BY} ({recent('pgheadroom_pooler_exhaustion_seconds')})",
        "{{target}}",
        (
            f"min({horizon})",
            "paging horizon",
            RED,
        ),
    )


def states() -> Json:
    """Return clients by state."""
    clients = recent("pgheadroom_pooler_client_connections")
    return lines(
        "Clients by state",
        what_to_do(
            "What the clients do. Mostly `idle`: the applications' own pools are large, which costs"
            " places and no slots. `waiting` is the queue. Up to PgBouncer 1.24 idle ones are"
            " `active`, too.",
            "PoolerClientsLow",
        ),
        curve(
            f"sum by (state) (max by (target, server, application_name, state) ({clients}))",
            "{{state}}",
        ),
        unit="none",
        decimals=0,
        stacked=True,
        overrides=[
            name("idle", color=fixed(BLUE)),
            name("active", color=fixed(GREEN)),
            name("waiting", color=fixed(ORANGE)),
        ],
    )


def limits() -> Json:
    """Return how much of each further limit on clients is used."""

    def used(of: str) -> str:
        each = f"max by (target, server, {of})"
        clients = recent(f"pgheadroom_pooler_{of}_clients")
        limit = recent(f"pgheadroom_pooler_{of}_client_limit")
        return f"max by ({of}) ({each} ({clients}) / ({each} ({limit}) > 0))"

    return common.limits(
        "Limits of databases and users",
        what_to_do(
            "Share of max_db_client_connections and of max_user_client_connections in use"
            " (PgBouncer 1.24 and newer). At 100 % that one is refused, even if places are free.",
            "PoolerClientsExhausted",
        ),
        curve(used("database"), "database {{database}}"),
        curve(used("user"), "user {{user}}"),
        none="No database or user has a limit on its clients.",
    )
