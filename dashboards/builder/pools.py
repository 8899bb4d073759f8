"""Builds the panels on what happens inside poolers: who queues, for how long, and their pools."""

from __future__ import annotations

from typing import Final

from dashboards.builder import common, links
from dashboards.builder.history import while_scraped
from dashboards.builder.parts import (
    BLUE,
    COLOURED,
    DASHED,
    GAUGE,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    Json,
    curve,
    fixed,
    lines,
    name,
    of_many,
    rows,
    steps,
    table,
    texts,
    what_to_do,
)

QUEUE: Final = "PoolerQueueGrowing"
LONGEST_WAIT: Final = "Longest wait, by pool"
WAITING: Final = "Clients waiting, by application"

BY: Final = "by (target, server)"
_BY_POOL: Final = "by (target, server, database, role)"
CHOSEN: Final = ('database=~"$database"', 'role=~"$role"')
"""Which pools: the two variables."""

TIMEOUT: Final = f"min {BY} ({of_many('pgheadroom_pooler_wait_timeout_seconds')})"
_USUAL: Final = f"max {BY} ({of_many('pgheadroom_policy_seconds', name='queue_wait')})"
PATIENCE: Final = f"(0.9 * {TIMEOUT} < {_USUAL} or {_USUAL})"
"""A queue pages when its oldest client has waited for so long, at the latest."""


def recent(metric: str, *matchers: str, **labels: str) -> str:
    """Return what a curve shows of *metric*: the range may end in the future."""
    return of_many(metric, *matchers, **labels) + while_scraped(of=of_many)


# ---- The queue.


def waiting_by_application() -> Json:
    """Return who waits."""
    metric = "pgheadroom_pooler_client_connections"
    by = "max by (target, server, application_name)"
    waits = f"sum by (application_name) ({by} ({recent(metric, state='waiting')}))"
    # There is no series while nobody waits: 0 then, for those that do wait at any time.
    clients = f"sum by (application_name) ({by} ({recent(metric)}))"
    ever = f"present_over_time({of_many(metric, state='waiting')}[$__range] @ end())"
    return lines(
        WAITING,
        what_to_do(
            "Clients that have sent a query and have no server connection yet. The application that"
            " waits most is not always the one that holds the connections.",
            QUEUE,
        ),
        curve(
            f"{waits} or 0 * {clients} and on (application_name) {ever}",
            "{{application_name}}",
        ),
        unit="none",
        decimals=0,
        stacked=True,
        noValue="Nobody waits.",
    )


def _of_the_busiest(how: str, expression: str, metric: str) -> str:
    """Return *expression*, which is by pool, of the ten with most of *metric* in the time range.

    There may be a hundred pools.
    """
    most = f"max_over_time({of_many(metric, *CHOSEN)}[$__range] @ end())"
    busiest = f"topk(10, {how} by (database, role) (max {_BY_POOL} ({most})))"
    return f"{expression} and on (database, role) {busiest}"


def waiting_by_pool() -> Json:
    """Return in which pools clients wait."""
    metric = "pgheadroom_pooler_waiting"
    count = f"sum by (database, role) (max {_BY_POOL} ({recent(metric, *CHOSEN)}))"
    return lines(
        "Clients waiting, by pool",
        what_to_do(
            "The queues of the ten pools with most, all chosen poolers together. One that drains is"
            " what a pooler is for; one that grows has too few connections, or slow ones.",
            QUEUE,
        ),
        curve(_of_the_busiest("sum", count, metric), "{{database}}, {{role}}"),
        unit="none",
        decimals=0,
        stacked=True,
        custom={"axisSoftMax": 4},
    )


def longest_wait() -> Json:
    """Return for how long the oldest client of each queue waits, against what ends its wait."""
    metric = "pgheadroom_pooler_wait_seconds"
    wait = f"max by (database, role) (max {_BY_POOL} ({recent(metric, *CHOSEN)}))"
    return lines(
        LONGEST_WAIT,
        what_to_do(
            "How long the oldest client of each queue waits. At the red line it pages; at"
            " query_wait_timeout, if there is one, clients are disconnected. A line that climbs a"
            " second each second: nobody is served.",
            QUEUE,
        ),
        curve(_of_the_busiest("max", wait, metric), "{{database}}, {{role}}"),
        curve(f"min({PATIENCE}){while_scraped(of=of_many)}", "pages"),
        curve(f"(min({TIMEOUT}) < Inf){while_scraped(of=of_many)}", "query_wait_timeout"),
        unit="s",
        overrides=[
            name("pages", color=fixed(RED), custom__lineStyle=DASHED),
            name("query_wait_timeout", color=fixed("semi-dark-red")),
        ],
    )


def mean_waiters() -> Json:
    """Return how many clients wait in the mean, which no scrape can miss."""
    waited = of_many("pgheadroom_pooler_waited_seconds_total", CHOSEN[0])
    rate = f"rate({waited}[$__rate_interval])"
    return lines(
        "Waiting on average, by database",
        what_to_do(
            "The mean number of clients that waited, short waits between samples included. A wait"
            " counts when it ends with a connection: a queue that stands shows only afterwards.",
            QUEUE,
        ),
        curve(f"sum by (database) (max by (target, server, database) ({rate}))", "{{database}}"),
        unit="none",
    )


# ---- Pools.


def server_connections() -> Json:
    """Return the pools' connections by state, against what they may open."""
    held = recent("pgheadroom_pooler_server_connections", *CHOSEN)
    size = recent("pgheadroom_pooler_pool_size", *CHOSEN)
    reserve = recent("pgheadroom_pooler_reserve_size", *CHOSEN)
    pools = recent("pgheadroom_pooler_waiting", *CHOSEN)
    sizes, reserves = (f"sum(max {_BY_POOL} ({one}))" for one in (size, reserve))
    # No line where one of them is not limited.
    limited = f"and on () count(max {_BY_POOL} ({size})) == count(max {_BY_POOL} ({pools}))"
    lines_ = ("pool_size", "with the reserve")
    return lines(
        "Server connections by state",
        what_to_do(
            "Of the chosen pools, all processes together; each takes a slot of the server. All"
            " `active` at the line: the pool is used up. `idle` is room. `used` and `tested` are"
            " checked first, `login` is being opened.",
            QUEUE,
        ),
        curve(
            f"sum by (state) (max by (target, server, database, role, state) ({held}))",
            "{{state}}",
        ),
        curve(f"{sizes} {limited}", lines_[0]),
        curve(f"{sizes} + {reserves} {limited}", lines_[1]),
        unit="none",
        decimals=0,
        stacked=True,
        overrides=[
            name("active", color=fixed(GREEN)),
            name("idle", color=fixed(BLUE)),
            name("login", color=fixed(PURPLE)),
            name("used", color=fixed("super-light-blue")),
            name("tested", color=fixed("light-purple")),
            name("cancel", color=fixed("dark-orange")),
            common.across(lines_[0], "semi-dark-yellow", custom__lineWidth=2),
            common.across(
                lines_[1], "semi-dark-orange", custom__lineWidth=2, custom__lineStyle=DASHED
            ),
        ],
    )


_HELD: Final = f"sum {_BY_POOL} (max by (target, server, database, role, state) ({{0}}))"


def _figures(of: str) -> str:
    return f"max {_BY_POOL} ({of_many(of, *CHOSEN)})"


def _share(held: str, size: str, reserve: str) -> str:
    """Return the share of each pool that is in use."""
    return f"{_HELD.format(held)} / (max {_BY_POOL} ({size}) + max {_BY_POOL} ({reserve}))"


def fullest() -> Json:
    """Return how full the fullest pools are."""
    metrics = (
        "pgheadroom_pooler_server_connections",
        "pgheadroom_pooler_pool_size",
        "pgheadroom_pooler_reserve_size",
    )
    share = _share(*(recent(metric, *CHOSEN) for metric in metrics))
    last = _share(*(f"{of_many(metric, *CHOSEN)} @ end()" for metric in metrics))
    busiest = f"topk(10, max by (database, role) ({last}))"
    return lines(
        "Share of each pool that is open: the ten fullest",
        what_to_do(
            "Server connections, idle ones included, of pool_size and the reserve; of several"
            " processes the fullest. At 100 % the pool opens no more: if clients wait there, see"
            " what its connections do.",
            QUEUE,
        ),
        curve(
            f"max by (database, role) ({share}) and on (database, role) {busiest}",
            "{{database}}, {{role}}",
        ),
        unit="percentunit",
        max=1,
        thresholds=steps("transparent", (1, ORANGE)),
        custom={"thresholdsStyle": {"mode": "line"}, "lineWidth": 2},
    )


def pools() -> Json:
    """Return the table of all pools, first those that clients wait for."""
    connections = "pgheadroom_pooler_server_connections"
    waiting = _figures("pgheadroom_pooler_waiting")
    share = _share(
        *(
            of_many(metric, *CHOSEN)
            for metric in (
                connections,
                "pgheadroom_pooler_pool_size",
                "pgheadroom_pooler_reserve_size",
            )
        )
    )
    held = _HELD.format(of_many(connections, *CHOSEN))

    def in_state(state: str) -> str:
        return f"max {_BY_POOL} ({of_many(connections, *CHOSEN, state=state)})"

    paused = f"max by (target, server, database) ({of_many('pgheadroom_pooler_paused')})"
    link = links.to_pool()
    return table(
        "Pools, worst first",
        what_to_do(
            "Each pool of each pooler, first those that clients wait for, then the fullest. All"
            " active: its queries are slow, or it is too small. Click a database to see that pool"
            " alone above. No size: nothing limits it.",
            QUEUE,
        ),
        rows(waiting),
        rows(_figures("pgheadroom_pooler_wait_seconds")),
        rows(share),
        rows(held),
        rows(in_state("active")),
        rows(in_state("idle")),
        rows(_figures("pgheadroom_pooler_pool_size")),
        rows(_figures("pgheadroom_pooler_reserve_size")),
        rows(f"0 * {waiting} + on (target, server, database) group_left () {paused}"),
        {**rows(f"{waiting} + ({share} or 0 * {waiting})"), "refId": "Z"},
        columns={
            "target": "Pooler",
            "database": "Database",
            "role": "Role",
            "Value #A": "Waiting",
            "Value #B": "Longest wait",
            "Value #C": "Open",
            "Value #D": "Connections",
            "Value #E": "Active",
            "Value #F": "Idle",
            "Value #G": "Size",
            "Value #H": "Reserve",
            "Value #I": "Paused",
        },
        hidden=("server", "Value #Z"),
        sort="Value #Z",
        overrides=[
            name("Pooler", custom__minWidth=120),
            name("Database", links=link, custom__minWidth=120),
            name("Role", custom__minWidth=120),
            name(
                "Waiting",
                thresholds=steps("text", (1, ORANGE)),
                custom__cellOptions=COLOURED,
                custom__width=95,
            ),
            name("Longest wait", unit="s", decimals=1, custom__width=125),
            name(
                "Open",
                unit="percentunit",
                min=0,
                max=1,
                decimals=0,
                thresholds=steps(BLUE),
                custom__cellOptions=GAUGE,
                custom__width=230,
            ),
            name("Connections", custom__width=120),
            *(name(column, custom__width=95) for column in ("Active", "Idle", "Size", "Reserve")),
            name(
                "Paused",
                mappings=texts(_0=("no", "text"), _1=("paused", ORANGE)),
                custom__cellOptions=COLOURED,
                custom__width=95,
            ),
        ],
    )
