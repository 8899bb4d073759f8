"""Decides which forecasts are worth a page and which a ticket, and names the application."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pgheadroom.durations import about, duration
from pgheadroom.forecast.application_trends import ApplicationTrend
from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.exhaustion import SLOW
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.growth import Culprit
from pgheadroom.judge.blame import Foremost, foremost, taker, to_blame
from pgheadroom.judge.evaluation import Evaluation
from pgheadroom.judge.finding import Finding, Words
from pgheadroom.judge.odds.paging import Case, cases, is_new
from pgheadroom.judge.odds.sign import Hold
from pgheadroom.judge.odds.words import why
from pgheadroom.judge.wording import blaming, slots, through, took
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.state import State

_RELEASE = 1.5
"""A forecast keeps an alert up to this many times the horizon that raises it."""


_NEWS_TO_WARN = 1.5
"""Margin, in least rises, by which free slots must undercut the previous minimum; it allows for the
difference between one day and the next."""
_AT_A_PACE = (Pattern.CLIMB, Pattern.LEAK)


def expected(evaluation: Evaluation) -> Iterator[Finding]:
    """Yield what of the forecasts is worth a ticket.

    What takes hours is looked at when a coarse rung of the history shows something new.
    """
    if evaluation.state.usage.touched <= SLOW:
        return
    yield from _expected(evaluation)
    if evaluation.state.usage.trends.leaks:
        yield from _leaking(evaluation)


def imminent(evaluation: Evaluation) -> Iterator[Finding]:
    """Yield the page that the forecasts are worth, given how many slots are in use already."""
    name = evaluation.names.imminent
    fires = _fires(evaluation.state, name, Severity.CRITICAL)
    used, limit = evaluation.used, evaluation.limit
    if fires and limit - used <= least_rise(limit):
        # It has come true. As long as that lasts nothing is over, whatever the curve does now.
        words = partial(_come_true, evaluation)
        yield Finding(name, Severity.CRITICAL, words, hysteresis=True)
        return
    if used >= limit:
        return  # that is another alert's news
    found = [*cases(evaluation, fires=fires)]
    paging = [case for case in found if case.hold is None]
    if paging:
        yield Finding(
            name,
            Severity.CRITICAL,
            partial(_foremost_words, evaluation, paging[0]),
            keep_firing_seconds=max(case.forecast.lasts for case in paging),
        )
    unknown = [case for case in found if case.hold is Hold.FIRST_DAY]
    if unknown and not paging and name is AlertName.IMMINENT:
        yield Finding(
            AlertName.EXPECTED,
            Severity.WARNING,
            partial(_first_day_words, evaluation, unknown[0]),
            keep_firing_seconds=unknown[0].forecast.lasts,
        )


def _come_true(evaluation: Evaluation) -> Words:
    return blaming(evaluation.state, f"{evaluation.state.target}: {slots(evaluation.sample.main)}.")


def _fires(state: State, name: AlertName, severity: Severity) -> bool:
    active = state.active.get((name, severity, ()))
    return active is not None and active.alert is not None


def _expected(evaluation: Evaluation) -> Iterator[Finding]:
    state, limit, thresholds = evaluation.state, evaluation.limit, evaluation.thresholds
    horizon = thresholds.forecast_horizon_seconds
    fires = _fires(state, AlertName.EXPECTED, Severity.WARNING)
    for forecast in state.usage.forecasts:
        if forecast.seconds > _RELEASE * horizon or forecast.pattern is Pattern.JUMPS:
            continue
        if forecast.pattern is Pattern.CLIMB and (
            forecast.lasts < thresholds.leak_seconds
            or not (fires or is_new(state, forecast, limit, _NEWS_TO_WARN))
        ):
            continue
        yield Finding(
            AlertName.EXPECTED,
            Severity.WARNING,
            partial(_expected_words, evaluation, forecast),
            keep_firing_seconds=forecast.lasts / 2,
            hysteresis=forecast.seconds > horizon,
        )
        return


def spoken_of(state: State) -> frozenset[str]:
    """Return the applications that alerts and forecasts speak of, or may speak of next."""
    names = {alert.application_name for alert in state.alerts}
    names |= {leak.name for leak in state.usage.trends.leaks}
    names |= {
        who.application_name for ahead in state.usage.forecasts if (who := to_blame(state, ahead))
    }
    return frozenset(name for name in names if name is not None)


def _leaking(evaluation: Evaluation) -> Iterator[Finding]:
    state, thresholds = evaluation.state, evaluation.thresholds
    totals = state.applications.tracked
    lasting = [
        leak
        for leak in state.usage.trends.leaking(totals)
        if leak.seconds >= thresholds.leak_seconds
    ]
    if not lasting:
        return
    worst = max(lasting, key=lambda leak: leak.change)
    yield Finding(
        AlertName.LEAKING,
        Severity.WARNING,
        partial(_leak_words, state, worst),
        keep_firing_seconds=worst.seconds,
    )


def _leak_words(state: State, leak: ApplicationTrend) -> Words:
    words = (
        f"{state.target}: {leak.name} opened {leak.change} connections in the last"
        f" {duration(leak.seconds)}, closed none of them, and now holds"
        f" {state.applications.tracked[leak.name]}"
    )
    own = (
        evaluation.seconds
        for evaluation in state.usage.forecasts
        if evaluation.application_name == leak.name
    )
    alone = min(own, default=None)
    words += "." if alone is None else f". On its own it takes the rest in {about(alone)}."
    return words, leak.name


def _foremost_words(evaluation: Evaluation, case: Case) -> Words:
    """Tell of the forecast that tells most, and of no other end than every other output does."""
    state = evaluation.state
    # A climb that pages early by its signs is no forecast yet.
    ahead = state.usage.forecasts or (case.forecast,)
    first = foremost(state) or Foremost(case.forecast, to_blame(state, case.forecast))
    words = _how(evaluation, first.forecast)
    if first.forecast.pattern in _AT_A_PACE or ahead[0] is not first.forecast:
        countdown = state.countdown
        seconds = countdown.seconds if countdown.told else ahead[0].seconds
        words += f" At this rate it is full in {about(seconds)}."
    return _blaming(evaluation, words + why(case), first)


def _first_day_words(evaluation: Evaluation, case: Case) -> Words:
    words, name = _foremost_words(evaluation, case)
    words += " No like day is known to compare with: it may come every day, so nobody is paged"
    return f"{words} until few slots are left.", name


def _expected_words(evaluation: Evaluation, forecast: Forecast) -> Words:
    words = _how(evaluation, forecast)
    if forecast.pattern in _AT_A_PACE:
        pace, seconds = "At this rate", evaluation.state.countdown.seconds
        if forecast is not evaluation.state.usage.forecasts[0]:
            pace = f"At the rate of the last {_since(evaluation, forecast)}"
            seconds = forecast.seconds
        words += f" {pace} it is full in {about(seconds)}."
    return _blaming(evaluation, words, Foremost(forecast, to_blame(evaluation.state, forecast)))


def _how(evaluation: Evaluation, forecast: Forecast) -> str:
    words = f"{evaluation.state.target}: {slots(evaluation.sample.main)}"
    if forecast.pattern in _AT_A_PACE:
        return f"{words}.{through(evaluation.state)}"
    if forecast.pattern is Pattern.JUMPS:
        return (
            f"{words}. Usage goes up in jumps of {forecast.slots:.0f}, and one more does not fit."
        )
    words += (
        f". Usage peaks about every {duration(forecast.period)}, each time {forecast.slots:.0f}"
        f" higher, last at {forecast.reached}"
    )
    if forecast.next:
        return f"{words}. The next peak does not fit; it is due in {about(forecast.seconds)}."
    return f"{words}. A peak is too high in {about(forecast.seconds)}."


def _blaming(evaluation: Evaluation, words: str, first: Foremost) -> Words:
    who, state = first.culprit, evaluation.state
    if who is None:
        return words, None
    told, since = taker(state), _since(evaluation, first.forecast)
    if told is not None and told.application_name == who.application_name:
        # Over the stretch that every other output tells it for.
        who = Culprit(who.application_name, told.took, who.holds)
        since = duration(round(told.seconds))
    return f"{words} {took(who, since)}", who.application_name


def _since(evaluation: Evaluation, forecast: Forecast) -> str:
    return duration(max(1.0, evaluation.sample.at - forecast.since))
