"""Says in one of six words how a target is: steady, rising, warning, critical, recovering, unknown.

A condition never says less than what fires.
"""

from __future__ import annotations

import enum

from pgheadroom.judge.blame import rising
from pgheadroom.model.alert import Severity
from pgheadroom.state import State
from pgheadroom.status.standing import Standing, pressing, resolving, standing


class Condition(enum.StrEnum):
    """How a target is."""

    STEADY = "steady"
    """There is room, and nothing grows."""
    RISING = "rising"
    """Something grows, and nothing fires: most climbs end by themselves."""
    WARNING = "warning"
    """A warning fires, or clients queue."""
    CRITICAL = "critical"
    """A page fires, or nothing is free."""
    RECOVERING = "recovering"
    """Alerts still fire, but the cause of each is gone."""
    UNKNOWN = "unknown"
    """There is no reading, and nothing pages."""


_CONDITIONS = {
    Standing.FULL: Condition.CRITICAL,
    Standing.BLIND: Condition.UNKNOWN,
    Standing.WAITING: Condition.UNKNOWN,
    Standing.RUNNING_OUT: Condition.RISING,
    Standing.CLIMBING: Condition.RISING,
    Standing.ALARMED: Condition.WARNING,
    Standing.QUEUEING: Condition.WARNING,
    Standing.RECOVERING: Condition.RECOVERING,
    Standing.WELL: Condition.STEADY,
}


def condition(state: State) -> Condition:
    """Return how the target of *state* is."""
    stands = standing(state)
    if stands is Standing.RECOVERING:
        return Condition.RECOVERING
    fires = {alert.severity for alert in pressing(state) if not resolving(state, alert)}
    if Severity.CRITICAL in fires or stands is Standing.FULL:
        return Condition.CRITICAL
    if fires:
        return Condition.WARNING
    # What fires still only waits to resolve: that something grows anew is the news.
    grows = stands is Standing.ALARMED and rising(state) is not None
    return Condition.RISING if grows else _CONDITIONS[stands]
