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
    CapacityKind.SLOTS: ("ordinary slot", "ordinary slots"),
    CapacityKind.CLIENTS: ("place for clients", "places for clients"),
}
"""What one of a target's main capacity is called, and several."""


def free_of(main: Capacity) -> str:
    """Return how much is free, of how much: ``5 of 95 ordinary slots``."""
    return f"{main.free} of {main.limit} {NOUNS[main.scope.kind][1]}"


def slots(main: Capacity) -> str:
    """Return how much of a target's main capacity is free, and what else is known of it."""
    words = f"{free_of(main)} are free"
    if main.logins:
        words += f", {main.logins} are held by logins in progress"
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
    return (
        f"{who.application_name} took {round(who.took)} of them in the last {seconds} and holds"
        f" {who.holds}."
    )


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
    return f"{words} {name} grew most, by {round(who.took)}, and holds {who.holds}.", name
