"""Builds the dashboard of one server: slots left, for whom, until when, who takes them."""

from __future__ import annotations

from typing import Final

from dashboards.builder import common, frame, history, links, parts, through, variables
from dashboards.builder.common import TIME_LEFT
from dashboards.builder.history import by_application, recent, while_scraped
from dashboards.builder.meaning import (
    ORDINARY,
    PER_MINUTE,
    READABLE,
    VERDICTS,
    at_this_rate,
    condition,
    full_after,
)
from dashboards.builder.parts import (
    BLUE,
    COLOURED,
    DASHED,
    GAUGE,
    RED,
    Json,
    bars,
    curve,
    fixed,
    lines,
    name,
    now,
    of_one,
    rows,
    stat,
    steps,
    table,
    what_to_do,
)
from dashboards.builder.suspects import SUSPICION

from pgheadroom.model.identity import TargetKind

HISTORY: Final = "History"

USED: Final = f"max by (target) ({of_one('pgheadroom_slots_used')})"
LIMIT: Final = f"max by (target) ({of_one('pgheadroom_slots_limit', ORDINARY)})"
FREE: Final = f"min by (target) ({of_one('pgheadroom_slots_free', ORDINARY)})"
LEFT: Final = at_this_rate(
    f"min by (target) ({of_one('pgheadroom_exhaustion_seconds', ORDINARY)})",
    "by (target)",
    FREE,
    of_one,
)


# ---- The four questions.


def how_many() -> Json:
    """Return how many slots are left."""
    return common.left(
        "Slots left",
        what_to_do(
            "Slots that ordinary roles can still take, and the share that is in use. At 0"
            " applications are refused: stop the application at the right.",
            "PostgresConnectionsLow",
        ),
        FREE,
        f"{USED} / {LIMIT}",
        "in use",
    )


def for_whom() -> Json:
    """Return how many slots are left for each tier."""
    return bars(
        "Slots left for each kind of role",
        what_to_do(
            "Slots left for ordinary roles, for members of pg_use_reserved_connections, and for"
            " superusers. If ordinary is 0 and superuser is not, you can still log in: do it now.",
            "PostgresReservedSlotsInUse",
        ),
        now(f"min by (tier) ({of_one('pgheadroom_slots_free')})", "{{tier}}"),
        unit="none",
        thresholds=steps(RED, (1, BLUE)),
    )


def until_when() -> Json:
    """Return how long the slots last."""
    return common.full_in(
        what_to_do(
            "When applications will be refused, if use goes on growing as it does now. Below an"
            " hour it pages: stop what grows before then. `no forecast`: it is nearly full, or an"
            " application is blamed that no longer grows.",
            "PostgresConnectionsExhaustionImminent",
        ),
        full_after(LEFT, "by (target)", FREE, LIMIT, of_one),
    )


def state() -> Json:
    """Return how the newest reading ended."""
    return stat(
        "Readable",
        what_to_do(
            "Whether the daemon could read the server just now, however full that is. If not, all"
            " figures here are the last known ones: find out why it cannot log in.",
            "PostgresHeadroomUnknown",
        ),
        rows(f"max by (state) ({of_one('pgheadroom_target_state')} == 1)"),
        unit="none",
        mappings=READABLE,
        thresholds=steps("text"),
        field="state",
        size=32,
    )


def firing() -> Json:
    """Return how many alerts fire."""
    critical, warning = (
        f"max by (alertname) ({of_one('pgheadroom_alert', severity=severity)})"
        for severity in ("critical", "warning")
    )
    return common.firing(
        what_to_do(
            "Alerts that fire about this server. Marks in the graph say which; each has a runbook.",
            "PostgresConnectionsExhausted",
        ),
        critical,
        warning,
    )


def conditions() -> Json:
    """Return in which condition the server was."""
    return common.conditions(
        "Condition",
        what_to_do(
            "What page, `top` and alerts say of the server at each moment, in one word. Rising: it"
            " grows, too early to page. Recovering: the cause of an alert is gone, and it will"
            " resolve.",
            "PostgresConnectionsLow",
        ),
        condition("by (target)", lambda word: recent("pgheadroom_condition", condition=word)),
        "{{target}}",
    )


def fired() -> Json:
    """Return which alerts fired, and when."""
    return common.fired(
        what_to_do(
            "Which alerts fired about this server, from when to when. A page is red, a ticket is"
            " orange. What was deployed when the first began?",
            "PostgresConnectionsExhausted",
        ),
        of_one,
        recent,
    )


def who() -> Json:
    """Return the applications that hold most, and those that an alert may speak of."""
    connections = by_application(of_one("pgheadroom_connections"))
    growth = f"max by (application_name) ({of_one('pgheadroom_application_growth')})"
    verdict = (
        f"max by (application_name, verdict) ({of_one('pgheadroom_application_verdict')} == 1)"
    )
    climbing = f"max by (application_name) ({of_one('pgheadroom_application_climbing_seconds')})"
    most = (
        f"{connections} and on (application_name)"
        f" (topk(6, {connections}) or topk(3, {growth} > 0) or topk(3, {climbing} > 0))"
    )
    return table(
        "Biggest change",
        what_to_do(
            "First the application that a verdict blames, then those that grow most; listed are"
            " also those with most connections. Open the first in the leak hunt.",
            "PostgresApplicationLeaking",
        ),
        rows(most),
        rows(f"{PER_MINUTE} * {growth} and on (application_name) ({most})"),
        rows(f"{verdict} and on (application_name) ({most})"),
        {**rows(f"{SUSPICION} and on (application_name) ({most})"), "refId": "Z"},
        columns={
            "application_name": "Application",
            "Value #A": "Connections",
            "Value #B": "Growth a minute",
            "verdict": "Verdict",
        },
        sort="Value #Z",
        hidden=("Value #C", "Value #Z"),
        paged=False,
        overrides=[
            name("Application", links=links.to(links.LEAK, "application")),
            name(
                "Connections",
                min=0,
                thresholds=steps(BLUE),
                custom__cellOptions=GAUGE,
            ),
            name("Growth a minute", decimals=1, custom__width=150),
            name("Verdict", mappings=VERDICTS, custom__cellOptions=COLOURED, custom__width=110),
        ],
    )


# ---- Used against the limits, and what is ahead.

_LIMITS: Final = (
    ("superuser", "max_connections", "semi-dark-red"),
    ("reserved", "limit of reserved roles", "semi-dark-orange"),
    ("ordinary", "limit of ordinary roles", "semi-dark-yellow"),
)


def _limits() -> list[Json]:
    return [
        curve(f"max by (target) ({recent('pgheadroom_slots_limit', tier=tier)})", text)
        for tier, text, _ in _LIMITS
    ]


def _band() -> list[Json]:
    """Return what makes a band of the slots between two limits."""
    _, texts_, colours = zip(*_LIMITS, strict=True)
    below = (*texts_[1:], None)
    return [
        name(
            text,
            color=fixed(colour),
            custom__lineWidth=1,
            **({"custom__fillBelowTo": lower, "custom__fillOpacity": 18} if lower else {}),
        )
        for text, colour, lower in zip(texts_, colours, below, strict=True)
    ]


def used_against_limits() -> Json:
    """Return use over time, below the three limits, and where it goes from now on."""
    peak = recent("pgheadroom_slots_used_peak", window="15s")
    return lines(
        HISTORY,
        what_to_do(
            "Slots in use, and faint the 15-s peak. The band is the reserve: in it,"
            " ordinary roles are refused. Dashed is the forecast, if there is one: straight to the"
            " limit at the forecast time. If it meets the limit, find who grows.",
            "PostgresConnectionsExhaustionImminent",
        ),
        *_limits(),
        curve(f"max by (target) ({peak})", "15-s peak"),
        curve(f"max by (target) ({recent('pgheadroom_slots_used')})", "used"),
        curve(_forecast(), "forecast"),
        unit="none",
        overrides=[
            *_band(),
            name("15-s peak", color=fixed("super-light-blue"), custom__lineWidth=1),
            name("used", color=fixed(BLUE), custom__lineWidth=2, custom__fillOpacity=10),
            name("forecast", color=fixed(BLUE), custom__lineWidth=2, custom__lineStyle=DASHED),
        ],
    )


def _forecast() -> str:
    """Return the line from the newest sample on, for as long as the time range has a future.

    There are no samples in the future, so all of it is as it is known at the range's end.
    """

    def newest(how: str, metric: str, *matchers: str) -> str:
        series = of_one(metric, *matchers)
        return f"{how} by (target) (last_over_time({series}[$__range] @ end()))"

    used = newest("max", "pgheadroom_slots_used")
    free = newest("min", "pgheadroom_slots_free", ORDINARY)
    left = newest("min", "pgheadroom_exhaustion_seconds", ORDINARY)
    limit = newest("max", "pgheadroom_slots_limit", ORDINARY)
    at = newest("max", "pgheadroom_sample_timestamp_seconds")
    line = f"{used} + {free} / clamp_min({left}, 1) * (time() - {at})"
    # Up to the limit, along it from there on; where use is above it already, it stays there.
    return f"({line} <= {limit} or {used} > {limit} or {limit}) and {at} <= time() and {left} < Inf"


def if_it_goes_on() -> Json:
    """Return how full it will be, by the forecast."""
    return common.if_it_goes_on(
        what_to_do(
            "The share of the ordinary slots that will be in use, if use goes on growing as it does"
            " now. If a bar is full, applications are refused by then.",
            "PostgresConnectionsExhaustionExpected",
        ),
        LEFT,
        lambda seconds: (
            f"clamp_max(({USED} + {FREE} / clamp_min({LEFT}, 1) * {seconds}) / {LIMIT}, 1)"
        ),
        ("now", 0),
        ("in 5 minutes", 300),
        ("in 15 minutes", 900),
        ("in an hour", 3600),
        ("in 6 hours", 21600),
        ("in a day", 86400),
        ("in 3 days", 259200),
    )


def server() -> Json:
    """Return the dashboard of one server."""
    return frame.dashboard(
        links.SERVER,
        "pgheadroom / Server",
        "One PostgreSQL server: how many slots are left, for whom, until when, who takes them.",
        variables=[
            variables.DATASOURCE,
            variables.JOB,
            variables.INSTANCE,
            *variables.which(many=False, kind=TargetKind.POSTGRES),
        ],
        annotations=frame.alerts(parts.ONE, panels=[HISTORY, TIME_LEFT], only=while_scraped("1m")),
        # A little of the future, for the forecast. Not more: Prometheus repeats a value for five
        # minutes, so current values still show at the end of the range.
        time=("now-1h", "now+4m"),
        links=[
            links.ahead("A day ahead", links.SERVER, "now-1d", "now+1d"),
            links.ahead("A week ahead", links.SERVER, "now-7d", "now+7d"),
        ],
        content=[
            (3, [(24, conditions())]),
            (
                8,
                [
                    (5, [how_many(), firing()]),
                    (5, for_whom()),
                    (4, [until_when(), state()]),
                    (10, who()),
                ],
            ),
            (11, [(18, used_against_limits()), (6, if_it_goes_on())]),
            (9, [(12, history.stacked()), (12, history.growth())]),
            "What happened",
            (5, [(24, fired())]),
            (8, [(8, history.time_left()), (8, history.peaks()), (8, history.states())]),
            (8, [(8, history.idle_in_transaction()), (8, history.oldest()), (8, history.churn())]),
            "Other limits, and logins",
            (8, [(8, history.limits()), (8, history.hidden_logins()), (8, history.knock())]),
            "Poolers",
            (8, [(12, through.slots_by_pooler(recent)), (12, through.commitments(recent))]),
        ],
    )
