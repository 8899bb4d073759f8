"""Builds the panels on who holds a server's slots: which pooler, or nobody's pool."""

from __future__ import annotations

from typing import Final

from dashboards.builder import common
from dashboards.builder.common import across
from dashboards.builder.meaning import FOREVER, ORDINARY, forever
from dashboards.builder.parts import (
    DASHED,
    GREEN,
    GREY,
    ORANGE,
    Json,
    Select,
    curve,
    fixed,
    lines,
    name,
    now,
    stat,
    steps,
    what_to_do,
)

LIMIT: Final = "limit of ordinary roles"
_CEILING: Final = "if every pool existed"
_LIMIT: Final = across(LIMIT, "text", custom__lineWidth=2)
_RUNBOOK: Final = "PostgresSlotsOvercommitted"


def slots_by_pooler(of: Select) -> Json:
    """Return the slots in use by the pooler that holds them, of the server that *of* selects."""
    return lines(
        "Slots by pooler",
        what_to_do(
            "Whose server connections hold the slots in use; `direct` came through no pooler that"
            " is watched. If `direct` widens, somebody goes around the pooler.",
            _RUNBOOK,
        ),
        curve(f"max by (pooler) ({of('pgheadroom_slots_pooled')})", "{{pooler}}"),
        curve(f"max by (target) ({of('pgheadroom_slots_direct')})", "direct"),
        curve(f"max by (target) ({of('pgheadroom_slots_limit', ORDINARY)})", LIMIT),
        unit="none",
        decimals=0,
        stacked=True,
        noValue="No pooler of it is watched.",
        overrides=[name("direct", color=fixed(GREY)), _LIMIT],
    )


def commitments(of: Select) -> Json:
    """Return what the poolers may open, against the limit of the server that *of* selects."""
    committed = of("pgheadroom_slots_committed")
    # All of them or none: what is left of them would seem to fit.
    limited = f"max by (pooler) ({committed}) unless on () max({committed}) == Inf"
    ceiling = f"sum(max by (pooler) ({of('pgheadroom_slots_ceiling')})) < Inf"
    direct = f"max({of('pgheadroom_slots_direct')})"
    return lines(
        "Connections that the poolers may open",
        what_to_do(
            "Connections that the pools may open, those that exist, upon the direct use. Above the"
            " limit they do not fit: make pools smaller. Dashed: with a pool for every role and"
            " database that may log in. No pooler is drawn while nothing limits one of them.",
            _RUNBOOK,
        ),
        curve(limited, "{{pooler}}"),
        curve(f"max by (target) ({of('pgheadroom_slots_direct')})", "direct"),
        curve(f"({ceiling}) + {direct}", _CEILING),
        curve(f"max by (target) ({of('pgheadroom_slots_limit', ORDINARY)})", LIMIT),
        unit="none",
        decimals=0,
        stacked=True,
        noValue="No pooler of it is watched.",
        overrides=[
            name("direct", color=fixed(GREY)),
            across(_CEILING, "text", custom__lineStyle=DASHED),
            _LIMIT,
        ],
    )


def will_it_fit(of: Select) -> Json:
    """Return by how much poolers and direct use may exceed the slots."""
    fits = {"text": "it fits", "color": GREEN, "index": 0}
    return stat(
        "Over-committed by",
        what_to_do(
            "By how much all pools and the highest direct use of the last day exceed the ordinary"
            " slots. Above 0 the slots run out when all pools are busy: make pools smaller.",
            _RUNBOOK,
        ),
        now(f"clamp_max(max({of('pgheadroom_overcommitted_slots')}), {FOREVER:.0f})", "over by"),
        unit="none",
        decimals=0,
        text="value",
        mappings=[
            {"type": "value", "options": {"0": fits}},
            forever("nothing bounds it", ORANGE, 1),
        ],
        thresholds=steps(GREEN, (1, ORANGE)),
    )


def slots_left(of: Select) -> Json:
    """Return how many slots are left on the server that *of* selects."""
    used = f"max by (target) ({of('pgheadroom_slots_used')})"
    limit = f"max by (target) ({of('pgheadroom_slots_limit', ORDINARY)})"
    return common.left(
        "Slots left on $behind",
        what_to_do(
            "Slots of the server that ordinary roles can still take, and the share in use. At 0 the"
            " pooler opens no more connections: look at the server's dashboard.",
            "PostgresConnectionsLow",
        ),
        f"min by (target) ({of('pgheadroom_slots_free', ORDINARY)})",
        f"{used} / {limit}",
        "in use",
    )
