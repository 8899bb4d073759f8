"""Says how likely a climb is to reach the limit.

A climb that took three quarters of its way will take the last one, too: with nothing else known,
what lies behind to what lies ahead are its odds. Signs multiply them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pgheadroom.judge.odds.look import Look
from pgheadroom.judge.odds.sign import Sign

ENOUGH = 3.0
"""Odds at which a climb pages: three of four go through."""
_FACTORS = {Sign.BUSY: 5.0, Sign.LOCKS: 5.0, Sign.LASTING: 3.0, Sign.IDLE: 2.0}
_EARLY = frozenset({Sign.BUSY, Sign.LOCKS, Sign.IDLE})
"""Signs of which one is needed where less was taken than is left."""
_WAITING_SHARE, _LEAST_WAITING = 0.2, 3
"""Locks are the reason where this share of what was taken waits for them."""
_LOCKS_FLOOR = 0.75
"""Queues for a lock dissolve as they came: at least this share of the slots must be in use."""
_ALONE, _IDLE = 0.8, 0.3
_LEAK_SECONDS = 1800.0
_JUMPED = 0.5
"""Between two jumps a slope means nothing: a climb of which this share was jumps has no odds."""


class Odds(NamedTuple):
    """How likely a climb is to reach the limit."""

    value: float
    """So many times as likely as that it stops before."""
    signs: tuple[Sign, ...]
    """What speaks for it."""


def odds(seen: Look, reached: float, busy_ratio: float, horizon: float, *, early: bool) -> Odds:
    """Return the odds of the climb that was *seen*.

    *reached* is the share of the slots in use, *busy_ratio* the share of an application's
    connections from which on it is busy, *horizon* the time in seconds from which on a climb is a
    lasting one. One that is *early* took less than is left, and needs a sign of its own.
    """
    signs = tuple(_signs(seen, reached, busy_ratio, horizon))
    value = seen.took / seen.left
    if Sign.BUSY in signs or Sign.LOCKS in signs:  # what grows with load gets faster
        value = max(value, seen.seconds / seen.seconds_left)
    for sign in signs:
        value *= _FACTORS[sign]
    between_jumps = set(signs) <= {Sign.IDLE} and seen.jumped >= _JUMPED * seen.took
    if between_jumps or (early and not _EARLY.intersection(signs)):
        return Odds(0.0, signs)
    return Odds(value, signs or (Sign.FAR,))


def _signs(seen: Look, reached: float, busy_ratio: float, horizon: float) -> Iterator[Sign]:
    waits = seen.waiting >= max(_LEAST_WAITING, _WAITING_SHARE * seen.grew)
    if waits and reached >= _LOCKS_FLOOR:
        yield Sign.LOCKS
    elif not waits and seen.busy >= busy_ratio:
        yield Sign.BUSY
    if seen.seconds >= horizon:
        yield Sign.LASTING
    alone = seen.share >= _ALONE and seen.busy < _IDLE
    if alone and not seen.load and seen.seconds >= _LEAK_SECONDS:
        yield Sign.IDLE
