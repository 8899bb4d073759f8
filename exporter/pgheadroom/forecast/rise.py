"""Finds the rise that an application is in: since when, by how much, and that it goes on.

A window of fixed length tells a climb that began twenty seconds ago as a tenth of its pace. So a
rise is told from its own beginning: the last time that the application stood as low as it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pgheadroom.forecast.history import History, Span

_LOW = 0.1
"""A rise begins where no more of it than this share was there."""
_NEW = 0.5
"""At least this share of a rise is more than there was just before it ..."""
_AWAY_SECONDS = 30.0
"""... which is so long: a restart takes less, and who comes back later climbs anew."""
_STILL = 1 / 6
"""A rise goes on when this share of it came in its last third ..."""
_STILL_SECONDS = 15.0
"""... or within these seconds, if that is longer (stairs have flat steps), but not in its first
half."""
_SHORTEST_SECONDS = 5.0
"""A jump is over by then, and so is no rise that goes on."""

_PACE_SECONDS = 20.0
"""The pace is told over the second half of a rise, and over so many seconds at least."""

_ABSENT: Span = (0, 0)


class Rise(NamedTuple):
    """Connections that an application takes and has not given back."""

    took: float
    seconds: float
    """For how long it has gone on, more than 0."""
    rate: float
    """Connections a second, lately: it may get faster, or slower."""


def rise(history: History, name: str, holds: int, now: float, window: float) -> Rise | None:
    """Return the rise that application *name* is in, which *holds* so many *now*.

    It is looked for in the last *window* seconds. None if there is none, if it does not go on, or
    if the application only comes back to what it had before, as after a restart.
    """
    stretches = [*_stretches(history, name, now - window)]
    lowest = min((low for _, (low, _) in stretches), default=holds)
    if holds <= lowest:
        return None
    start = lowest + _LOW * (holds - lowest)
    place = next(place for place, (_, (low, _)) in enumerate(stretches) if low <= start)
    began, (low, _) = stretches[place]
    seconds, took = now - began, holds - low
    before = max(
        (high for at, (_, high) in stretches[place + 1 :] if began - at <= _AWAY_SECONDS),
        default=low,
    )
    if seconds < _SHORTEST_SECONDS or holds - before < _NEW * took:
        return None
    late = min(seconds / 2, max(seconds / 3, _STILL_SECONDS))
    lately = next((low for at, (low, _) in stretches if at <= now - late), low)
    if holds - lately < _STILL * took:
        return None
    # Stairs of a few connections have no pace over a step or two.
    half_at, (half, _) = next(
        one
        for one in stretches[: place + 1]
        if one[0] <= began or (one[1][0] <= low + took / 2 and now - one[0] >= _PACE_SECONDS)
    )
    return Rise(took, seconds, (holds - half) / (now - half_at))


def _stretches(history: History, name: str, since: float) -> Iterator[tuple[float, Span]]:
    """Yield the middle of each stretch since then and its fewest and most; the newest first."""
    for begins, ends, bucket in history.backwards():
        if ends <= since:
            return
        yield (begins + ends) / 2, bucket.spans.get(name, _ABSENT)
