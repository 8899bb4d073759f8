"""How long will it last, and how does each application behave: growth, climb and verdict.

Worked out from a state when somebody looks; nothing of it is remembered.
"""

from __future__ import annotations

from pgheadroom.climb import least_rise
from pgheadroom.forecast import leaking, outlook, seconds_left
from pgheadroom.growth import growth
from pgheadroom.names import OTHER
from pgheadroom.slots import Tier
from pgheadroom.state import State
from pgheadroom.tendency import Verdict

GROWTH_SECONDS = 300.0
"""Growth is told over this time, unless a forecast looks at another."""

_SHORTEST_SECONDS = 10.0
_STORM_SECONDS = 60.0
_MANY_RATIO = 0.1
_MANY_LEAST = 5
"""Who takes this share of the ordinary slots, and so many of them at least, climbs; within the time
above it is a storm."""


def exhaustion_seconds(state: State) -> dict[Tier, float]:
    """Return the time until no slot is free for each tier, infinite when no end is in sight.

    0 while there is no slot for the tier; before there was a sample, only what a refusal tells.
    """
    sample = state.sample
    if sample is None:
        return {tier: 0.0 for tier in Tier if state.free(tier) == 0}
    used, seconds = sample.slots.used, {}
    for tier in Tier:
        limit = sample.slots.limits.of(tier)
        ahead = state.outlook
        if ahead and limit != state.course.limit:
            leaks = leaking(state.course, state.tendencies, limit, used, sample.at)
            ahead = outlook(state.course, leaks, limit, used, sample.at)
        seconds[tier] = 0.0 if state.free(tier) == 0 else seconds_left(ahead, limit, used)
    return seconds


def growth_rates(state: State) -> dict[str, float]:
    """Return by how many connections a second each application grows, or shrinks if below 0.

    Over the stretch that the soonest forecast was seen in, so that the one that grows most is the
    one to blame; without a forecast, over the last five minutes. Empty before there is a stretch.
    """
    began = state.course.history.began
    if state.sample is None or began is None:
        return {}
    now = state.sample.at
    since = state.outlook[0].since if state.outlook else now - GROWTH_SECONDS
    since = max(since, began)
    if now - since < _SHORTEST_SECONDS:
        return {}
    grown = _grown(state, since)
    return {name: more / (now - since) for name, more in grown.items()}


def climbing_seconds(state: State) -> dict[str, float]:
    """Return for how long each application has climbed without coming back; 0 if it does not."""
    totals = state.applications.totals
    seconds = dict.fromkeys(totals, 0.0)
    for leak in state.tendencies.leaking(state.applications.tracked):
        if leak.name in seconds:
            seconds[leak.name] = leak.seconds
    return seconds


def verdicts(state: State) -> dict[str, Verdict]:
    """Return what a person would say of each application's curve."""
    totals = state.applications.totals
    found = {name: state.tendencies.verdict(name) for name in totals}
    mended = {name for name, seconds in climbing_seconds(state).items() if not seconds}
    for name, verdict in found.items():
        if verdict is Verdict.CLIMBING and name in mended:
            found[name] = Verdict.STABLE
    for name in _grew(state, GROWTH_SECONDS):
        if found[name] is Verdict.STABLE:
            found[name] = Verdict.CLIMBING
    return found | dict.fromkeys(_grew(state, _STORM_SECONDS), Verdict.STORM)


def _grown(state: State, since: float) -> dict[str, float]:
    """Return by how many connections each application with series of its own grew since *since*.

    ``other`` grew by what those did that are summed in it now.
    """
    totals = state.applications.totals
    shown: dict[str, float] = {}
    for name, more in growth(state.course, state.applications.tracked, since).items():
        own = name if name in totals else OTHER
        shown[own] = shown.get(own, 0.0) + more
    return shown


def _grew(state: State, seconds: float) -> list[str]:
    """Return who took a good part of the slots within the last so many *seconds*."""
    if state.sample is None:
        return []
    limit = state.course.limit
    least = max(_MANY_LEAST, _MANY_RATIO * limit, least_rise(limit))
    grown = _grown(state, state.sample.at - seconds)
    return [name for name, more in grown.items() if more >= least]
