"""Says why a climb is expected to stop before the limit: it is of a kind that does."""

from __future__ import annotations

from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.rhythm.usual import Likeness
from pgheadroom.judge.odds.look import Look
from pgheadroom.judge.odds.sign import Hold
from pgheadroom.state import State

LAST_RATIO = 0.06
"""When at most this share of the ordinary slots is left, nothing holds a page back."""
_ROOM = 0.03
"""A second generation fits if this share of the slots is left beside it."""
_ALONE = 0.8
_AT_WORK = 0.5
"""A pool that starts is idle: less than this share of its connections is busy."""
_GENERATION_BUSY = 0.35
_SOME, _WHOLE = 0.3, 1.1
"""A new generation is told by this share of the old one, and is no larger than it by much."""
_GENERATION_SECONDS = 30.0
"""It comes up within this time, or in jumps; a leak takes longer and has none."""
_MOST = 0.8
"""Where applications that have just arrived hold this share of what is in use, all starts."""
_SLOW_SECONDS, _DAY_SECONDS = 20 * 60.0, 14 * 3600.0
"""Load that rises for longer than the first and no longer than the second may do so every day."""
_DIFFERENCE = 1.08
"""Days differ by as much."""
_JOB_SECONDS = 10.0
"""A job that fills the server within this time is no job ..."""
_MANY = 0.75
"""... once this share of the slots is in use."""


def held(state: State, seen: Look, now: float) -> Hold | None:
    """Return why the climb that was *seen* is expected to stop; None if nothing says so."""
    limit, used = state.usage.limit, state.usage.used
    if limit - used <= LAST_RATIO * limit:
        return None
    if (
        seen.share >= _ALONE
        and seen.busy < _GENERATION_BUSY
        and (seen.seconds < _GENERATION_SECONDS or seen.jumped >= _ALONE * seen.took)
        and _SOME * seen.had <= seen.grew * seen.share <= _WHOLE * seen.had
        and used + seen.had - seen.grew * seen.share <= (1 - _ROOM) * limit
    ):
        return Hold.GENERATION
    starts = seen.arrived > 1 or (seen.at_once and seen.share >= _ALONE)
    if starts and seen.busy < _AT_WORK and seen.arrived_slots >= _MOST * used:
        return Hold.START
    return _held_by_day(state, seen, now)


def _held_by_day(state: State, seen: Look, now: float) -> Hold | None:
    limit = state.usage.limit
    slow = _SLOW_SECONDS <= seen.seconds <= _DAY_SECONDS
    job = (
        seen.arrived > 0
        and seen.arrived_slots >= _ALONE * seen.grew
        and seen.active >= _AT_WORK
        and (seen.seconds_left > _JOB_SECONDS or state.usage.used < _MANY * limit)
    )
    if not slow and not job:
        return None
    usual = state.usage.rhythm.usual(now, (1 - LAST_RATIO) * limit)
    known = usual.likeness in (Likeness.WEEKDAY, Likeness.KIND)
    if not known and job:
        return Hold.JOB
    if not slow:
        return None
    if not known:
        return Hold.FIRST_DAY if seen.load else None
    least = least_rise(limit) / 2
    return Hold.USUAL if state.usage.used <= usual.high * _DIFFERENCE + least else None
