"""Computes figures for people: slots and time left, growth rates, each application's verdict.

Computed from a state when it is shown; nothing of it is stored.
"""

from __future__ import annotations

from pgheadroom.durations import duration
from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.forecast.exhaustion import forecasts_for, seconds_left
from pgheadroom.judge.blame import (
    LATELY_SECONDS,
    SHORTEST_SECONDS,
    foremost,
    grown_beyond,
    pressed,
    rises,
    taker,
)
from pgheadroom.judge.firing import held
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.model.reading import Outcome, Sample
from pgheadroom.model.slots import Tier
from pgheadroom.state import State

_MINUTE, _HOUR, _DAY, _WEEK = 60.0, 3600.0, 86_400.0, 604_800.0
_STORM_SECONDS = 150.0
"""A storm would take all ordinary slots within this time at its pace: too fast to look up who it
is and stop it by hand."""


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
    """Return the time until no slot is free for each tier, infinite while there is no forecast.

    0 while there is no slot for the tier; before there was a sample, only what a refusal tells. For
    an ordinary client that is the countdown, which does not jump about; nobody runs out before.
    """
    sample = state.sample
    if sample is None:
        return {tier: 0.0 for tier in Tier if free_for(state, tier) == 0}
    used, seconds, told = sample.main.used, {}, state.countdown.seconds
    for tier, limit in _limits(sample).items():
        if free_for(state, tier) == 0:
            seconds[tier] = 0.0
        elif limit == state.usage.limit:
            seconds[tier] = told
        else:
            ahead = state.usage.forecasts and forecasts_for(state.usage, limit, sample.at)
            seconds[tier] = max(told, seconds_left(ahead, limit, used))
    return seconds


def _limits(sample: Sample) -> dict[Tier, int]:
    """Return the limit of each tier; whatever is no PostgreSQL server has ordinary clients only."""
    if isinstance(sample.facts, PostgresFacts):
        limits = sample.facts.slots.limits
        return {tier: limits.of(tier) for tier in Tier}
    return {} if sample.main.limit is None else {Tier.ORDINARY: sample.main.limit}


def history_seconds(state: State) -> float | None:
    """Return how far back the history of use reaches from the newest sample; None without one."""
    since, newest = state.usage.known_since, state.usage.history.rungs[0][-1:]
    if since is None or not newest:
        return None
    return max(0.0, newest[0].nth - since)


def history_words(seconds: float | None) -> str:
    """Return in words how far back a history of so many *seconds* reaches, and what it lacks yet.

    ``history: 3 h; the daily rhythm is known after a day, the weekly one after a week``.
    """
    known = "none yet" if seconds is None else _roughly(seconds)
    if seconds is None or seconds < _DAY:
        lacks = "; the daily rhythm is known after a day, the weekly one after a week"
    elif seconds < _WEEK:
        lacks = "; the weekly rhythm is known after a week"
    else:
        lacks = ""
    return f"history: {known}{lacks}"


def learning(state: State) -> str:
    """Return the same words while there is less than a week to compare with; else nothing."""
    seconds = history_seconds(state)
    if state.sample is None or (seconds is not None and seconds >= _WEEK):
        return ""
    return history_words(seconds)


def _roughly(seconds: float) -> str:
    """Return *seconds* in whole minutes or hours: a figure that counts seconds catches the eye."""
    if seconds < _MINUTE:
        return "less than a minute"
    whole = _MINUTE if seconds < _HOUR else _HOUR
    return duration(seconds // whole * whole)


def growth_rates(state: State) -> dict[str, float]:
    """Return by how many connections a second each application grows, or shrinks if below 0.

    One that rises is told over its rise, and whoever is to blame over what it is blamed for, so
    that growth, verdict and forecast are of the same stretch of time. The others are told over the
    stretch of the foremost forecast, or over five minutes. Empty before there is a stretch.
    """
    began = state.usage.history.began
    if state.sample is None or began is None:
        return {}
    now = state.sample.at
    first = foremost(state)
    if now - began < SHORTEST_SECONDS:
        return {}
    since = max(now - LATELY_SECONDS, began)
    if first is not None and now - first.forecast.since >= SHORTEST_SECONDS:
        since = max(first.forecast.since, began)
    rates = {name: more / (now - since) for name, more in grown_beyond(state, since).items()}
    # Looked up only where somebody may be to blame: that is not done for nothing with each sample.
    matters = first is not None or state.usage.trends.leaks or pressed(state)
    who = taker(state) if matters else None
    if who is not None and who.took and who.application_name in rates:
        rates[who.application_name] = who.rate
    return rates | {name: one.rate for name, one in rises(state).items()}


def climbing_seconds(state: State) -> dict[str, float]:
    """Return for how long each application has climbed without coming back; 0 if it does not."""
    totals = state.applications.totals
    seconds = dict.fromkeys(totals, 0.0)
    for leak in state.usage.trends.leaking(state.applications.tracked):
        if leak.name in seconds:
            seconds[leak.name] = leak.seconds
    return seconds


def verdicts(state: State) -> dict[str, Verdict]:
    """Return what a person would say of each application's curve.

    Whoever is to blame for what is foreseen, or for what an alert tells of now, climbs at least.
    """
    totals = state.applications.totals
    began = state.usage.history.began
    if state.sample is None or began is None or state.sample.at - began < SHORTEST_SECONDS:
        return dict.fromkeys(totals, Verdict.NEW)
    verdict_of = {name: state.usage.trends.verdict(name) for name in totals}
    mended = {name for name, seconds in climbing_seconds(state).items() if not seconds}
    for name, verdict in verdict_of.items():
        if verdict is Verdict.CLIMBING and name in mended:
            verdict_of[name] = Verdict.STABLE
    storm = state.usage.limit / _STORM_SECONDS
    fast = {name: one.rate for name, one in rises(state).items()}
    for name, rate in (_blamed(state) | fast).items():
        if name in fast or verdict_of.get(name) in (Verdict.STABLE, Verdict.SHRINKING):
            verdict_of[name] = Verdict.STORM if rate >= storm else Verdict.CLIMBING
            if not rate:  # it made the last of some peaks, each of which came back
                verdict_of[name] = Verdict.SAWTOOTH
    return verdict_of


def _blamed(state: State) -> dict[str, float]:
    """Return who is to blame for what is foreseen or fires now, and at which rate it grew."""
    urgent = state.countdown.told or any(not held(state, alert) for alert in state.alerts)
    who = taker(state) if urgent else None
    return {who.application_name: who.rate} if who is not None and who.took else {}
