"""Names the application that takes the slots: by forecast, else by growth, else by size.

Every output names the same one, because all of them ask here.
"""

from __future__ import annotations

from typing import NamedTuple

from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.growth import Culprit, culprit, growth
from pgheadroom.forecast.rise import Rise, rise
from pgheadroom.model.names import OTHER, UNNAMED
from pgheadroom.state import State

LATELY_SECONDS = 300.0
"""Growth of late is told over this time, unless a forecast looks at another ..."""
_JUST_NOW_SECONDS = 60.0
"""... or a good part of the slots was taken within this time."""
SHORTEST_SECONDS = 5.0
"""Over less than this nothing is told."""

_MANY_RATIO = 0.1
_MANY_LEAST = 5
"""An application that takes this share of the ordinary slots, and at least this many, climbs."""
_ALL = 0.8
"""Who took this share of what it holds was not there before."""
_COHERENT = 0.6
"""A climb is the work of an application that took this share of it."""


class Taker(NamedTuple):
    """The application to look at first."""

    application_name: str
    took: float
    """Connections that it took within *seconds*; 0 if it only holds more than others."""
    seconds: float
    holds: int
    rate: float = 0.0
    """Connections a second that it takes; 0 if it made the last of some peaks."""


class Foremost(NamedTuple):
    """The forecast that tells most, and whose growth it is, if it is anybody's."""

    forecast: Forecast
    culprit: Culprit | None


def taker(state: State) -> Taker | None:
    """Return who takes the slots of *state*; None when nothing is known of applications."""
    if state.sample is None:
        return None
    # Beside a calm server a forecast is one that stopped.
    first = foremost(state) if pressed(state) else None
    if first is not None and first.culprit is not None:
        name, took, holds = first.culprit
        one = rises(state, name).get(name)
        if one is not None:
            return _riser(state, name, one)
        if first.forecast.pattern is Pattern.CYCLE:  # it made the last peak, and may be gone
            seconds = max(1.0, first.forecast.until - first.forecast.since)
            return Taker(name, took, seconds, state.applications.tracked.get(name, 0))
        seconds = _lived(state, name, took, state.sample.at - first.forecast.since)
        return Taker(name, took, seconds, holds, took / seconds)
    tracked = state.applications.tracked
    grown = rising(state) or (_grown(state) if pressed(state) else None)
    if grown is not None or not tracked:
        return grown
    # What is summed in `other` is no application to look at.
    single = [name for name in tracked if name != OTHER] or list(tracked)
    biggest = max(single, key=lambda name: (tracked[name], name))
    return Taker(biggest, 0.0, 0.0, tracked[biggest])


def pressed(state: State) -> bool:
    """Say whether it matters who grew of late: something fires or is foreseen, or few are left."""
    few = state.thresholds.low_free_ratio * state.usage.limit
    short = state.free is None or state.free <= max(few, least_rise(state.usage.limit))
    return short or bool(state.alerts) or state.countdown.told


def rising(state: State) -> Taker | None:
    """Return who takes a good part of the slots now and goes on, or has climbed for long."""
    if state.sample is None:
        return None
    tracked = state.applications.tracked
    found = rises(state)
    if found:
        # Those that log in just now have no name yet; one that has is told rather.
        names = [name for name in found if name != UNNAMED] or [*found]
        name = max(names, key=lambda name: (found[name].took, name))
        return _riser(state, name, found[name])
    leak = max(state.usage.trends.leaking(tracked), key=lambda one: one.change, default=None)
    return leak and Taker(
        leak.name, leak.change, leak.seconds, tracked[leak.name], leak.change / leak.seconds
    )


def _riser(state: State, name: str, one: Rise) -> Taker:
    return Taker(name, one.took, one.seconds, state.applications.totals[name], one.rate)


def rises(state: State, only: str | None = None) -> dict[str, Rise]:
    """Return the applications that take a good part of the slots within minutes, and go on.

    More than they had five minutes ago: one that was restarted and comes back is none of them.
    Where *only* one is asked for, the others are not looked at.
    """
    if state.sample is None:
        return {}
    now, totals = state.sample.at, state.applications.totals
    found = {}
    for name in grew(state, LATELY_SECONDS, only):
        # What is summed in `other` has no history of its own.
        one = rise(state.usage.history, name, totals[name], now, LATELY_SECONDS)
        if one is not None:
            found[name] = one
    return found


def _lived(state: State, name: str, took: float, seconds: float) -> float:
    """Return *seconds*, or less: no longer than *name* was there, if all of it came since."""
    if state.sample is None:
        return max(1.0, seconds)
    known = state.sample.at - (state.usage.history.began or 0.0)
    age = state.applications.oldest_seconds.get(name)
    if age is not None and took >= _ALL * state.applications.totals.get(name, 0):
        known = min(known, age + state.sample.at - state.sample.holders.at)
    return max(1.0, min(seconds, known))


def _grown(state: State) -> Taker | None:
    """Return who took a good part of the slots of late, whether or not it goes on."""
    if state.sample is None:
        return None
    totals, tracked = state.applications.totals, state.applications.tracked
    for seconds in (_JUST_NOW_SECONDS, LATELY_SECONDS):
        grown = grew(state, seconds)
        if grown:
            observed = min(seconds, state.sample.at - (state.usage.history.began or 0.0))
            who = culprit(state.usage, tracked, state.sample.at - observed)
            # Those that log in just now have no name yet; one that has is told rather.
            if who is not None and who.took >= _many(state):
                name, took, holds = who
            else:
                name = max(grown, key=lambda name: (grown[name], name))
                took, holds = grown[name], totals[name]
            lived = _lived(state, name, took, observed)
            return Taker(name, took, lived, holds, took / lived)
    return None


def grew(state: State, seconds: float, only: str | None = None) -> dict[str, float]:
    """Return which applications took a good part of the slots within *seconds*, and how many.

    Or since the first sample, when that was later; nothing in the first seconds after it. Where
    *only* one is asked for, the others are not looked at.
    """
    began = state.usage.history.began
    if state.sample is None or began is None:
        return {}
    since = max(state.sample.at - seconds, began)
    if state.sample.at - since < SHORTEST_SECONDS:
        return {}
    least = _many(state)
    grown = grown_since(state, since, only)
    return {name: more for name, more in grown.items() if more >= least}


def _many(state: State) -> float:
    limit = state.usage.limit
    return max(_MANY_LEAST, _MANY_RATIO * limit, least_rise(limit))


def grown_since(state: State, since: float, only: str | None = None) -> dict[str, float]:
    """Return by how many connections each application with series of its own grew since *since*.

    ``other`` grew by what those did that are summed in it now. Or of *only* one that has series.
    """
    totals, tracked = state.applications.totals, state.applications.tracked
    if only is not None:
        tracked = {only: totals[only]} if only in totals else {}
    by_shown_name: dict[str, float] = {}
    for name, more in growth(state.usage, tracked, since).items():
        own = name if name in totals else OTHER
        by_shown_name[own] = by_shown_name.get(own, 0.0) + more
    return by_shown_name


def grown_beyond(state: State, since: float) -> dict[str, float]:
    """Return the same, but 0 for what is within the range of then: noise is no growth."""
    then = state.usage.history.bucket_at(since)
    grown = grown_since(state, since)
    if then is None:
        return grown
    totals = state.applications.totals
    return {
        name: 0.0 if name in then.spans and _within(totals[name], then.spans[name]) else more
        for name, more in grown.items()
    }


def _within(count: int, span: tuple[int, int]) -> bool:
    return span[0] <= count <= span[1]


def foremost(state: State) -> Foremost | None:
    """Return the forecast of *state* that tells most; None without any.

    Of those within the paging horizon, if there are such, the one that an application causes:
    noise may look like a climb for a moment, but then no application grew. Of two that have a
    culprit the faster one tells more.
    """
    horizon = state.thresholds.paging_horizon_seconds
    candidates = [
        one for one in state.usage.forecasts if near(one, horizon)
    ] or state.usage.forecasts
    with_culprit = [Foremost(one, to_blame(state, one)) for one in candidates]
    blamed = [
        (one, who.took / max(1.0, one.forecast.lasts))
        for one in with_culprit
        if (who := one.culprit) and who.took >= _COHERENT * one.forecast.slots
    ]
    if blamed:
        return max(blamed, key=lambda pair: pair[1])[0]
    return max(with_culprit, key=lambda one: one.forecast.slots, default=None)


def near(forecast: Forecast, horizon: float) -> bool:
    """Say whether *forecast* is to be expected within *horizon* seconds."""
    # A jump has no hour: the one that does not fit may come at any time.
    return forecast.pattern is Pattern.JUMPS or (forecast.next and forecast.seconds <= horizon)


def to_blame(state: State, forecast: Forecast) -> Culprit | None:
    """Return the application whose growth *forecast* is; None if there is none."""
    totals = state.applications.tracked
    if forecast.application_name is not None:
        name = forecast.application_name
        return Culprit(name, forecast.slots, totals.get(name, 0))
    if forecast.pattern is Pattern.CYCLE:  # who made the last peak
        peak = state.usage.history.bucket_at(forecast.until)
        totals = {} if peak is None else {name: span[1] for name, span in peak.spans.items()}
    return culprit(state.usage, totals, forecast.since)
