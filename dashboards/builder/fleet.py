"""Builds the dashboard of all targets, worst first.

It works for one target and for a thousand: graphs show counts, or the ten targets nearest to
their limit; a table lists all of them.
"""

from __future__ import annotations

from typing import Final

from dashboards.builder import frame, parts
from dashboards.builder.parts import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    Json,
    curve,
    lines,
    name,
    now,
    of_many,
    rows,
    stat,
    steps,
    table,
    texts,
    what_to_do,
)

FOREVER: Final = 1e9
"""Seconds that stand for +Inf, which is neither sorted nor shown well."""
NONE_IN_SIGHT: Final = [
    {
        "type": "range",
        "options": {
            "from": FOREVER,
            "to": None,
            "result": {"text": "none in sight", "color": GREEN, "index": 0},
        },
    }
]
STATES: Final = texts(
    ok=("ok", "text"),
    full=("full", RED),
    reserved_only=("only the reserve is left", RED),
    role_limit=("role limit", RED),
    database_limit=("database limit", RED),
    pooler_full=("pooler full", RED),
    starting=("starting", ORANGE),
    shutting_down=("shutting down", ORANGE),
    auth=("login refused", ORANGE),
    error=("error", ORANGE),
    timeout=("timeout", ORANGE),
    host_unknown=("host unknown", ORANGE),
    unreachable=("unreachable", ORANGE),
)

ORDINARY: Final = 'tier="ordinary"'
_SLOTS: Final = {
    "free": of_many("pgheadroom_slots_free", ORDINARY),
    "limit": of_many("pgheadroom_slots_limit", ORDINARY),
    "used": of_many("pgheadroom_slots_used"),
    "peak": of_many("pgheadroom_slots_used_peak", window="5m"),
    "left": of_many("pgheadroom_exhaustion_seconds", ORDINARY),
}
_PLACES: Final = {
    "free": of_many("pgheadroom_pooler_clients_free"),
    "limit": of_many("pgheadroom_pooler_client_limit"),
    "used": of_many("pgheadroom_pooler_clients"),
    "peak": of_many("pgheadroom_pooler_clients_peak", window="5m"),
    "left": of_many("pgheadroom_pooler_exhaustion_seconds"),
}


def _either(what: str, at: str = "") -> str:
    """Return a figure of what runs out: ordinary slots of a server, places of a pooler."""
    how = "min" if what in ("free", "left") else "max"
    slots, places = (f"{how} by (target, server) ({of[what]}{at})" for of in (_SLOTS, _PLACES))
    return f"({slots} or {places})"


FREE: Final = _either("free")
LIMIT: Final = _either("limit")
USED: Final = _either("used")
LEFT: Final = _either("left")
HORIZON: Final = (
    f"max by (target, server) ({of_many('pgheadroom_policy_seconds', name='paging_horizon')})"
)


KIND: Final = " or ".join(
    f'label_replace(0 * max by (target, server) ({frame.each(kind)}) + 1, "kind", "{word}", "", "")'
    for kind, word in frame.KINDS.items()
)
"""1 for each target, with its kind as a label: the name of the dashboard that it has."""


def _firing(severity: str) -> str:
    """Return how many alerts of *severity* fire, by target."""
    verdicts = of_many("pgheadroom_alert", severity=severity)
    return f"sum by (target, server) (max by (target, server, alertname) ({verdicts}))"


NEAREST: Final = "Share in use: the ten fullest"

# The daemon's verdicts first, then how full it is; a target that was never read is as bad as full.
URGENCY: Final = (
    f"4 * clamp_max({_firing('critical')}, 1) + 2 * clamp_max({_firing('warning')}, 1)"
    f" + (1 - {FREE} / {LIMIT} or {_firing('critical')} * 0 + 1)"
)


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
    return stat(
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
        unit="none",
        thresholds=steps(GREEN, (1, ORANGE)),
    )


def without_a_slot() -> Json:
    """Return on how many targets no slot is left."""
    return stat(
        "No slot or place left",
        what_to_do(
            "Targets on which an ordinary role is refused now, or by which a client is. Open the"
            " first of the table, see which application took the slots, and stop it.",
            "PostgresConnectionsExhausted",
        ),
        now(f"count({FREE} == 0) or vector(0)", "targets"),
        unit="none",
        thresholds=steps(GREEN, (1, RED)),
    )


def soon_without() -> Json:
    """Return on how many targets the last slot goes soon."""
    return stat(
        "Last one goes soon",
        what_to_do(
            "Targets on which the last slot, or place for a client, goes within the paging horizon"
            " if growth goes on. Some are left to log in with: act before they are gone.",
            "PostgresConnectionsExhaustionImminent",
        ),
        now(f"count(0 < {LEFT} < {HORIZON}) or vector(0)", "targets"),
        unit="none",
        thresholds=steps(GREEN, (1, ORANGE)),
    )


def firing(severity: str, colour: str, whom: str) -> Json:
    """Return how many alerts of *severity* fire."""
    return stat(
        f"Firing: {severity}",
        what_to_do(
            f"Alerts that {whom}, by the daemon's own verdict. They are listed below; each has its"
            " runbook.",
            "PostgresConnectionsLow",
        ),
        now(f"sum({_firing(severity)})", "alerts"),
        unit="none",
        thresholds=steps(GREEN, (1, colour)),
    )


def worst_first() -> Json:
    """Return the table of all targets."""
    state = f"max by (target, server, state) ({of_many('pgheadroom_target_state')} == 1)"
    peak = _either("peak")
    reserve = f"max by (target, server) ({of_many('pgheadroom_reserved_slots_used')})"
    age = f"time() - max by (target, server) ({of_many('pgheadroom_sample_timestamp_seconds')})"
    coloured = {"type": "color-text"}
    return table(
        "Targets, worst first",
        what_to_do(
            "Critical alerts come first, then warnings, then the fullest. `Left` is for ordinary"
            " roles, of a pooler for clients; `Peak` the most in use within 5 minutes; `Reserve`"
            " the reserved slots in use. Open the target at the top.",
            "PostgresConnectionsLow",
        ),
        rows(state),
        rows(FREE),
        rows(f"{USED} / {LIMIT}"),
        rows(USED),
        rows(peak),
        rows(LIMIT),
        rows(f"clamp_max({LEFT}, {FOREVER:.0f})"),
        rows(reserve),
        rows(_firing("critical")),
        rows(_firing("warning")),
        rows(age),
        rows(KIND),
        {**rows(URGENCY), "refId": "Z"},
        columns={
            "target": "Target",
            "server": "Server",
            "kind": "Kind",
            "state": "State",
            "Value #B": "Left",
            "Value #C": "In use",
            "Value #D": "Used",
            "Value #E": "Peak",
            "Value #F": "Limit",
            "Value #G": "Time left",
            "Value #H": "Reserve",
            "Value #I": "Critical",
            "Value #J": "Warning",
            "Value #K": "Sample age",
        },
        hidden=("Value #A", "Value #L", "Value #Z"),
        sort="Value #Z",
        overrides=[
            name("Target", links=frame.link(frame.OF_KIND, "target"), custom__minWidth=140),
            name("Server", custom__width=110),
            name("Kind", custom__width=80),
            name("State", mappings=STATES, custom__cellOptions=coloured, custom__width=170),
            name(
                "Left",
                thresholds=steps(RED, (1, "text")),
                custom__cellOptions=coloured,
                custom__width=75,
            ),
            *(name(column, custom__width=75) for column in ("Used", "Peak", "Limit")),
            *(name(column, custom__width=95) for column in ("Reserve", "Critical", "Warning")),
            name(
                "In use",
                unit="percentunit",
                min=0,
                max=1,
                decimals=0,
                thresholds=steps(BLUE, (0.9, ORANGE), (1, RED)),
                custom__cellOptions={"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
                custom__width=180,
            ),
            name(
                "Time left",
                unit="s",
                decimals=0,
                mappings=NONE_IN_SIGHT,
                thresholds=steps(RED, (3600, ORANGE), (259200, GREEN)),
                custom__cellOptions=coloured,
                custom__width=130,
            ),
            name("Reserve", thresholds=steps("text", (1, RED)), custom__cellOptions=coloured),
            name("Critical", thresholds=steps("text", (1, RED)), custom__cellOptions=coloured),
            name("Warning", thresholds=steps("text", (1, ORANGE)), custom__cellOptions=coloured),
            name(
                "Sample age",
                unit="s",
                decimals=0,
                thresholds=steps("text", (60, ORANGE)),
                custom__cellOptions=coloured,
                custom__width=125,
            ),
        ],
    )


def nearest() -> Json:
    """Return how full the fullest targets were."""
    # Those that are the fullest now, all the way back; else every step would have another ten.
    last = f"{_either('used', ' @ end()')} / {_either('limit', ' @ end()')}"
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
        color=parts.BY_NAME,
        max=1,
        thresholds=steps("transparent", (1, RED)),
        custom={"thresholdsStyle": {"mode": "line"}, "lineWidth": 2},
    )


def states() -> Json:
    """Return in which states targets were."""
    state = of_many("pgheadroom_target_state")
    return lines(
        "Targets by state",
        what_to_do(
            "Outcome of the newest readings. Anything but `ok` is a server that refuses the daemon,"
            " or cannot be reached.",
            "PostgresHeadroomUnknown",
        ),
        curve(f"count by (state) (max by (target, server, state) ({state}) == 1)", "{{state}}"),
        unit="none",
        decimals=0,
        stacked=True,
        color=parts.BY_NAME,
        custom={"lineInterpolation": "stepAfter"},
        overrides=[
            name("ok", color=parts.fixed(GREEN)),
            name("full", color=parts.fixed(RED)),
            name("reserved_only", color=parts.fixed(RED)),
            name("unreachable", color=parts.fixed(ORANGE)),
            name("timeout", color=parts.fixed(PURPLE)),
        ],
    )


def alerts_over_time() -> Json:
    """Return how many alerts fired."""
    return lines(
        "Alerts firing",
        what_to_do(
            "Alerts of all these targets, by the daemons' verdicts. Red is a page, orange is a"
            " ticket.",
            "PostgresConnectionsLow",
        ),
        curve(f"sum({_firing('critical')})", "critical"),
        curve(f"sum({_firing('warning')})", "warning"),
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
    return table(
        "Firing now",
        what_to_do(
            "Every alert that fires, by the daemon's own verdict. The name of an alert links to its"
            " runbook, the target's to its dashboard.",
            "PostgresConnectionsExhausted",
        ),
        rows(
            f"max by (target, server, alertname, severity) ({of_many('pgheadroom_alert')} == 1)"
            f" * on (target, server) group_left (kind) ({KIND})"
        ),
        columns={
            "severity": "Severity",
            "alertname": "Alert",
            "target": "Target",
            "server": "Server",
            "kind": "Kind",
        },
        hidden=("Value",),
        sort="severity",
        descending=False,
        noValue="No alert fires.",
        overrides=[
            name("Alert", links=frame.runbook_link(), custom__minWidth=265),
            name("Target", links=frame.link(frame.OF_KIND, "target")),
            # For the link only. 12 has renamed it.
            name("Kind", custom__hidden=True, custom__hideFrom={"viz": True}),
            name(
                "Severity",
                mappings=texts(critical=("critical", RED), warning=("warning", ORANGE)),
                custom__cellOptions={"type": "color-text"},
                custom__width=90,
            ),
        ],
    )


def fleet() -> Json:
    """Return the dashboard of all targets."""
    return frame.dashboard(
        frame.FLEET,
        "pgheadroom / Fleet",
        "Every PostgreSQL server and every pooler that is watched, worst first.",
        variables=[
            frame.DATASOURCE,
            frame.JOB,
            frame.INSTANCE,
            *frame.which(many=True),
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
            (9, [(14, nearest()), (10, firing_now())]),
            (7, [(12, states()), (12, alerts_over_time())]),
        ],
    )
