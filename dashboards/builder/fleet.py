"""Builds the dashboard of all targets, worst first.

It works for one target and for a thousand: graphs show counts, or the ten targets nearest to
their limit; a table lists all of them.
"""

from __future__ import annotations

from typing import Final

from dashboards.builder import common, frame, links, parts, variables
from dashboards.builder.fleet_table import (
    FREE,
    HORIZON,
    KIND,
    LEFT,
    LIMIT,
    USED,
    either,
    of_severity,
    worst_first,
)
from dashboards.builder.meaning import STATE_LINES, condition
from dashboards.builder.parts import (
    BLUE,
    ORANGE,
    RED,
    Json,
    curve,
    lines,
    name,
    now,
    of_many,
    stat,
    steps,
    what_to_do,
)

NEAREST: Final = "Share in use: the ten fullest"


def targets() -> Json:
    """Return how many targets there are."""
    return stat(
        "Targets",
        what_to_do(
            "Servers and poolers that are watched. If one is missing, check that its daemon is"
            " scraped and has it as a target.",
            "PgheadroomDown",
        ),
        now(f"count(max by (target, server) ({of_many('pgheadroom_target_state')}))", "targets"),
        unit="none",
        thresholds=steps(BLUE),
    )


def without_a_sample() -> Json:
    """Return how many targets cannot be read."""
    return common.none_is_good(
        "Not readable",
        what_to_do(
            "Targets whose newest reading failed; the table says how. Their figures are the last"
            " known ones. Find out why they cannot be read.",
            "PostgresHeadroomUnknown",
        ),
        now(
            f"count(max by (target, server) ({of_many('pgheadroom_up')}) == 0) or vector(0)",
            "targets",
        ),
        ORANGE,
    )


def without_a_slot() -> Json:
    """Return on how many targets no slot is left."""
    return common.none_is_good(
        "Full",
        what_to_do(
            "Targets on which an ordinary role is refused now, or by which a client is. Open the"
            " first of the table, see which application took the slots, and stop it.",
            "PostgresConnectionsExhausted",
        ),
        now(f"count({FREE} == 0) or vector(0)", "targets"),
        RED,
    )


def soon_without() -> Json:
    """Return on how many targets the last slot goes soon."""
    return common.none_is_good(
        "Full soon",
        what_to_do(
            "Targets on which the last slot, or place for a client, goes within the paging horizon"
            " if growth goes on. Some are left to log in with: act before they are gone.",
            "PostgresConnectionsExhaustionImminent",
        ),
        now(f"count(0 < {LEFT} < {HORIZON}) or vector(0)", "targets"),
        ORANGE,
    )


def firing(severity: str, colour: str, whom: str) -> Json:
    """Return how many alerts of *severity* fire."""
    return common.none_is_good(
        f"Firing: {severity}",
        what_to_do(
            f"Alerts that {whom}, by the daemon's own verdict. They are listed below; each has its"
            " runbook.",
            "PostgresConnectionsLow",
        ),
        now(f"sum({of_severity(severity)})", "alerts"),
        colour,
    )


def nearest() -> Json:
    """Return how full the fullest targets were."""
    # Those that are the fullest now, all the way back; else every step would have another ten.
    last = f"{either('used', ' @ end()')} / {either('limit', ' @ end()')}"
    return lines(
        NEAREST,
        what_to_do(
            "Of the ordinary slots, or of a pooler's places for clients. A pool that is sized to"
            " its server is a flat line, even if it is high. A line that climbs will reach 100 %:"
            " open that target.",
            "PostgresConnectionsLow",
        ),
        curve(f"{USED} / {LIMIT} and topk(10, {last})", "{{target}}"),
        unit="percentunit",
        legend="right",
        max=1,
        thresholds=steps("transparent", (1, RED)),
        custom={"thresholdsStyle": {"mode": "line"}, "lineWidth": 2},
    )


def states() -> Json:
    """Return in which states targets were."""
    state = of_many("pgheadroom_target_state")
    return lines(
        "Readings by outcome",
        what_to_do(
            "How the newest readings ended. Anything but `readable` is a server that refuses the"
            " daemon, or cannot be reached.",
            "PostgresHeadroomUnknown",
        ),
        curve(f"count by (state) (max by (target, server, state) ({state}) == 1)", "{{state}}"),
        unit="none",
        decimals=0,
        stacked=True,
        custom={"lineInterpolation": "stepAfter"},
        overrides=STATE_LINES,
    )


def conditions() -> Json:
    """Return in which condition the targets were whose condition was the worst."""
    by = "by (target, server)"

    def selector(word: str) -> str:
        return of_many("pgheadroom_condition", condition=word)

    worst = condition(by, lambda word: f"max_over_time({selector(word)}[$__range] @ end())")
    return common.conditions(
        "Condition: the ten worst",
        what_to_do(
            "What page, `top` and alerts say of a target at each moment, in one word, of those for"
            " which it was the worst. Open the one that is critical in the server's dashboard.",
            "PostgresConnectionsLow",
        ),
        f"({condition(by, selector)}) and bottomk(10, {worst})",
        "{{target}}",
    )


def alerts_over_time() -> Json:
    """Return how many alerts fired."""
    return lines(
        "Alerts firing, over time",
        what_to_do(
            "Alerts of all these targets, by the daemons' verdicts. Red is a page, orange is a"
            " ticket.",
            "PostgresConnectionsLow",
        ),
        curve(f"sum({of_severity('critical')})", "critical"),
        curve(f"sum({of_severity('warning')})", "warning"),
        unit="none",
        decimals=0,
        stacked=True,
        custom={"lineInterpolation": "stepAfter"},
        overrides=[
            name("critical", color=parts.fixed(RED)),
            name("warning", color=parts.fixed(ORANGE)),
        ],
    )


def firing_now() -> Json:
    """Return the table of what fires."""
    return common.firing_now(
        what_to_do(
            "Every alert that fires, by the daemon's own verdict. The name of an alert links to its"
            " runbook, the target's to its dashboard.",
            "PostgresConnectionsExhausted",
        ),
        f"max by (target, server, alertname, severity) ({of_many('pgheadroom_alert')} == 1)"
        f" * on (target, server) group_left (kind) ({KIND})",
        columns={"server": "Server", "kind": "Kind"},
        hidden=("Value",),
        widths=(265, 90),
        overrides=[
            name("Target", links=links.to(links.OF_KIND, "target")),
            # For the link only. 12 has renamed it.
            name("Kind", custom__hidden=True, custom__hideFrom={"viz": True}),
        ],
    )


def fleet() -> Json:
    """Return the dashboard of all targets."""
    return frame.dashboard(
        links.FLEET,
        "pgheadroom / Fleet",
        "Every PostgreSQL server and every pooler that is watched, worst first.",
        variables=[
            variables.DATASOURCE,
            variables.JOB,
            variables.INSTANCE,
            *variables.which(many=True),
        ],
        # Among many targets some alert always fires, so these marks are off by default.
        annotations=frame.alerts(parts.MANY, on=False, panels=[NEAREST]),
        content=[
            (
                4,
                [
                    (4, without_a_slot()),
                    (4, soon_without()),
                    (4, firing("critical", RED, "page a person")),
                    (4, firing("warning", ORANGE, "are a ticket")),
                    (4, without_a_sample()),
                    (4, targets()),
                ],
            ),
            (11, [(24, worst_first())]),
            (7, [(24, conditions())]),
            (9, [(14, nearest()), (10, firing_now())]),
            (7, [(12, states()), (12, alerts_over_time())]),
        ],
    )
