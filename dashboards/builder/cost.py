"""Builds the panels on what the daemon costs: processor, memory, connections, scrapes."""

from __future__ import annotations

from typing import Final

from dashboards.builder import parts
from dashboards.builder.parts import (
    BLUE,
    GREEN,
    PURPLE,
    Json,
    curve,
    fixed,
    lines,
    name,
    of_many,
    own,
    what_to_do,
)

DOWN: Final = "PgheadroomDown"


def scrape() -> Json:
    """Return what a scrape costs."""
    return lines(
        "Cost of a scrape",
        what_to_do(
            "How long Prometheus waits for the page, and how many series it has. Fewer application"
            " names (max_applications, fold_rules) make it smaller.",
            DOWN,
        ),
        curve(f"max by (instance) ({own('scrape_duration_seconds')})", "{{instance}}: time"),
        curve(f"max by (instance) ({own('scrape_samples_scraped')})", "{{instance}}: series"),
        unit="s",
        overrides=[parts.query("B", unit="none", custom__axisPlacement="right")],
    )


def processor() -> Json:
    """Return the CPU time that it takes."""
    seconds = own("process_cpu_seconds_total")
    return lines(
        "Processor",
        what_to_do(
            "Share of one core. It grows with the number of targets and with how often they are"
            " sampled: set a longer interval, or run another daemon.",
            DOWN,
        ),
        curve(f"sum by (instance) (rate({seconds}[$__rate_interval]))", "{{instance}}"),
        unit="percentunit",
        custom={"fillOpacity": 10},
    )


def memory() -> Json:
    """Return the memory that it takes."""
    return lines(
        "Memory",
        what_to_do(
            "Resident memory. It grows with the number of targets and then stays level, because"
            " history is bounded. A line that climbs for days is a bug; please report it.",
            DOWN,
        ),
        curve(f"max by (instance) ({own('process_resident_memory_bytes')})", "{{instance}}"),
        unit="bytes",
        custom={"fillOpacity": 10},
    )


def connections() -> Json:
    """Return how many connections it holds."""
    mine = of_many("pgheadroom_connections", application_name="pgheadroom")
    return lines(
        "Connections held",
        what_to_do(
            "Its own sessions on the server where it has most (normally one for each daemon), and"
            " on all servers. More for a long time is a bug; please report it.",
            "PostgresConnectionsLow",
        ),
        curve(
            f"max(sum by (target, server) (max by (target, server, state) ({mine})))",
            "most on one server",
        ),
        curve(f"sum(max by (target, server, state) ({mine}))", "on all servers"),
        curve(f"max by (instance) ({own('process_open_fds')})", "{{instance}}: open files"),
        unit="none",
        decimals=0,
        overrides=[
            name("most on one server", color=fixed(BLUE), custom__lineWidth=2),
            name("on all servers", color=fixed(GREEN)),
            parts.query("C", color={"mode": "shades", "fixedColor": PURPLE}),
        ],
    )
