"""Looks at a climb: how far it has come, whose it is, and what those connections do."""

from __future__ import annotations

from typing import NamedTuple

from pgheadroom.forecast.approach.onset import Onset, onset
from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.growth import growth
from pgheadroom.forecast.usage import Usage
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.state import State

_JUST_BEFORE_SECONDS = 5.0
"""A jump is told from the first sample that shows some of it ..."""
_BLURRED = 0.125
"""... and history gets coarser with its age: buckets are this part of it at most."""
_NEW = 0.97
"""An application that took this share of what it has was not there before ..."""
_ARRIVAL_SECONDS = 1800.0
"""... which is so long ..."""
_OF_NOTE = 0.1
"""... and is of note with this share of what all of those have ..."""
_AT_ONCE_SECONDS = 20.0
"""... or so short, where it is a pool that starts."""

_ALONE = 0.7
"""Load is spread over several applications; one that took this share alone may leak ..."""
_IDLE = 0.25
"""... if no more of its connections than this share are busy."""
_FOLLOW = 0.4
"""Commits follow connections that grow when they grow by this part of it."""
_LEAST_COMMITS = 0.5
"""A second: below that, whether they grow says nothing."""
_SHORTEST_SECONDS = 3.0
"""Commits are counted over no less."""


class Look(NamedTuple):
    """What a climb looks like."""

    took: float
    """Slots since it began, more than 0."""
    left: float
    """Slots until the limit, at least 1."""
    seconds: float
    """Since it began."""
    seconds_left: float
    """At the present pace."""
    grew: float
    """Connections that applications took in that time, those that gave some back left out."""
    who: str
    """The application that took most of them; empty if none did."""
    share: float
    """Its share of what they took, from 0 to 1."""
    had: float
    """Connections that it had before."""
    busy: float
    """Share of its connections that is not idle, from 0 to 1 ..."""
    active: float
    """... and that runs a statement: those idle in transaction are not idle, and do not."""
    arrived: int
    """How many applications of note were not there half an hour ago."""
    arrived_slots: float
    """Connections of all that were not."""
    at_once: bool
    """Whether nearly all that *who* has came within the last seconds."""
    jumped: float
    """Slots that it took in jumps."""
    waiting: int
    """Sessions that wait for locks."""
    load: bool
    """Commits grew with the connections; where they are not known, it looks like load."""


def look(state: State, forecast: Forecast, now: float) -> Look:
    """Return what the climb of *forecast* looks like *now*."""
    usage, counts = state.usage, state.applications.counts
    left = max(1.0, float(usage.limit - forecast.reached))
    seconds_left = max(0.5, forecast.seconds)
    began, level = _began(usage, forecast, left / seconds_left, now)
    seconds = max(0.5, now - began)
    grown = growth(usage, state.applications.tracked, began)
    positive = {name: more for name, more in grown.items() if more >= 1}
    grew = sum(positive.values())
    who = max(positive, key=lambda name: positive[name], default="")
    totals = state.applications.tracked
    total = totals.get(who, 0)
    arrived = _arrived(state, max(now - _ARRIVAL_SECONDS, usage.history.began or now))
    arrived_slots = sum(arrived.values())
    at_once = _arrived(state, now - _AT_ONCE_SECONDS)
    busy = 1 - counts.get((who, "idle"), 0) / total if total else 0.0
    active = counts.get((who, "active"), 0) / total if total else 0.0
    share = positive[who] / grew if who else 0.0
    followed = _commits_followed(state, began, now, grew)
    return Look(
        took=max(0.0, usage.used - level),
        left=left,
        seconds=seconds,
        seconds_left=seconds_left,
        grew=grew,
        who=who,
        share=share,
        had=total - positive.get(who, 0.0),
        busy=busy,
        active=active,
        arrived=sum(1 for count in arrived.values() if count >= _OF_NOTE * arrived_slots),
        arrived_slots=arrived_slots,
        at_once=who in at_once,
        jumped=sum(jump.rise for jump in usage.jumps.done if jump.ended >= began),
        waiting=_waiting(state),
        load=bool(who) and (share < _ALONE or busy > _IDLE) if followed is None else followed,
    )


def _began(usage: Usage, forecast: Forecast, rate: float, now: float) -> Onset:
    """Return where the climb of *forecast* began; of jumps, where the last one did."""
    before = forecast.reached - forecast.slots
    if forecast.pattern is Pattern.JUMPS:
        jump = usage.jumps.expected(now)
        began = forecast.since if jump is None else jump.last
        return Onset(began - max(_JUST_BEFORE_SECONDS, _BLURRED * (now - began)), before)
    found = onset(usage.history, usage.used, rate, now, least_rise(usage.limit))
    return found if found.at <= forecast.since else Onset(forecast.since, before)


def _waiting(state: State) -> int:
    facts = None if state.sample is None else state.sample.facts
    return facts.waiting if isinstance(facts, PostgresFacts) else 0


def _arrived(state: State, since: float) -> dict[str, int]:
    totals = state.applications.tracked
    grown = growth(state.usage, totals, since)
    return {name: totals[name] for name, more in grown.items() if more >= _NEW * totals[name] > 0}


def _commits_followed(state: State, began: float, now: float, grew: float) -> bool | None:
    """Say whether commits grew with the connections; None where they are not known."""
    seconds = max(_SHORTEST_SECONDS, now - began)
    before = state.traffic.rate(began - seconds, began)
    lately = state.traffic.rate(now - max(_SHORTEST_SECONDS, seconds / 3), now)
    if before is None or lately is None or before < _LEAST_COMMITS:
        return None
    rose = state.usage.used / max(1.0, state.usage.used - grew) - 1
    return lately / before - 1 >= _FOLLOW * rose
