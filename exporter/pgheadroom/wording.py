"""In which words are figures told to a person who was just woken."""

from __future__ import annotations

from pgheadroom.growth import Culprit
from pgheadroom.slots import Slots, Tier
from pgheadroom.state import State


def slots(known: Slots) -> str:
    """Return how many ordinary slots are free, of how many, and what else is known of them."""
    limit = known.limits.of(Tier.ORDINARY)
    words = f"{known.free(Tier.ORDINARY)} of {limit} ordinary slots are free"
    if known.hidden:
        words += f", {known.hidden} are held by logins under way"
    return words


def took(who: Culprit, seconds: str) -> str:
    """Return what *who* took within *seconds*, a duration in words, and holds now."""
    return (
        f"{who.application_name} took {round(who.took)} of them in the last {seconds} and holds"
        f" {who.holds}."
    )


def biggest(state: State) -> tuple[str, int] | None:
    """Return the application that holds most connections, and how many; None if nobody does."""
    totals = state.applications.totals
    if not totals:
        return None
    name = max(totals, key=lambda name: (totals[name], name))
    return name, totals[name]
