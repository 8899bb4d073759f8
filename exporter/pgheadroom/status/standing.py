"""Says in one word how a target stands: every output takes its headline from it."""

from __future__ import annotations

import enum

from pgheadroom.forecast.climb import least_rise
from pgheadroom.judge.blame import rising
from pgheadroom.judge.firing import held, over
from pgheadroom.model.alert import Alert, AlertName
from pgheadroom.model.reading import Outcome
from pgheadroom.state import NOTHING_LEFT, State

_LONG_SECONDS = 5.0
"""Who waits this long at a pooler is no part of its ordinary work."""
_NOT_OF_NOW = (AlertName.OVERCOMMITTED, AlertName.OUTGROWN)
"""Alerts about settings that stay as they are, or about weeks to come."""


class Standing(enum.StrEnum):
    """What a person who has one second is told, the worst first."""

    FULL = "full"
    """Nothing is free for an ordinary client, by a sample or by a refusal."""
    BLIND = "blind"
    """The newest reading failed and says nothing of the slots: it is unknown what is left."""
    RUNNING_OUT = "running_out"
    """There is a forecast of when the last ordinary slot goes."""
    ALARMED = "alarmed"
    """There is none, and an alert fires."""
    RECOVERING = "recovering"
    """Alerts still fire, but the cause of each is gone and there is room again: they resolve by
    themselves if that lasts."""
    CLIMBING = "climbing"
    """Nothing is foreseen and nothing fires, but an application storms or climbs."""
    QUEUEING = "queueing"
    """None of these, but clients of a pooler have waited for some seconds."""
    WELL = "well"
    """None of these."""
    WAITING = "waiting"
    """There was no reading yet."""


def standing(state: State) -> Standing:
    """Return how the target of *state* stands."""
    if state.outcome is None:
        return Standing.WAITING
    refused = state.outcome in NOTHING_LEFT[state.kind]
    if refused or (state.outcome is Outcome.OK and state.free == 0):
        return Standing.FULL
    if state.outcome is not Outcome.OK:
        return Standing.BLIND
    return _readable(state)


def _readable(state: State) -> Standing:
    """Return how a target stands that was sampled just now, and is not full."""
    if state.countdown.told:
        return Standing.RUNNING_OUT
    climbs, urgent = rising(state) is not None, pressing(state)
    waits = (queue.newest.longest_seconds for queue in state.queues.values())
    queues = max(waits, default=0.0) >= _LONG_SECONDS
    if urgent:
        recovers = not (climbs or queues) and _recovering(state, urgent)
        return Standing.RECOVERING if recovers else Standing.ALARMED
    if queues:
        return Standing.QUEUEING
    if climbs:
        return Standing.CLIMBING
    return Standing.ALARMED if state.alerts else Standing.WELL


def pressing(state: State) -> list[Alert]:
    """Return the alerts that tell of this moment, not of settings that stay or of weeks to come."""
    return [alert for alert in state.alerts if alert.name not in _NOT_OF_NOW]


def cause_gone_at(state: State) -> float | None:
    """Return when the cause of the last alert of *state* was seen last; None if that is unknown."""
    told = [alert.told_at for alert in pressing(state) if alert.told_at is not None]
    return max(told, default=None)


def resolves_at(state: State) -> float | None:
    """Return when the last alert of *state* resolves if all stays as it is; None without one.

    None, too, while the cause of one lasts. What follows from settings, or is weeks ahead, is not
    waited for.
    """
    hold, at = state.thresholds.resolve_hold_seconds, 0.0
    for alert in pressing(state):
        active = state.active.get(alert.key)
        if active is None or active.pending_since is not None:
            return None
        gone = active.until if active.gone_since is None else active.gone_since
        at = max(at, active.until, gone + hold)
    return at or None


def _recovering(state: State, alerts: list[Alert]) -> bool:
    """Say whether the cause of all *alerts* is gone, and more is free than would be called few."""
    return roomy(state) and all(held(state, alert) for alert in alerts)


def roomy(state: State) -> bool:
    """Say whether more is free than would be called few."""
    limit = 0 if state.sample is None else state.sample.main.limit or 0
    few = max(state.thresholds.low_free_ratio * limit, 2 * least_rise(limit))
    return state.free is None or state.free > few


def resolving(state: State, alert: Alert) -> bool:
    """Say whether *alert* only waits to resolve: its cause is gone, and there is room again."""
    return over(state, alert) and roomy(state)
