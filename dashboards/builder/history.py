"""Builds the panels on the history of one server: which application took slots, and since when."""

from __future__ import annotations

from dashboards.builder import common
from dashboards.builder.meaning import CONNECTION_LINES, ORDINARY, PER_MINUTE
from dashboards.builder.parts import (
    BLUE,
    DASHED,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    Json,
    Select,
    curve,
    fixed,
    lines,
    name,
    of_one,
    what_to_do,
)


def while_scraped(span: str = "$__rate_interval", of: Select = of_one) -> str:
    """Return what ends an expression where the daemon is not scraped, as in the future.

    A selector alone goes on for five minutes beyond the newest scrape.
    """
    return f" and on () present_over_time({of('pgheadroom_up')}[{span}])"


def by_application(connections: str) -> str:
    """Return the sums by application, each once even if several daemons export it."""
    return f"sum by (application_name) (max by (application_name, state) ({connections}))"


def recent(metric: str, *matchers: str, **labels: str) -> str:
    """Return what a curve shows of *metric*: the range may end in the future."""
    return of_one(metric, *matchers, **labels) + while_scraped()


# ---- Who, and since when.


def stacked() -> Json:
    """Return connections by application, stacked."""
    return lines(
        "Connections by application",
        what_to_do(
            "Together they are the slots in use. The colour that widens is the application that"
            " takes them.",
            "PostgresApplicationLeaking",
        ),
        curve(by_application(recent("pgheadroom_connections")), "{{application_name}}"),
        unit="none",
        legend="right",
        stacked=True,
    )


def growth() -> Json:
    """Return by how much each application grows, except while its pool fills for the first time."""
    grown = f"max by (application_name) ({recent('pgheadroom_application_growth')})"
    known = of_one("pgheadroom_application_growth") + " offset 1m"
    return lines(
        "Growth a minute, by application",
        what_to_do(
            "Connections that each application takes per minute, below 0 if it releases some. Its"
            " first minute is left out. One that stays above 0 leaks: compare it with its deploys"
            " in the leak hunt.",
            "PostgresApplicationLeaking",
        ),
        curve(
            f"{PER_MINUTE} * {grown} and on (application_name) {known}",
            "{{application_name}}",
        ),
        unit="none",
        decimals=1,
        legend="right",
        min=None,
    )


def time_left() -> Json:
    """Return the forecast over time."""

    def horizon(which: str) -> str:
        policy = recent("pgheadroom_policy_seconds", name=f"{which}_horizon")
        return f"max({policy})"

    return common.time_left(
        what_to_do(
            "The forecast at each moment; there is no line while the server does not fill up. Below"
            " the orange line it makes a ticket, below the red one it pages.",
            "PostgresConnectionsExhaustionExpected",
        ),
        f"min by (target) ({recent('pgheadroom_exhaustion_seconds', ORDINARY)})",
        "full in",
        (horizon("paging"), "paging horizon", RED),
        (horizon("forecast"), "forecast horizon", ORANGE),
        overrides=[name("full in", color=fixed(BLUE))],
    )


def peaks() -> Json:
    """Return what a scrape would miss."""

    def peak(window: str) -> str:
        return f"max by (target) ({recent('pgheadroom_slots_used_peak', window=window)})"

    return lines(
        "5-min peak, and what a scrape sees",
        what_to_do(
            "What a scrape sees, and the highest of the samples in between, one a second. A wide"
            " gap means many short connections: they need a pool.",
            "PostgresConnectionsLow",
        ),
        curve(peak("5m"), "5-min peak"),
        curve(peak("15s"), "15-s peak"),
        curve(f"max by (target) ({recent('pgheadroom_slots_used')})", "as scraped"),
        unit="none",
        overrides=[
            name("5-min peak", color=fixed(GREY)),
            name(
                "15-s peak",
                color=fixed("light-blue"),
                custom__fillBelowTo="as scraped",
                custom__fillOpacity=30,
            ),
            name("as scraped", color=fixed(BLUE), custom__lineWidth=2),
        ],
    )


def states(*matchers: str) -> Json:
    """Return connections by state, of those that match."""
    return lines(
        "Connections by state",
        what_to_do(
            "What the connections do. Mostly `idle`: a pool is too large. `idle in transaction`"
            " holds locks, too. Mostly `active`: more load, not a leak.",
            "PostgresConnectionsLow",
        ),
        curve(
            "sum by (state) (max by (application_name, state)"
            f" ({recent('pgheadroom_connections', *matchers)}))",
            "{{state}}",
        ),
        unit="none",
        stacked=True,
        overrides=CONNECTION_LINES,
    )


def hidden_logins() -> Json:
    """Return logins that hold slots and do not finish."""

    def share(which: str) -> str:
        policy = recent("pgheadroom_policy_ratio", name=f"logins_{which}")
        limit = recent("pgheadroom_slots_limit", ORDINARY)
        return f"max by (target) ({policy}) * max by (target) ({limit})"

    return lines(
        "Hidden logins",
        what_to_do(
            "Logins in progress: each holds a slot, and up to PostgreSQL 17 pg_stat_activity does"
            " not show it. Above a line they do not finish: check DNS, LDAP, and hanging clients.",
            "PostgresLoginsPilingUp",
        ),
        curve(f"max by (target) ({recent('pgheadroom_slots_hidden')})", "hidden logins"),
        curve(share("warning"), "warning"),
        curve(share("critical"), "critical"),
        unit="none",
        overrides=[
            name("hidden logins", color=fixed(PURPLE), custom__lineWidth=2, custom__fillOpacity=20),
            name("warning", color=fixed(ORANGE), custom__lineStyle=DASHED),
            name("critical", color=fixed(RED), custom__lineStyle=DASHED),
        ],
    )


def churn() -> Json:
    """Return how sessions come and go."""
    ends = of_one("pgheadroom_sessions_total")
    return lines(
        "Sessions opened, abandoned, killed",
        what_to_do(
            "Sessions per second, of all databases. Many opened: clients without a pool. Abandoned:"
            " clients that crash, or a broken network. Fatal: refusals by a limit, among others.",
            "PostgresConnectionsLow",
        ),
        curve(f"sum by (end) (max by (database, end) (rate({ends}[$__rate_interval])))", "{{end}}"),
        unit="suffix:sessions/s",
        overrides=[
            name("open", color=fixed(BLUE)),
            name("abandoned", color=fixed(ORANGE)),
            name("fatal", color=fixed(RED)),
            name("killed", color=fixed(PURPLE)),
        ],
    )


def limits() -> Json:
    """Return how much of each CONNECTION LIMIT is used."""

    def share(of: str) -> str:
        used = recent(f"pgheadroom_{of}_connections")
        limit = recent(f"pgheadroom_{of}_connection_limit")
        return f"max by ({of}) ({used}) / (max by ({of}) ({limit}) > 0)"

    return common.limits(
        "Limits of roles and databases",
        what_to_do(
            "Share of each CONNECTION LIMIT in use. At 100 % that role is refused, even if slots"
            " are free: raise the limit, or make its pool smaller.",
            "PostgresRoleConnectionsLow",
        ),
        curve(share("role"), "role {{role}}"),
        curve(share("database"), "database {{database}}"),
        none="No role or database has a CONNECTION LIMIT.",
    )


def oldest() -> Json:
    """Return the age of each application's oldest connection."""
    return lines(
        "Oldest connection of each application",
        what_to_do(
            "A line that climbs for days is a pool that keeps its connections, which is fine; if"
            " the count climbs too, it is a leak. A drop is a restart.",
            "PostgresApplicationLeaking",
        ),
        curve(
            "max by (application_name)"
            f" ({recent('pgheadroom_application_oldest_connection_seconds')})",
            "{{application_name}}",
        ),
        unit="s",
    )


def idle_in_transaction() -> Json:
    """Return the applications that hold transactions open and do nothing."""
    idle = recent("pgheadroom_connections", 'state=~"idle in transaction.*"')
    return lines(
        "Idle in transaction, by application",
        what_to_do(
            "Connections that have begun a transaction and do nothing. If they stay, others wait"
            " for their locks and take slots: set idle_in_transaction_session_timeout.",
            "PostgresConnectionsLow",
        ),
        curve(
            f"sum by (application_name) (max by (application_name, state) ({idle}))",
            "{{application_name}}",
        ),
        unit="none",
        decimals=0,
        noValue="No connection is idle in transaction.",
    )


def knock() -> Json:
    """Return how fast new logins are answered."""
    return lines(
        "How fast new logins are answered",
        what_to_do(
            "A login that stops at the server's first answer. When it takes seconds, or is refused,"
            " nobody gets in, even while sessions that are already open still work. A canary, if"
            " configured, completes a login: when it is refused, so are applications.",
            "PostgresConnectionsRefused",
        ),
        curve(f"max by (target) ({recent('pgheadroom_knock_seconds')})", "answered after"),
        curve(f"1 - min by (target) ({recent('pgheadroom_knock_up')})", "refused (1 is yes)"),
        curve(f"1 - min by (target) ({recent('pgheadroom_canary_up')})", "canary login failed"),
        unit="s",
        overrides=[
            name("answered after", color=fixed(BLUE)),
            *(
                name(
                    series,
                    unit="none",
                    color=fixed(colour),
                    max=1,
                    decimals=0,
                    custom__axisPlacement="right",
                    custom__lineInterpolation="stepAfter",
                    custom__fillOpacity=20,
                )
                for series, colour in (("refused (1 is yes)", RED), ("canary login failed", ORANGE))
            ),
        ],
    )
