"""Decides which forecasts are worth a page and which a ticket, and names the application."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pgheadroom.durations import duration
from pgheadroom.forecast.application_trends import ApplicationTrend
from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.exhaustion import Forecast, Pattern
from pgheadroom.judge.blame import Foremost, foremost, near, to_blame
from pgheadroom.judge.finding import Finding, Words
from pgheadroom.judge.wording import blaming, slots, took
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State

_RELEASE = 1.5
"""A forecast keeps an alert up to so many times the horizon that raises it."""


_NEWS_TO_PAGE, _NEWS_TO_WARN = 0.5, 1.5
"""Margin, in least rises, by which free slots must undercut the previous minimum; it allows for the
difference between one day and the next."""
_LAST_SLOTS = 0.06
"""When at most this share of the ordinary slots is left, an alert fires even where that happened
before."""

_AROUND_SECONDS = 3600.0
_AT_A_PACE = (Pattern.CLIMB, Pattern.LEAK)

Ahead = tuple[Forecast, ...]


def foreseen(state: State, ahead: Ahead, limit: int, thresholds: Thresholds) -> Iterator[Finding]:
    """Yield what of *ahead* is worth a ticket."""
    yield from _expected(state, ahead, limit, thresholds)
    if state.trends.leaks:
        yield from _leaking(state, ahead, thresholds)


def imminent(state: State, ahead: Ahead, limit: int, thresholds: Thresholds) -> Iterator[Finding]:
    """Yield the page that *ahead* is worth, given how many slots are in use already."""
    fires = _fires(state, AlertName.IMMINENT, Severity.CRITICAL)
    used = state.sample.slots.used if state.sample is not None else 0
    if fires and limit - used <= least_rise(limit):
        # It has come true. As long as that lasts nothing is over, whatever the curve does now.
        words = partial(_come_true, state)
        yield Finding(AlertName.IMMINENT, Severity.CRITICAL, words, hysteresis=True)
        return
    if used >= limit:
        return  # that is another alert's news
    paging = [
        forecast
        for forecast in ahead
        if near(forecast, thresholds.paging_horizon_seconds)
        and _pages(state, forecast, limit, thresholds, fires=fires)
    ]
    if paging:
        yield Finding(
            AlertName.IMMINENT,
            Severity.CRITICAL,
            partial(_foremost_words, state),
            keep_firing_seconds=max(forecast.lasts for forecast in paging),
        )


def _come_true(state: State) -> Words:
    assert state.sample is not None  # noqa: S101 - imminent() has looked
    return blaming(state, f"{state.target}: {slots(state.sample.slots)}.")


def _fires(state: State, name: AlertName, severity: Severity) -> bool:
    known = state.active.get((name, severity, None))
    return known is not None and known.alert is not None


def _pages(
    state: State, forecast: Forecast, limit: int, thresholds: Thresholds, *, fires: bool
) -> bool:
    """Say whether so many slots are in use that *prospect* is worth waking somebody.

    Most climbs end by themselves: a deploy, a burst, a job. Far below the limit one pages only
    when it is of a kind that does not, and goes where use has not been before. A page that *fires*
    goes on without being news.
    """
    reached = forecast.reached / max(1, limit)
    if reached < thresholds.early_floor_ratio:
        return False
    if forecast.pattern is Pattern.CYCLE:
        return True  # that it came back from the last peak says nothing of the next
    if fires:
        return True
    if not _new(state, forecast, limit, _NEWS_TO_PAGE):
        return False
    if forecast.pattern is not Pattern.CLIMB or reached >= thresholds.paging_floor_ratio:
        return True
    lasting = forecast.lasts >= thresholds.paging_horizon_seconds
    return lasting or _busy(state, forecast, thresholds.busy_ratio)


def _new(state: State, forecast: Forecast, limit: int, margin: float) -> bool:
    """Say whether it is clearly tighter than it was before *prospect* began, or very tight.

    What use has come back from by itself is no news, but for the last few slots. When those were
    taken before, that was an incident: neither it nor the hour around it is a comfort.
    """
    free, last = limit - forecast.reached, _LAST_SLOTS * limit
    if free <= last:
        return True
    before = state.usage.history.least_free_before(forecast.since, last, _AROUND_SECONDS)
    return free < before - margin * least_rise(limit)


def _busy(state: State, forecast: Forecast, ratio: float) -> bool:
    who = to_blame(state, forecast)
    if who is None:
        return False
    idle = state.applications.counts.get((who.application_name, "idle"), 0)
    total = state.applications.totals.get(who.application_name, 0)
    return total > 0 and 1 - idle / total >= ratio


def _expected(state: State, ahead: Ahead, limit: int, thresholds: Thresholds) -> Iterator[Finding]:
    horizon = thresholds.forecast_horizon_seconds
    fires = _fires(state, AlertName.EXPECTED, Severity.WARNING)
    for forecast in ahead:
        if forecast.seconds > _RELEASE * horizon or forecast.pattern is Pattern.JUMPS:
            continue
        if forecast.pattern is Pattern.CLIMB and (
            forecast.lasts < thresholds.leak_seconds
            or not (fires or _new(state, forecast, limit, _NEWS_TO_WARN))
        ):
            continue
        yield Finding(
            AlertName.EXPECTED,
            Severity.WARNING,
            partial(_expected_words, state, forecast),
            keep_firing_seconds=forecast.lasts / 2,
            hysteresis=forecast.seconds > horizon,
        )
        return


def spoken_of(state: State) -> frozenset[str]:
    """Return the applications that alerts and forecasts speak of, or may speak of next."""
    names = {alert.application_name for alert in state.alerts}
    names |= {leak.name for leak in state.trends.leaks}
    names |= {who.application_name for ahead in state.forecasts if (who := to_blame(state, ahead))}
    return frozenset(name for name in names if name is not None)


def _leaking(state: State, ahead: Ahead, thresholds: Thresholds) -> Iterator[Finding]:
    totals = state.applications.tracked
    lasting = [
        leak for leak in state.trends.leaking(totals) if leak.seconds >= thresholds.leak_seconds
    ]
    if not lasting:
        return
    worst = max(lasting, key=lambda leak: leak.change)
    yield Finding(
        AlertName.LEAKING,
        Severity.WARNING,
        partial(_leak_words, state, worst, ahead),
        keep_firing_seconds=worst.seconds,
    )


def _leak_words(state: State, leak: ApplicationTrend, ahead: Ahead) -> Words:
    words = (
        f"{state.target}: {leak.name} took {leak.change} connections in the last"
        f" {duration(leak.seconds)}, gave none back, and holds"
        f" {state.applications.tracked[leak.name]}"
    )
    alone = min((one.seconds for one in ahead if one.application_name == leak.name), default=None)
    words += "." if alone is None else f"; by itself it takes the rest in {duration(alone)}."
    return words, leak.name


def _foremost_words(state: State) -> Words:
    """Tell of the forecast that tells most, and of no other end than every other output does."""
    first = foremost(state)
    assert first is not None  # noqa: S101 - imminent() has looked
    soonest = state.forecasts[0]
    words = _how(state, first.forecast)
    if first.forecast.pattern in _AT_A_PACE or soonest is not first.forecast:
        words += f" As it goes on now, the last goes in {duration(soonest.seconds)}."
    return _blaming(state, words, first)


def _expected_words(state: State, forecast: Forecast) -> Words:
    words = _how(state, forecast)
    if forecast.pattern in _AT_A_PACE:
        pace = "As it goes on now"
        if forecast is not state.forecasts[0]:
            pace = f"At the pace of the last {_since(state, forecast)}"
        words += f" {pace}, the last goes in {duration(forecast.seconds)}."
    return _blaming(state, words, Foremost(forecast, to_blame(state, forecast)))


def _how(state: State, forecast: Forecast) -> str:
    assert state.sample is not None  # noqa: S101 - imminent() and foreseen() have looked
    words = f"{state.target}: {slots(state.sample.slots)}"
    if forecast.pattern in _AT_A_PACE:
        return f"{words}."
    if forecast.pattern is Pattern.JUMPS:
        return (
            f"{words}; use goes up in strokes of {forecast.slots:.0f}, and one more does not fit."
        )
    words += (
        f"; use peaks about every {duration(forecast.period)}, each time {forecast.slots:.0f}"
        f" higher, last at {forecast.reached}"
    )
    if forecast.next:
        return f"{words}, and the next one does not fit: in {duration(forecast.seconds)}."
    return f"{words}: too high in {duration(forecast.seconds)}."


def _blaming(state: State, words: str, told: Foremost) -> Words:
    who = told.culprit
    if who is None:
        return words, None
    return f"{words} {took(who, _since(state, told.forecast))}", who.application_name


def _since(state: State, forecast: Forecast) -> str:
    assert state.sample is not None  # noqa: S101 - _how() has looked
    return duration(max(1.0, state.sample.at - forecast.since))
