"""Builds the dashboard that hunts a leak: which application, since when, from which pools."""

from __future__ import annotations

from typing import Final

from dashboards.builder import frame, links, parts, variables
from dashboards.builder.history import by_application, states
from dashboards.builder.meaning import GROWTH, PER_MINUTE, VERDICTS
from dashboards.builder.parts import (
    BLUE,
    DASHED,
    GAUGE,
    ORANGE,
    PURPLE,
    RED,
    SHADES_OF_GREY,
    Json,
    curve,
    fixed,
    lines,
    name,
    now,
    of_one,
    query,
    rows,
    stat,
    steps,
    table,
    what_to_do,
)
from dashboards.builder.server import LIMIT
from dashboards.builder.suspects import RUNBOOK, SUSPICION, suspects

from pgheadroom.model.identity import TargetKind

ITS: Final = 'application_name="$application"'
OF_OTHERS: Final = 'application_name!="$application"'
AMONG_OTHERS: Final = "$application, and the others behind it"
BEFORE_AND_AFTER: Final = "Before and after"
AGE: Final = "Age of its oldest connection"


def _count(matchers: str, by: str = "") -> str:
    """Return connections of those that match, summed by the label *by*."""
    labels = f" by ({by})" if by else ""
    return (
        f"sum{labels} (max by (application_name, state)"
        f" ({of_one('pgheadroom_connections', matchers)}))"
    )


def _growth(matchers: str = ITS, offset: str = "") -> str:
    series = of_one("pgheadroom_application_growth", matchers)
    return f"{PER_MINUTE} * max by (application_name) ({series}{offset})"


def hunted() -> Json:
    """Return which application it is."""
    seen = of_one("pgheadroom_connections", ITS)
    return stat(
        "Application",
        what_to_do("The application that is hunted here. Choose another in the table.", RUNBOOK),
        rows(f"max by (application_name) (last_over_time({seen}[$__range]))"),
        unit="none",
        field="application_name",
        color=fixed("text"),
    )


def connections() -> Json:
    """Return how many connections it has."""
    return stat(
        "Connections",
        what_to_do(
            "Connections of this application, and their share of the ordinary slots. If it is more"
            " than pool size times processes, something opens more pools.",
            RUNBOOK,
        ),
        now(_count(ITS), "connections"),
        now(f"{_count(ITS)} / on () {LIMIT}", "of the slots"),
        unit="none",
        text="value_and_name",
        thresholds=steps("text"),
        noValue="gone",
        overrides=[name("of the slots", unit="percentunit", decimals=0, thresholds=steps(BLUE))],
    )


def growing() -> Json:
    """Return how fast it grows."""
    return stat(
        "Growth a minute",
        what_to_do(
            "Additional connections per minute, below 0 if it releases some. If it stays above 0 it"
            " reaches the limit: stop the newest deploy or restart the application.",
            RUNBOOK,
        ),
        now(_growth(), "a minute"),
        unit="none",
        decimals=1,
        noValue="-",
        thresholds=GROWTH,
    )


def verdict() -> Json:
    """Return what its curve looks like."""
    return stat(
        "Verdict",
        what_to_do(
            "The shape of its curve over hours and days: climbing is a leak that does not come"
            " back; a storm takes many within a minute; stable, sawtooth and shrinking are fine.",
            RUNBOOK,
        ),
        rows(f"max by (verdict) ({of_one('pgheadroom_application_verdict', ITS)} == 1)"),
        unit="none",
        field="verdict",
        noValue="-",
        mappings=VERDICTS,
        thresholds=steps("text"),
    )


def climbing() -> Json:
    """Return for how long it has climbed."""
    seconds = of_one("pgheadroom_application_climbing_seconds", ITS)
    return stat(
        "Climbing for",
        what_to_do(
            "For how long, at least, it has climbed without coming back; for less than an hour see"
            " the growth and the verdict. What was deployed when it began?",
            RUNBOOK,
        ),
        now(f"max({seconds})", "climbing"),
        unit="s",
        decimals=0,
        noValue="-",
        mappings=parts.texts(_0=("under an hour", "text")),
        thresholds=steps("text", (1, ORANGE), (7200, RED)),
    )


def oldest_now() -> Json:
    """Return the age of its oldest connection."""
    seconds = of_one("pgheadroom_application_oldest_connection_seconds", ITS)
    return stat(
        "Oldest connection",
        what_to_do(
            "As old as the oldest of its processes, if it keeps its connections. Much younger: the"
            " pool renews them; much older: one was forgotten.",
            RUNBOOK,
        ),
        now(f"max({seconds})", "oldest"),
        unit="s",
        decimals=0,
        noValue="-",
        thresholds=steps("text"),
    )


def among_others() -> Json:
    """Return its count, and in grey those of the others that have most."""
    others = _count(OF_OTHERS, "application_name")
    last = f"last_over_time({of_one('pgheadroom_connections', OF_OTHERS)}[$__range] @ end())"
    return lines(
        AMONG_OTHERS,
        what_to_do(
            "Its connections, bold, and in grey the nine other applications with most. If all climb"
            " together it is load or a slow server; if only this one climbs it is a leak.",
            RUNBOOK,
        ),
        curve(
            f"{others} and on (application_name) topk(9, {by_application(last)})",
            "{{application_name}}",
        ),
        curve(_count(ITS, "application_name"), "{{application_name}}"),
        unit="none",
        legend="right",
        overrides=[
            query("A", color=SHADES_OF_GREY, custom__lineWidth=1),
            query("B", color=fixed(BLUE), custom__lineWidth=4, custom__fillOpacity=15),
        ],
    )


_NOW_AND_AGO: Final = [
    query("A", color=fixed(PURPLE), custom__lineStyle=DASHED, custom__lineWidth=2),
    query("B", color=fixed(BLUE), custom__lineWidth=2),
]


def before_and_after() -> Json:
    """Return its count beside that of some time ago."""
    series = of_one("pgheadroom_connections", ITS)
    ago = f"sum(max by (application_name, state) ({series} offset $ago))"
    return lines(
        BEFORE_AND_AFTER,
        what_to_do(
            "Its connections now, and at an earlier time (`Before` above). Set that to a time"
            " before a deploy: if the slopes differ, the deploy caused the leak, or fixed it.",
            RUNBOOK,
        ),
        curve(ago, "$ago before"),
        curve(_count(ITS), "now"),
        unit="none",
        overrides=_NOW_AND_AGO,
    )


def growth_compared() -> Json:
    """Return its growth beside that of some time ago."""
    return lines(
        "Growth a minute, before and after",
        what_to_do(
            "How fast it grows, now and at the earlier time. After a fix the line comes back to 0"
            " and stays there under any load.",
            RUNBOOK,
        ),
        curve(_growth(offset=" offset $ago"), "$ago before"),
        curve(_growth(), "now"),
        unit="none",
        decimals=1,
        min=None,
        overrides=_NOW_AND_AGO,
    )


_POOLS: Final = of_one("pgheadroom_application_connections", ITS)


def pools() -> Json:
    """Return its pools over time."""
    return lines(
        "Its pools: by database and role",
        what_to_do(
            "Each colour is one database and role: usually one pool in each process. The one that"
            " widens is the pool that leaks.",
            RUNBOOK,
        ),
        curve(f"max by (database, role) ({_POOLS})", "{{database}}, {{role}}"),
        unit="none",
        stacked=True,
    )


def pool_arithmetic() -> Json:
    """Return its pools as they are, to be compared with what is configured."""
    one = f"max by (database, role) ({_POOLS})"
    return table(
        "Pool arithmetic",
        what_to_do(
            "Connections now, and the highest and lowest number within this time range. Compare"
            " with the configuration: processes times pool size. Anything beyond that is a leak.",
            RUNBOOK,
        ),
        rows(one),
        rows(f"max by (database, role) (min_over_time({_POOLS}[$__range]))"),
        rows(f"max by (database, role) (max_over_time({_POOLS}[$__range]))"),
        columns={
            "database": "Database",
            "role": "Role",
            "Value #A": "Now",
            "Value #B": "Fewest",
            "Value #C": "Most",
        },
        sort="Value #A",
        overrides=[
            name(
                "Now",
                min=0,
                thresholds=steps(BLUE),
                custom__cellOptions=GAUGE,
            )
        ],
    )


def by_state() -> Json:
    """Return its connections by state."""
    return {
        **states(ITS),
        "title": "Its connections by state",
        "description": what_to_do(
            "Idle and growing: opened and forgotten, or one pool too many. Idle in transaction: a"
            " transaction that never ends. Active: load, or queries that have become slow.",
            RUNBOOK,
        ),
    }


def age() -> Json:
    """Return the age of its oldest connection over time."""
    seconds = of_one("pgheadroom_application_oldest_connection_seconds", ITS)
    return lines(
        AGE,
        what_to_do(
            "A drop to 0 means that all of its connections are new: a deploy or a restart, which is"
            " marked in the graphs. A sawtooth is a pool that renews its connections.",
            RUNBOOK,
        ),
        curve(f"max({seconds})", "oldest connection"),
        unit="s",
        overrides=[name("oldest connection", color=fixed(BLUE), custom__fillOpacity=10)],
    )


def leak() -> Json:
    """Return the dashboard of one application on one server."""
    oldest = of_one("pgheadroom_application_oldest_connection_seconds", ITS)
    renewed = frame.annotation(
        "All connections renewed",
        f"{oldest} < 60 and {oldest} offset 1m > 90",
        PURPLE,
        text="All connections of {{application_name}} are new: a deploy or a restart",
        panels=[AMONG_OTHERS, BEFORE_AND_AFTER, AGE],
    )
    return frame.dashboard(
        links.LEAK,
        "pgheadroom / Leak hunt",
        "One application: does it leak, since when, and from which of its pools?",
        variables=[
            variables.DATASOURCE,
            variables.JOB,
            variables.INSTANCE,
            *variables.which(many=False, kind=TargetKind.POSTGRES),
            variables.by_rank("application", "Application", SUSPICION, "application_name"),
            variables.choice("ago", "Before", ("5m", "15m", "1h", "6h", "1d", "7d"), "1h"),
        ],
        annotations=[*frame.alerts(parts.ONE, panels=[AMONG_OTHERS]), renewed],
        content=[
            (
                8,
                [
                    (12, suspects()),
                    (4, [hunted(), verdict()]),
                    (4, [connections(), growing()]),
                    (4, [climbing(), oldest_now()]),
                ],
            ),
            (11, [(24, among_others())]),
            "Pool arithmetic",
            (8, [(8, pool_arithmetic()), (8, pools()), (8, by_state())]),
            "Before and after a deploy",
            (8, [(8, before_and_after()), (8, growth_compared()), (8, age())]),
        ],
    )
