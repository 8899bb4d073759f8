"""Shows in JSON's own types when growing peaks reach the limit, weeks ahead."""

from __future__ import annotations

from pgheadroom.judge.rules.outgrown import WEEKDAYS, in_short
from pgheadroom.state import State
from pgheadroom.web.json_values import View


def planning_view(state: State) -> View | None:
    """Return which weekday's peaks reach the limit, and when; None where none are foreseen to."""
    found = state.usage.outgrown
    if found is None or state.sample is None:
        return None
    return {
        "weekday": WEEKDAYS[found.weekday],
        "time": found.at,
        "exhaustion_seconds": max(0.0, found.at - state.sample.at),
        "growth_per_week": round(found.growth, 2),
        "weeks": found.weeks,
        "peak": found.high,
        "limit": found.limit,
        "found_at": found.found_at,
        "words": in_short(state),
    }
