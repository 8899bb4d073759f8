"""Says in one of six words how a target is: steady, rising, warning, critical, recovering, unknown.

A condition never says less than what fires.
"""

from __future__ import annotations

import enum

from pgheadroom.judge.blame import rising
from pgheadroom.model.alert import Severity
from pgheadroom.state import State
from pgheadroom.status.standing import Standing, standing


class Condition(enum.StrEnum):
    """How a target is."""

    STEADY = "steady"
    """There is room, and nothing grows."""
    RISING = "rising"
    """Something grows, and nothing pages: most climbs end by themselves."""
    WARNING = "warning"
    """A warning fires or clients queue, and nothing grows."""
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
    if any(alert.severity is Severity.CRITICAL for alert in state.alerts):
        return Condition.CRITICAL
    if stands in (Standing.ALARMED, Standing.QUEUEING) and rising(state) is not None:
        return Condition.RISING
    return _CONDITIONS[stands]
