"""Builds the dashboard of poolers: places for clients, queues, pools, and the server behind.

One is chosen, or several processes of one pooler: what is counted is summed, of what is a share or
a time the worst is shown, because a client that finds its own process full is not helped by others.
"""

from __future__ import annotations

from typing import Final

from dashboards.builder import frame, parts, pools, through
from dashboards.builder.fleet import FOREVER, NONE_IN_SIGHT, STATES
from dashboards.builder.history import TIME_LEFT, while_scraped
from dashboards.builder.parts import (
    BLUE,
    BY_NAME,
    DASHED,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Json,
    bars,
    curve,
    ending,
    fixed,
    lines,
    name,
    now,
    of_many,
    own,
    query,
    rows,
    stat,
    steps,
    table,
    texts,
    what_to_do,
)
from dashboards.builder.pools import BY, LONGEST_WAIT, PATIENCE, QUEUE, TIMEOUT, WAITING, recent

from pgheadroom.model.identity import TargetKind

BY_APPLICATION: Final = "Clients by application"
SHARE: Final = "Share of the places that is taken"
_LIMIT: Final = "max_client_conn"

FREE: Final = f"min {BY} ({of_many('pgheadroom_pooler_clients_free')})"
TAKEN: Final = f"max {BY} ({of_many('pgheadroom_pooler_clients')})"
LIMIT: Final = f"max {BY} ({of_many('pgheadroom_pooler_client_limit')})"
LEFT: Final = f"min {BY} ({of_many('pgheadroom_pooler_exhaustion_seconds')})"
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
    return stat(
        "How many more clients get in?",
        what_to_do(
            "Places that are left of max_client_conn, and the share that is taken; of several"
            " poolers those of the fullest. At 0 clients are refused: raise max_client_conn.",
            "PoolerClientsLow",
        ),
        now(f"min({FREE})", "left"),
        now(f"max({TAKEN} / {LIMIT})", "taken"),
        unit="none",
        text="value_and_name",
        thresholds=steps(RED, (1, "text")),
        overrides=[
            name(
                "taken",
                unit="percentunit",
                decimals=0,
                thresholds=steps(GREEN, (0.9, ORANGE), (1, RED)),
            )
        ],
    )


def waiting() -> Json:
    """Return how many clients wait."""
    in_queue = of_many("pgheadroom_pooler_waiting")
    return stat(
        "Who waits?",
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
        thresholds=steps("text", (1, ORANGE)),
        overrides=[name("pools", thresholds=steps("text"))],
    )


def longest_wait() -> Json:
    """Return for how long the oldest waits, and when it is thrown out."""
    pages = f"({WAIT} >= {PATIENCE})"
    never = {"text": "never", "color": ORANGE, "index": 0}
    return stat(
        "For how long?",
        what_to_do(
            "How long the oldest client waits, red from when it pages, and query_wait_timeout,"
            " after which it is thrown out; `never`: it hangs. Find out what holds the pool's"
            " connections.",
            QUEUE,
        ),
        now(f"max({WAIT}) unless on () {pages}", "longest"),
        now(f"max({WAIT}) and on () {pages}", "longest"),
        now(f"clamp_max(min({TIMEOUT}), {FOREVER:.0f})", "timeout"),
        unit="s",
        decimals=1,
        text="value_and_name",
        thresholds=steps("text", (1, ORANGE)),
        overrides=[
            query("B", thresholds=steps(RED)),
            name(
                "timeout",
                thresholds=steps("text"),
                mappings=[
                    {"type": "range", "options": {"from": FOREVER, "to": None, "result": never}}
                ],
            ),
        ],
    )


def until_when() -> Json:
    """Return how long the places last."""
    return stat(
        "Until when?",
        what_to_do(
            "When the last place for a client goes at the present growth. Below an hour it pages:"
            " find the application that grows.",
            "PoolerClientsExhaustionImminent",
        ),
        now(f"clamp_max(min({LEFT}), {FOREVER:.0f})", "time left"),
        unit="s",
        decimals=0,
        mappings=NONE_IN_SIGHT,
        thresholds=steps(RED, (3600, ORANGE), (259200, GREEN)),
    )


def paused() -> Json:
    """Return how many databases are paused."""
    return stat(
        "Paused databases",
        what_to_do(
            "Databases that are paused or disabled, of all the chosen poolers. Clients of a paused"
            " one hang until they are thrown out. If nobody is at work on it, RESUME it.",
            "PoolerPaused",
        ),
        now(f"sum({PAUSED})", "paused"),
        unit="none",
        decimals=0,
        thresholds=steps(GREEN, (1, ORANGE)),
    )


def _verdicts(by: str, **labels: str) -> str:
    """Return the verdicts on the poolers and on the server behind."""
    ours, its = of_many("pgheadroom_alert", **labels), behind("pgheadroom_alert", **labels)
    return f"max by (target, server, alertname{by}) ({ours} or {its})"


def firing() -> Json:
    """Return how many alerts fire."""
    return stat(
        "Alerts",
        what_to_do(
            "Alerts that fire about these poolers and the server behind. They are listed at the"
            " right; each has a runbook.",
            "PoolerClientsExhausted",
        ),
        now(f"sum({_verdicts('', severity='critical')})", "critical"),
        now(f"sum({_verdicts('', severity='warning')})", "warning"),
        unit="none",
        text="value_and_name",
        thresholds=steps("text", (1, ORANGE)),
        overrides=[name("critical", thresholds=steps("text", (1, RED)))],
    )


def firing_now() -> Json:
    """Return the table of what fires."""
    return table(
        "Firing now",
        what_to_do(
            "What fires about these poolers and the server behind, by the daemon's own verdict. The"
            " name of an alert links to its runbook.",
            "PoolerClientsExhausted",
        ),
        rows(f"{_verdicts(', severity')} == 1"),
        columns={"severity": "Severity", "alertname": "Alert", "target": "Target"},
        hidden=("server", "Value"),
        sort="severity",
        descending=False,
        paged=False,
        noValue="No alert fires.",
        overrides=[
            name("Alert", links=frame.runbook_link(), custom__minWidth=250),
            name(
                "Severity",
                mappings=texts(critical=("critical", RED), warning=("warning", ORANGE)),
                custom__cellOptions={"type": "color-text"},
                custom__width=95,
            ),
        ],
    )


def poolers() -> Json:
    """Return the table of the poolers that are chosen."""
    info = of_many("pgheadroom_pooler_info")
    state = of_many("pgheadroom_target_state")
    critical = of_many("pgheadroom_alert", severity="critical")
    bad = f"sum {BY} (max by (target, server, alertname) ({critical}))"
    coloured = {"type": "color-text"}
    return table(
        "Poolers, worst first",
        what_to_do(
            "Each process that is watched, the target it serves, and its newest reading. If that is"
            " not ok, the figures are the last known ones. One may be full while another is not.",
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
            "state": "State",
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
            name("State", mappings=STATES, custom__cellOptions=coloured),
            name("Version", custom__width=75),
            name(
                "Left",
                thresholds=steps(RED, (1, "text")),
                custom__cellOptions=coloured,
                custom__width=65,
            ),
            name(
                "Waiting",
                thresholds=steps("text", (1, ORANGE)),
                custom__cellOptions=coloured,
                custom__width=75,
            ),
            name("Longest", unit="s", decimals=1, custom__width=85),
            name(
                "Paused",
                thresholds=steps("text", (1, ORANGE)),
                custom__cellOptions=coloured,
                custom__width=75,
            ),
        ],
    )


# ---- Places for clients.


def clients_by_application() -> Json:
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
        color=BY_NAME,
        overrides=[
            name(
                _LIMIT,
                color=fixed("semi-dark-yellow"),
                custom__stacking={"mode": "none", "group": "A"},
                custom__fillOpacity=0,
                custom__lineWidth=2,
            )
        ],
    )


def share() -> Json:
    """Return how full each pooler is, and where that goes from now on."""
    taken = recent("pgheadroom_pooler_clients")
    limit = recent("pgheadroom_pooler_client_limit")
    return lines(
        SHARE,
        what_to_do(
            "Each pooler's own share. Dashed is the forecast: straight to the limit at the forecast"
            " time, flat without a forecast. If one climbs and the others do not, clients are not"
            " spread evenly.",
            "PoolerClientsExhaustionImminent",
        ),
        curve(f"max {BY} ({taken}) / max {BY} ({limit})", "{{target}}"),
        curve(_forecast(), "{{target}} forecast"),
        unit="percentunit",
        color=BY_NAME,
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
    return f"clamp_max({line}, 1) and {at} <= time()"


def if_it_goes_on() -> Json:
    """Return how full the fullest will be, by the forecast."""
    ahead = (
        ("now", 0),
        ("in 5 minutes", 300),
        ("in an hour", 3600),
        ("in 6 hours", 21600),
        ("in a day", 86400),
    )
    return bars(
        "At the present growth",
        what_to_do(
            "The forecast: the share of the places that will be taken at the present growth, of the"
            " fullest pooler. If a bar is full, clients are refused by then.",
            "PoolerClientsExhaustionImminent",
        ),
        *(
            now(
                f"max(clamp_max(({TAKEN} + {FREE} / clamp_min({LEFT}, 1) * {seconds}) / {LIMIT},"
                " 1))",
                text,
            )
            for text, seconds in ahead
        ),
        unit="percentunit",
        decimals=0,
        max=1,
        thresholds=steps(BLUE, (0.9, ORANGE), (1, RED)),
    )


def time_left() -> Json:
    """Return the forecast over time."""
    left = recent("pgheadroom_pooler_exhaustion_seconds")
    horizon = recent("pgheadroom_policy_seconds", name="paging_horizon")
    return lines(
        TIME_LEFT,
        what_to_do(
            "The forecast at each moment; at the top (12 days) no end is in sight. Below the red"
            " line it pages, if the pooler is nearly full.",
            "PoolerClientsExhaustionImminent",
        ),
        curve(f"clamp(min {BY} ({left}), 1, 12 * 86400)", "{{target}}"),
        curve(f"min({horizon})", "paging horizon"),
        unit="s",
        decimals=0,
        color=BY_NAME,
        min=1,
        max=12 * 86400,
        custom={"scaleDistribution": {"type": "log", "log": 10}, "lineWidth": 2},
        overrides=[
            name("paging horizon", color=fixed(RED), custom__lineStyle=DASHED),
        ],
    )


def client_states() -> Json:
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
        color=BY_NAME,
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

    return lines(
        "Limits of databases and users",
        what_to_do(
            "Share of max_db_client_connections and of max_user_client_connections in use"
            " (PgBouncer 1.24 and newer). At 100 % that one is refused, even if places are free.",
            "PoolerClientsExhausted",
        ),
        curve(used("database"), "database {{database}}"),
        curve(used("user"), "user {{user}}"),
        unit="percentunit",
        noValue="No database or user has a limit on its clients.",
        color=BY_NAME,
        max=1,
        thresholds=steps("transparent", (0.8, ORANGE), (1, RED)),
        custom={"thresholdsStyle": {"mode": "dashed"}, "lineWidth": 2},
    )


def pooler() -> Json:
    """Return the dashboard of one pooler, or of several."""
    every_pool = of_many("pgheadroom_pooler_waiting")
    return frame.dashboard(
        frame.POOLER,
        "pgheadroom / Pooler",
        "PgBouncer: places for clients, who waits and for how long, and whether its pools fit the"
        " server behind.",
        variables=[
            frame.DATASOURCE,
            frame.JOB,
            frame.INSTANCE,
            *frame.which(many=True, kind=TargetKind.PGBOUNCER),
            frame.from_label("database", "Database", every_pool),
            frame.from_label("role", "Role", every_pool),
            frame.from_label(
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
            frame.ahead("A day ahead", frame.POOLER, "now-1d", "now+1d"),
            frame.server_link("The server behind", "behind"),
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
            (10, [(12, clients_by_application()), (8, share()), (4, if_it_goes_on())]),
            (8, [(8, client_states()), (8, limits()), (8, time_left())]),
            "The queue",
            (
                8,
                [
                    (6, pools.waiting_by_application()),
                    (6, pools.waiting_by_pool()),
                    (6, pools.longest_wait()),
                    (6, pools.mean_waiters()),
                ],
            ),
            "Its pools",
            (8, [(12, pools.server_connections()), (12, pools.fullest())]),
            (10, [(24, pools.pools())]),
            "Through whom: the server behind",
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
