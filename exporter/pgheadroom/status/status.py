"""Says how a target stands: a condition, a few short answers, and all of it in one sentence.

Every output takes its words from here, so that no two of them differ. Names in them are foreign
text: to be escaped where they are shown.
"""

from __future__ import annotations

from typing import NamedTuple

from pgheadroom.durations import duration
from pgheadroom.judge.blame import Taker, taker
from pgheadroom.judge.wording import NOUNS, growth
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.identity import TargetKind
from pgheadroom.state import State
from pgheadroom.status.advice import to_do
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.figures import learning
from pgheadroom.status.standing import Standing, standing
from pgheadroom.status.until import REFUSED, Until, until


class Status(NamedTuple):
    """How a target stands, as of its newest reading."""

    condition: Condition
    label: str
    """How it is, in a few words: ``rising``, ``full: new connections are being refused``."""
    left: str
    """How much is free, or was when last known: ``5 of 95 slots free``; empty if never known."""
    when: str
    """Until when: ``full in about 20 s``, ``not filling up``."""
    because: str
    """What *when* rests on; may be empty."""
    who: str
    """The application to look at first; empty where none is known."""
    change: str
    """What that one took, how fast, and what it holds."""
    advice: str
    """The first thing to do."""
    sentence: str
    """All of it in one: ``5 of 95 slots free, full in about 20 s: nest-api +24/min``."""
    history: str
    """How far back the history reaches and what is not known yet; empty once it is a week."""


def status(state: State) -> Status:
    """Return how the target of *state* stands."""
    stands, who = standing(state), taker(state)
    left, lasts = _left(state), until(state, stands)
    return Status(
        condition(state),
        lasts.label,
        left,
        lasts.when,
        lasts.because,
        "" if who is None else who.application_name,
        "" if who is None else _change(who),
        to_do(state),
        _sentence(stands, left, lasts, who),
        learning(state),
    )


def _left(state: State) -> str:
    slots = state.kind is TargetKind.POSTGRES
    one, several = NOUNS[CapacityKind.SLOTS if slots else CapacityKind.CLIENTS]
    if state.sample is None:
        return f"no {one} free" if state.free == 0 else ""
    main = state.sample.main
    if main.limit is None:
        return f"{main.used} {several} in use, no limit"
    return f"{state.free} of {main.limit} {several} free"


def _change(who: Taker) -> str:
    if not who.took:
        return f"holds most: {who.holds}"
    taken = f"{round(who.took)} in {duration(round(who.seconds))}, holds {who.holds}"
    if not who.rate:
        return f"made the last peak (+{taken})"
    return f"{growth(who.rate)} (+{taken})"


def _sentence(stands: Standing, left: str, lasts: Until, who: Taker | None) -> str:
    match stands:
        case Standing.WAITING:
            words = lasts.label
        case Standing.BLIND:
            words = f"no reading: {lasts.label}" + (f"; last known: {left}" if left else "")
        case Standing.FULL:
            words = f"FULL: {left}, {REFUSED}"
            words += "" if who is None else f": {who.application_name} {_change(who)}"
        case Standing.RECOVERING:
            words = f"recovered: {left}; {lasts.because}"
        case Standing.WELL:
            words = f"{left}, {lasts.when}"
        case _:
            words = f"{left}, {lasts.when}{_culprit(who)}"
    return words


def _culprit(who: Taker | None) -> str:
    if who is None:
        return ""
    if not who.took:
        return f": {who.application_name} holds most, {who.holds}"
    if not who.rate:
        return f": {who.application_name} made the last peak"
    return f": {who.application_name} {growth(who.rate)}"
