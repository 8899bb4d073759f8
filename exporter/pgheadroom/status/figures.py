"""Computes figures for people: slots and time left, growth rates, each application's verdict.

Computed from a state when it is shown; nothing of it is stored.
"""

from __future__ import annotations

from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.forecast.exhaustion import forecasts_for, seconds_left
from pgheadroom.judge.blame import (
    LATELY_SECONDS,
    SHORTEST_SECONDS,
    STORM_SECONDS,
    foremost,
    grew,
    grown_since,
)
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.model.reading import Outcome, Sample
from pgheadroom.model.slots import Tier
from pgheadroom.state import State


def free_for(state: State, tier: Tier) -> int | None:
    """Return how many slots a role of *tier* can still get now; None when never known."""
    if state.kind is not TargetKind.POSTGRES:
        return state.free if tier is Tier.ORDINARY else None
    if state.outcome is Outcome.FULL:
        return 0
    if state.outcome is Outcome.RESERVED_ONLY:
        return _free_of_reserve(state, tier)
    return None if state.sample is None else state.sample.postgres.slots.free(tier)


def _free_of_reserve(state: State, tier: Tier) -> int | None:
    """Return what is free for *tier* when we were told that only reserved slots are left.

    Our own role decides how much that tells: refused as an ordinary one, nothing is known of the
    reserve but that some of it is left; refused as a member of pg_use_reserved_connections, that
    too is gone (postinit.c, InitPostgres).
    """
    if state.sample is None:
        return 0 if tier is Tier.ORDINARY else None
    facts = state.sample.postgres
    refused = [Tier.ORDINARY]
    if facts.server.reserve:
        refused.append(Tier.RESERVED)
    if tier in refused:
        return 0
    limits = facts.slots.limits
    return min(facts.slots.free(tier), limits.of(tier) - limits.of(refused[-1]))


def exhaustion_seconds(state: State) -> dict[Tier, float]:
    """Return the time until no slot is free for each tier, infinite when no end is in sight.

    0 while there is no slot for the tier; before there was a sample, only what a refusal tells.
    """
    sample = state.sample
    if sample is None:
        return {tier: 0.0 for tier in Tier if free_for(state, tier) == 0}
    used, seconds = sample.main.used, {}
    for tier, limit in _limits(sample).items():
        ahead = state.usage.forecasts
        if ahead and limit != state.usage.limit:
            ahead = forecasts_for(state.usage, limit, sample.at)
        seconds[tier] = 0.0 if free_for(state, tier) == 0 else seconds_left(ahead, limit, used)
    return seconds


def _limits(sample: Sample) -> dict[Tier, int]:
    """Return the limit of each tier; whatever is no PostgreSQL server has ordinary clients only."""
    if isinstance(sample.facts, PostgresFacts):
        limits = sample.facts.slots.limits
        return {tier: limits.of(tier) for tier in Tier}
    return {} if sample.main.limit is None else {Tier.ORDINARY: sample.main.limit}


def growth_rates(state: State) -> dict[str, float]:
    """Return by how many connections a second each application grows, or shrinks if below 0.

    Over the stretch that the foremost forecast was seen in, so that the one that grows most is the
    one to blame; without a forecast, over the last five minutes. Empty before there is a stretch.
    """
    began = state.usage.history.began
    if state.sample is None or began is None:
        return {}
    now = state.sample.at
    first = foremost(state)
    since = max(now - LATELY_SECONDS if first is None else first.forecast.since, began)
    if now - since < SHORTEST_SECONDS:
        return {}
    grown = grown_since(state, since)
    return {name: more / (now - since) for name, more in grown.items()}


def climbing_seconds(state: State) -> dict[str, float]:
    """Return for how long each application has climbed without coming back; 0 if it does not."""
    totals = state.applications.totals
    seconds = dict.fromkeys(totals, 0.0)
    for leak in state.usage.trends.leaking(state.applications.tracked):
        if leak.name in seconds:
            seconds[leak.name] = leak.seconds
    return seconds


def verdicts(state: State) -> dict[str, Verdict]:
    """Return what a person would say of each application's curve."""
    totals = state.applications.totals
    verdict_of = {name: state.usage.trends.verdict(name) for name in totals}
    mended = {name for name, seconds in climbing_seconds(state).items() if not seconds}
    for name, verdict in verdict_of.items():
        if verdict is Verdict.CLIMBING and name in mended:
            verdict_of[name] = Verdict.STABLE
    for name in grew(state, LATELY_SECONDS):
        if verdict_of[name] is Verdict.STABLE:
            verdict_of[name] = Verdict.CLIMBING
    return verdict_of | dict.fromkeys(grew(state, STORM_SECONDS), Verdict.STORM)
