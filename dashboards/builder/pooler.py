"""Builds the dashboard of poolers: places for clients, queues, pools, and the server behind.

One is chosen, or several processes of one pooler: what is counted is summed, of what is a share or
a time the worst is shown, because a client that finds its own process full is not helped by others.
"""

from __future__ import annotations

from typing import Final

from dashboards.builder import clients, common, frame, links, parts, pools, through, variables
from dashboards.builder.clients import BY_APPLICATION, FREE, LEFT, LIMIT, SHARE, TAKEN
from dashboards.builder.history import while_scraped
from dashboards.builder.meaning import (
    FOREVER,
    NONE_IS_BAD,
    SOME_IS_BAD,
    STATES,
    forever,
    full_after,
)
from dashboards.builder.parts import (
    COLOURED,
    ORANGE,
    RED,
    Json,
    name,
    now,
    of_many,
    own,
    query,
    rows,
    stat,
    steps,
    table,
    what_to_do,
)
from dashboards.builder.pools import BY, LONGEST_WAIT, PATIENCE, QUEUE, TIMEOUT, WAITING

from pgheadroom.model.identity import TargetKind

WAIT: Final = f"max {BY} ({of_many('pgheadroom_pooler_wait_seconds')})"
WAITERS: Final = (
    f"sum {BY} (max by (target, server, database, role) ({of_many('pgheadroom_pooler_waiting')}))"
)
PAUSED: Final = (
    f"sum {BY} (max by (target, server, database) ({of_many('pgheadroom_pooler_paused')}))"
)


def behind(metric: str, *matchers: str, **labels: str) -> str:
    """Return the selector of a metric of the server behind, as the poolers' own daemon tells it."""
    its = own(metric, 'target="$behind"', *matchers, **labels)
    return f"{its} and on (job, instance) {of_many('pgheadroom_up')}"


def recent_behind(metric: str, *matchers: str, **labels: str) -> str:
    """Return what a curve shows of *metric* of the server behind."""
    return behind(metric, *matchers, **labels) + while_scraped(of=of_many)


# ---- The one answer.


def places() -> Json:
    """Return how many more clients get in."""
    return common.left(
        "Client connections left",
        what_to_do(
            "Places that are left of max_client_conn, and the share that is taken; of several"
            " poolers those of the fullest. At 0 clients are refused: raise max_client_conn.",
            "PoolerClientsLow",
        ),
        f"min({FREE})",
        f"max({TAKEN} / {LIMIT})",
        "taken",
    )


def waiting() -> Json:
    """Return how many clients wait."""
    in_queue = of_many("pgheadroom_pooler_waiting")
    return stat(
        "Clients waiting",
        what_to_do(
            "Clients that wait for a server connection now, and in how many pools. A moment's wait"
            " is fine. If the number grows, see the queues below.",
            QUEUE,
        ),
        now(f"sum({WAITERS})", "clients"),
        now(
            f"count(max by (target, server, database, role) ({in_queue}) > 0) or vector(0)",
            "pools",
        ),
        unit="none",
        text="value_and_name",
        thresholds=SOME_IS_BAD,
        overrides=[name("pools", thresholds=steps("text"))],
    )


def longest_wait() -> Json:
    """Return for how long the oldest waits, and when it is disconnected."""
    pages = f"({WAIT} >= {PATIENCE})"
    return stat(
        "Longest wait",
        what_to_do(
            "How long the oldest client waits, red from when it pages, and query_wait_timeout,"
            " after which it is disconnected; `never`: it hangs. Find out what holds the pool's"
            " connections.",
            QUEUE,
        ),
        now(f"max({WAIT}) unless on () {pages}", "longest"),
        now(f"max({WAIT}) and on () {pages}", "longest"),
        now(f"clamp_max(min({TIMEOUT}), {FOREVER:.0f})", "timeout"),
        unit="s",
        decimals=1,
        text="value_and_name",
        thresholds=SOME_IS_BAD,
        overrides=[
            query("B", thresholds=steps(RED)),
            name(
                "timeout",
                thresholds=steps("text"),
                mappings=[forever("never", ORANGE)],
            ),
        ],
    )


def until_when() -> Json:
    """Return how long the places last."""
    return common.full_in(
        what_to_do(
            "When clients will be refused, if their number goes on growing as it does now. Below an"
            " hour it pages: find the application that grows. `no forecast`: it is nearly full, or"
            " an application is blamed that no longer grows.",
            "PoolerClientsExhaustionImminent",
        ),
        f"min({full_after(LEFT, BY, FREE, LIMIT, of_many)})",
    )


def paused() -> Json:
    """Return how many databases are paused."""
    return common.none_is_good(
        "Paused databases",
        what_to_do(
            "Databases that are paused or disabled, of all the chosen poolers. Clients of a paused"
            " one hang until they are disconnected. If nobody is at work on it, RESUME it.",
            "PoolerPaused",
        ),
        now(f"sum({PAUSED})", "paused"),
        ORANGE,
        decimals=0,
    )


def _verdicts(by: str, **labels: str) -> str:
    """Return the verdicts on the poolers and on the server behind."""
    ours, its = of_many("pgheadroom_alert", **labels), behind("pgheadroom_alert", **labels)
    return f"max by (target, server, alertname{by}) ({ours} or {its})"


def firing() -> Json:
    """Return how many alerts fire."""
    return common.firing(
        what_to_do(
            "Alerts that fire about these poolers and the server behind. They are listed at the"
            " right; each has a runbook.",
            "PoolerClientsExhausted",
        ),
        _verdicts("", severity="critical"),
        _verdicts("", severity="warning"),
    )


def firing_now() -> Json:
    """Return the table of what fires."""
    return common.firing_now(
        what_to_do(
            "What fires about these poolers and the server behind, by the daemon's own verdict. The"
            " name of an alert links to its runbook.",
            "PoolerClientsExhausted",
        ),
        f"{_verdicts(', severity')} == 1",
        columns={},
        hidden=("server", "Value"),
        widths=(250, 95),
        paged=False,
    )


def poolers() -> Json:
    """Return the table of the poolers that are chosen."""
    info = of_many("pgheadroom_pooler_info")
    state = of_many("pgheadroom_target_state")
    critical = of_many("pgheadroom_alert", severity="critical")
    bad = f"sum {BY} (max by (target, server, alertname) ({critical}))"
    return table(
        "Poolers, worst first",
        what_to_do(
            "Each process that is watched, the target it serves, and its newest reading. If one is"
            " not `readable`, its figures are the last known ones. One may be full while another is"
            " not.",
            "PostgresHeadroomUnknown",
        ),
        rows(f"max by (target, server, state) ({state} == 1)"),
        rows(f"max by (target, server, serves, version) ({info})"),
        rows(FREE),
        rows(WAITERS),
        rows(WAIT),
        rows(PAUSED),
        {**rows(f"2 * {bad} + (1 - {FREE} / {LIMIT} or {bad} * 0 + 1)"), "refId": "Z"},
        columns={
            "target": "Pooler",
            "serves": "Serves",
            "version": "Version",
            "state": "Reading",
            "Value #C": "Left",
            "Value #D": "Waiting",
            "Value #E": "Longest",
            "Value #F": "Paused",
        },
        hidden=("server", "Value #A", "Value #B", "Value #Z"),
        sort="Value #Z",
        paged=False,
        # Without filters, for which there is no room.
        custom={"align": "auto", "minWidth": 60},
        overrides=[
            name("Reading", mappings=STATES, custom__cellOptions=COLOURED),
            name("Version", custom__width=75),
            name(
                "Left",
                thresholds=NONE_IS_BAD,
                custom__cellOptions=COLOURED,
                custom__width=65,
            ),
            name(
                "Waiting",
                thresholds=SOME_IS_BAD,
                custom__cellOptions=COLOURED,
                custom__width=75,
            ),
            name("Longest", unit="s", decimals=1, custom__width=85),
            name(
                "Paused",
                thresholds=SOME_IS_BAD,
                custom__cellOptions=COLOURED,
                custom__width=75,
            ),
        ],
    )


def pooler() -> Json:
    """Return the dashboard of one pooler, or of several."""
    every_pool = of_many("pgheadroom_pooler_waiting")
    return frame.dashboard(
        links.POOLER,
        "pgheadroom / Pooler",
        "PgBouncer: places for clients, who waits and for how long, and whether its pools fit the"
        " server behind.",
        variables=[
            variables.DATASOURCE,
            variables.JOB,
            variables.INSTANCE,
            *variables.which(many=True, kind=TargetKind.PGBOUNCER),
            variables.from_label("database", "Database", every_pool),
            variables.from_label("role", "Role", every_pool),
            variables.from_label(
                "behind",
                "Server behind",
                own("pgheadroom_slots_committed", 'pooler=~"$target"'),
                label="target",
                many=False,
            ),
        ],
        annotations=frame.alerts(
            parts.MANY,
            panels=[BY_APPLICATION, SHARE, WAITING, LONGEST_WAIT],
            only=while_scraped("1m", of_many),
        ),
        # A little of the future, for the forecast, as for a server.
        time=("now-1h", "now+4m"),
        links=[
            links.ahead("A day ahead", links.POOLER, "now-1d", "now+1d"),
            links.to_server("The server behind", "behind"),
        ],
        content=[
            (
                10,
                [
                    (5, [places(), firing()]),
                    (5, [waiting(), longest_wait()]),
                    (4, [until_when(), paused()]),
                    (10, [poolers(), firing_now()]),
                ],
            ),
            (
                10,
                [
                    (12, clients.by_application()),
                    (8, clients.share()),
                    (4, clients.if_it_goes_on()),
                ],
            ),
            (8, [(8, clients.states()), (8, clients.limits()), (8, clients.time_left())]),
            "Queues",
            (
                8,
                [
                    (6, pools.waiting_by_application()),
                    (6, pools.waiting_by_pool()),
                    (6, pools.longest_wait()),
                    (6, pools.mean_waiters()),
                ],
            ),
            "Pools",
            (8, [(12, pools.server_connections()), (12, pools.fullest())]),
            (10, [(24, pools.pools())]),
            "The server behind",
            (
                8,
                [
                    (9, through.slots_by_pooler(recent_behind)),
                    (10, through.commitments(recent_behind)),
                    (5, [through.will_it_fit(behind), through.slots_left(behind)]),
                ],
            ),
        ],
    )
