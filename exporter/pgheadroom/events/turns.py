"""Says when use turns: many slots taken at once, and the moment from which it is over."""

from __future__ import annotations

from collections.abc import Iterator

from pgheadroom.durations import duration
from pgheadroom.events.news import News
from pgheadroom.forecast.growth import culprit
from pgheadroom.forecast.jumps import Jump
from pgheadroom.model.event import Event, EventKind, Level
from pgheadroom.state import State
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.status import status

_LARGE = 0.1
"""A jump by less than this share of the limit is an ordinary day's."""
_QUICK_SECONDS, _LATE_SECONDS = 20.0, 60.0
"""A rise that takes longer is a climb, and what is known later is no news."""
_QUIET_SECONDS = 60.0
"""That it recovers is told once in so long: it may take a few attempts."""


def turns(before: State, after: State, now: float) -> Iterator[News]:
    """Yield that use jumped, or that a target recovers, if one of the two is new in *after*."""
    if after.usage.jumps.done is not before.usage.jumps.done:
        for jump in after.usage.jumps.done[-1:]:
            quick = jump.ended - jump.began <= _QUICK_SECONDS and now - jump.ended <= _LATE_SECONDS
            large = jump.rise >= _LARGE * after.usage.limit
            if quick and large and jump not in before.usage.jumps.done:
                yield _jumped(after, jump)
    if after.alerts and _recovers(before, after, now):
        words = status(after).sentence
        event = Event(now, EventKind.RECOVERS, Level.INFO, words)
        fields = {"free": after.free, "limit": after.usage.limit, "summary": words}
        yield News(Level.INFO, "recovering", fields, remembered=event)


def _recovers(before: State, after: State, now: float) -> bool:
    if condition(after) is not Condition.RECOVERING or condition(before) is Condition.RECOVERING:
        return False
    told = (one.at for one in after.events if one.kind is EventKind.RECOVERS)
    return now - max(told, default=-_QUIET_SECONDS) >= _QUIET_SECONDS


def _jumped(state: State, jump: Jump) -> News:
    then = state.usage.history.bucket_at(jump.ended)
    totals = {} if then is None else {name: span[1] for name, span in then.spans.items()}
    who = culprit(state.usage, totals, jump.began - 1.0)
    took = max(1.0, jump.ended - jump.began)
    words = f"{jump.rise} slots taken within {duration(round(took))}"
    if who is not None:
        words += f": {who.application_name} +{round(who.took)}"
    name = "" if who is None else who.application_name
    event = Event(jump.ended, EventKind.JUMP, Level.INFO, words, "", name)
    return News(Level.INFO, "use jumped", {"summary": words}, remembered=event)
