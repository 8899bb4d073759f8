"""Computes the pause after a failed attempt; keeps nothing."""

from __future__ import annotations

import random

from pgheadroom.model.reading import Outcome

_SOON = frozenset(
    {
        Outcome.FULL,
        Outcome.RESERVED_ONLY,
        Outcome.ROLE_LIMIT,
        Outcome.DATABASE_LIMIT,
        Outcome.STARTING,
        Outcome.SHUTTING_DOWN,
    }
)
"""Here a slot, or the server, may come back any moment and somebody else waits for it too; an
attempt that is refused costs the server a few milliseconds."""

_FULL = frozenset({Outcome.FULL, Outcome.RESERVED_ONLY})
_AGAIN_SECONDS = (0.15, 0.25)
_HASTY_READINGS = 10


def again_seconds(outcome: Outcome | None, failed: int) -> tuple[float, ...]:
    """Return after which pauses to try again within the same reading, by a role with a reserve.

    The reserve is kept free for it, but while many clients try to log in, each of them holds any
    slot for the moment of its refusal: three attempts a second soon meet a free one.
    *outcome* is how the first attempt ended (None if it did not fail), *failed* how many readings
    have failed before; after ten of them the reserve itself is taken, and haste is of no use.
    """
    return _AGAIN_SECONDS if outcome in _FULL and failed < _HASTY_READINGS else ()


def delay_seconds(
    outcome: Outcome,
    failed: int,
    *,
    first_seconds: float,
    longest_seconds: float,
    patient: bool = False,
    jitter: float | None = None,
) -> float:
    """Return how long to wait after *failed* attempts in a row, the newest ending in *outcome*.

    Doubles from *first_seconds* up to *longest_seconds*; stays at *first_seconds* while the server
    is merely out of slots or not up yet, unless we are *patient* and leave a slot to others.
    *jitter*, between 0 and 1 and random unless given, takes up to a quarter off, so that many
    daemons do not come back in step.
    """
    if jitter is None:
        jitter = random.random()  # noqa: S311 - no secret depends on it
    doublings = 0 if outcome in _SOON and not patient else min(failed - 1, 30)
    return min(longest_seconds, first_seconds * 2.0**doublings) * (1 - jitter / 4)


def longest_delay_seconds(
    outcome: Outcome, *, first_seconds: float, longest_seconds: float
) -> float:
    """Return what `delay_seconds` never exceeds while attempts end in *outcome*."""
    return min(longest_seconds, first_seconds) if outcome in _SOON else longest_seconds
