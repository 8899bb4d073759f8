"""Ranks targets, the worst first, by what fires now; decides no alert."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pgheadroom.judge.blame import rising
from pgheadroom.model.alert import Severity
from pgheadroom.model.reading import Outcome
from pgheadroom.model.slots import Tier
from pgheadroom.state import State
from pgheadroom.status.figures import exhaustion_seconds

_OK, _UNKNOWN = "ok", "unknown"
_WORST = (str(Severity.CRITICAL), str(Severity.WARNING), _UNKNOWN, _OK)


def severity(state: State) -> str:
    """Return how bad it is: the worst of what fires, else `unknown` while blind, else `ok`."""
    firing = {str(alert.severity) for alert in state.alerts}
    if state.outcome is not Outcome.OK:
        firing.add(_UNKNOWN)
    return min(firing, key=_WORST.index, default=_OK)


def worst_first(states: Iterable[State]) -> list[State]:
    """Return *states*, the worst first: by severity, who grows, who runs out soonest, by room."""

    def badness(state: State) -> tuple[int, bool, float, float, str]:
        seconds_left = exhaustion_seconds(state).get(Tier.ORDINARY, math.inf)
        limit, free = state.usage.limit, state.free
        room = 1.0 if free is None or not limit else free / limit
        still = not state.countdown.told and rising(state) is None
        return _WORST.index(severity(state)), still, seconds_left, room, state.target

    return sorted(states, key=badness)
