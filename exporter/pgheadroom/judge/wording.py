"""Puts the figures of an alert's description into words."""

from __future__ import annotations

from collections.abc import Mapping

from pgheadroom.durations import moment
from pgheadroom.forecast.growth import Culprit
from pgheadroom.judge.blame import taker
from pgheadroom.judge.finding import Words
from pgheadroom.model.capacity import Capacity, CapacityKind
from pgheadroom.model.reading import Sample
from pgheadroom.state import State

NOUNS: Mapping[CapacityKind, tuple[str, str]] = {
    CapacityKind.SLOTS: ("slot", "slots"),
    CapacityKind.CLIENTS: ("place for clients", "places for clients"),
}
"""What one of a target's main capacity is called, and several."""


_PER = (("min", 60.0), ("h", 3600.0), ("d", 86_400.0))
_LEAST_TOLD, _TENTHS_BELOW = 0.095, 9.95


def growth(per_second: float) -> str:
    """Return a growth with its sign, per minute, hour or day: ``+24/min``, ``0``.

    In the shortest of these in which it is a tenth or more.
    """
    for unit, seconds in _PER:
        by = abs(per_second) * seconds
        if by >= _LEAST_TOLD:
            figure = round(by, 1 if by < _TENTHS_BELOW else None)
            return f"{'-' if per_second < 0 else '+'}{figure:g}/{unit}"
    return "0"


def free_of(main: Capacity) -> str:
    """Return how much is free, of how much: ``5 of 95 slots``."""
    return f"{main.free} of {main.limit} {NOUNS[main.scope.kind][1]}"


def slots(main: Capacity) -> str:
    """Return how much of a target's main capacity is free, and what else is known of it."""
    words = f"{free_of(main)} free"
    if main.logins:
        words += f", {main.logins} held by logins in progress"
    return words


def last_known(sample: Sample) -> str:
    """Return what *sample* told, with when that was, as a sentence that follows another."""
    return f" Last known, at {moment(sample.at)} UTC: {slots(sample.main)}."


def through(state: State) -> str:
    """Return how many slots are held through poolers, most first, as a sentence that follows."""
    uses = () if state.pooling is None else state.pooling.uses
    held = sorted(
        ((use.pooled, use.pooler) for use in uses if use.pooled), key=lambda one: (-one[0], one[1])
    )
    if not held:
        return ""
    return f" {' and '.join(f'{count} through {name}' for count, name in held)}."


def took(who: Culprit, seconds: str) -> str:
    """Return what *who* took within *seconds*, a duration in words, and holds now."""
    return f"{who.application_name}: +{round(who.took)} in the last {seconds}, now {who.holds}."


def blaming(state: State, words: str) -> Words:
    """Return *words* with the application to look at first.

    That is the one that grew most over what foretold this, or of late; else the one that holds
    most.
    """
    who = taker(state)
    if who is None:
        return words, None
    name = who.application_name
    if not who.took:
        return f"{words} {name} holds most: {who.holds}.", name
    return f"{words} {name} grew most: +{round(who.took)}, now {who.holds}.", name
