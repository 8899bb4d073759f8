"""Builds the table of all targets, and asks what is in it: of servers and poolers alike."""

from __future__ import annotations

from typing import Final

from dashboards.builder import links, variables
from dashboards.builder.meaning import (
    DURATION,
    LEFT_OF,
    NONE_IS_BAD,
    NOT_FILLING,
    ORDINARY,
    SHARE_BAR,
    SOME_IS_BAD,
    STATES,
    at_this_rate,
    full_after,
)
from dashboards.builder.parts import (
    COLOURED,
    GAUGE,
    ORANGE,
    RED,
    Json,
    name,
    of_many,
    rows,
    steps,
    table,
    what_to_do,
)

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


def either(what: str, at: str = "") -> str:
    """Return a figure of what runs out: ordinary slots of a server, places of a pooler."""
    how = "min" if what in ("free", "left") else "max"
    slots, places = (f"{how} by (target, server) ({of[what]}{at})" for of in (_SLOTS, _PLACES))
    return f"({slots} or {places})"


BY: Final = "by (target, server)"
FREE: Final = either("free")
LIMIT: Final = either("limit")
USED: Final = either("used")
LEFT: Final = either("left")
HORIZON: Final = (
    f"max by (target, server) ({of_many('pgheadroom_policy_seconds', name='paging_horizon')})"
)


KIND: Final = " or ".join(
    f"label_replace(0 * max by (target, server) ({variables.each(kind)}) + 1,"
    f' "kind", "{word}", "", "")'
    for kind, word in variables.KINDS.items()
)
"""1 for each target, with its kind as a label: the name of the dashboard that it has."""


def of_severity(severity: str) -> str:
    """Return how many alerts of *severity* fire, by target."""
    verdicts = of_many("pgheadroom_alert", severity=severity)
    return f"sum by (target, server) (max by (target, server, alertname) ({verdicts}))"


# The daemon's verdicts first, then how full it is; a target that was never read is as bad as full.
URGENCY: Final = (
    f"4 * clamp_max({of_severity('critical')}, 1) + 2 * clamp_max({of_severity('warning')}, 1)"
    f" + (1 - {FREE} / {LIMIT} or {of_severity('critical')} * 0 + 1)"
)


def worst_first() -> Json:
    """Return the table of all targets."""
    state = f"max by (target, server, state) ({of_many('pgheadroom_target_state')} == 1)"
    peak = either("peak")
    reserve = f"max by (target, server) ({of_many('pgheadroom_reserved_slots_used')})"
    age = f"time() - max by (target, server) ({of_many('pgheadroom_sample_timestamp_seconds')})"
    return table(
        "Targets, worst first",
        what_to_do(
            "Critical alerts come first, then warnings, then the fullest. `Left` is for ordinary"
            " roles, of a pooler for clients; `5-min peak` is the most in use within 5 minutes;"
            " `Reserve` is the reserved slots in use. Open the target at the top.",
            "PostgresConnectionsLow",
        ),
        rows(state),
        rows(FREE),
        rows(f"{USED} / {LIMIT}"),
        rows(USED),
        rows(peak),
        rows(LIMIT),
        rows(full_after(at_this_rate(LEFT, BY, FREE, of_many), BY, FREE, LIMIT, of_many)),
        rows(reserve),
        rows(of_severity("critical")),
        rows(of_severity("warning")),
        rows(age),
        rows(KIND),
        {**rows(URGENCY), "refId": "Z"},
        columns={
            "target": "Target",
            "server": "Server",
            "kind": "Kind",
            "state": "Reading",
            "Value #B": "Left",
            "Value #C": "In use",
            "Value #D": "Used",
            "Value #E": "5-min peak",
            "Value #F": "Limit",
            "Value #G": "Full in",
            "Value #H": "Reserve",
            "Value #I": "Critical",
            "Value #J": "Warning",
            "Value #K": "Sample age",
        },
        hidden=("Value #A", "Value #L", "Value #Z"),
        sort="Value #Z",
        overrides=[
            name("Target", links=links.to(links.OF_KIND, "target"), custom__minWidth=140),
            name("Server", custom__width=110),
            name("Kind", custom__width=80),
            name("Reading", mappings=STATES, custom__cellOptions=COLOURED, custom__width=150),
            name(
                "Left",
                thresholds=NONE_IS_BAD,
                custom__cellOptions=COLOURED,
                custom__width=75,
            ),
            *(name(column, custom__width=75) for column in ("Used", "Limit")),
            name("5-min peak", custom__width=110),
            *(name(column, custom__width=95) for column in ("Reserve", "Critical", "Warning")),
            name(
                "In use",
                unit="percentunit",
                min=0,
                max=1,
                decimals=0,
                thresholds=SHARE_BAR,
                custom__cellOptions=GAUGE,
                custom__width=180,
            ),
            name(
                "Full in",
                unit=DURATION,
                decimals=0,
                mappings=NOT_FILLING,
                thresholds=LEFT_OF,
                custom__cellOptions=COLOURED,
                custom__width=130,
            ),
            name("Reserve", thresholds=steps("text", (1, RED)), custom__cellOptions=COLOURED),
            name("Critical", thresholds=steps("text", (1, RED)), custom__cellOptions=COLOURED),
            name("Warning", thresholds=SOME_IS_BAD, custom__cellOptions=COLOURED),
            name(
                "Sample age",
                unit="s",
                decimals=0,
                thresholds=steps("text", (60, ORANGE)),
                custom__cellOptions=COLOURED,
                custom__width=125,
            ),
        ],
    )
