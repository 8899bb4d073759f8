"""Says in one word how a target stands: every output takes its headline from it."""

from __future__ import annotations

import enum

from pgheadroom.judge.blame import rising
from pgheadroom.model.reading import Outcome
from pgheadroom.state import NOTHING_LEFT, State


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
    CLIMBING = "climbing"
    """Nothing is foreseen and nothing fires, but an application storms or climbs."""
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
    if state.usage.forecasts:
        return Standing.RUNNING_OUT
    if state.alerts:
        return Standing.ALARMED
    return Standing.WELL if rising(state) is None else Standing.CLIMBING
