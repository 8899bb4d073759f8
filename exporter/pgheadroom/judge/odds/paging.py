"""Decides which forecasts page: enough slots are in use, it is news, and the odds are high enough.

Most climbs end by themselves: a deploy, a burst, a job. Nearly full, it no longer matters which it
is; far below, a climb pages only by the signs that it goes through.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pgheadroom.forecast.approach.early import early
from pgheadroom.forecast.approach.steps import steps
from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.judge.blame import near
from pgheadroom.judge.evaluation import Evaluation
from pgheadroom.judge.odds.holds import LAST_RATIO, held
from pgheadroom.judge.odds.look import Look, look
from pgheadroom.judge.odds.odds import ENOUGH, odds
from pgheadroom.judge.odds.sign import Hold, Sign
from pgheadroom.state import State

_NEWS_TO_PAGE = 0.5
"""Margin, in least rises, by which free slots must undercut the previous minimum."""
_JUMPS_FLOOR = 0.75
"""Share of the slots in use from which on a jump or a leak pages that does not fit."""
_AROUND_SECONDS = 3600.0
"""Where the last slots were taken, this time before and after it is no comfort."""
_STEPS_FACTOR = 3.0
"""Even steps multiply the odds by so much."""


class Case(NamedTuple):
    """A forecast that pages, or would if nothing held it back."""

    forecast: Forecast
    signs: tuple[Sign, ...] = ()
    """By which it pages though there is room left; empty where the server is nearly full."""
    seen: Look | None = None
    hold: Hold | None = None
    """Why it does not page."""


def cases(evaluation: Evaluation, *, fires: bool) -> Iterator[Case]:
    """Yield the forecasts that page; where the page *fires* already, those that keep it."""
    usage, now = evaluation.state.usage, evaluation.sample.at
    horizon = evaluation.thresholds.paging_horizon_seconds
    least = evaluation.thresholds.early_floor_ratio * evaluation.limit
    for forecast in usage.forecasts:
        if forecast.reached >= least and near(forecast, horizon):
            case = _of_forecast(evaluation, forecast, fires=fires)
            if case is not None:
                yield case
    if fires or evaluation.used < least:
        return
    for forecast in early(usage, now):
        if near(forecast, horizon) and _is_news(evaluation, forecast):
            case = _by_odds(evaluation, forecast, early=True)
            if case is not None:
                yield case
    stairs = steps(usage, now)
    if stairs is not None and near(stairs, horizon) and _is_news(evaluation, stairs):
        odds_of_steps = _STEPS_FACTOR * stairs.slots / (evaluation.limit - evaluation.used)
        if odds_of_steps >= ENOUGH:
            yield _looked_at(evaluation, stairs, (Sign.STEPS,))


def is_new(state: State, forecast: Forecast, limit: int, margin: float) -> bool:
    """Say whether it is clearly tighter than it was before *forecast* began, or very tight.

    A level that use has already recovered from does not page again, except for the last 6 % of the
    slots. When those were taken before, that was an incident: neither it nor the hour around it is
    a comfort. *margin* is in least rises; it allows for the difference between days.
    """
    free, last = limit - forecast.reached, LAST_RATIO * limit
    if free <= last:
        return True
    before = state.usage.history.least_free_before(forecast.since, last, _AROUND_SECONDS)
    return free < before - margin * least_rise(limit)


def _is_news(evaluation: Evaluation, forecast: Forecast) -> bool:
    return is_new(evaluation.state, forecast, evaluation.limit, _NEWS_TO_PAGE)


def _of_forecast(evaluation: Evaluation, forecast: Forecast, *, fires: bool) -> Case | None:
    reached = forecast.reached / evaluation.limit
    climbs = forecast.pattern is Pattern.CLIMB
    if not (climbs or fires) and reached < _JUMPS_FLOOR:
        return None
    # That it came back from the last peak says nothing of the next.
    if fires or forecast.pattern is Pattern.CYCLE:
        return Case(forecast)
    if not _is_news(evaluation, forecast):
        return None
    if climbs and reached < evaluation.thresholds.paging_floor_ratio:
        return _by_odds(evaluation, forecast, early=False)
    return _looked_at(evaluation, forecast)


def _by_odds(evaluation: Evaluation, forecast: Forecast, *, early: bool) -> Case | None:
    thresholds = evaluation.thresholds
    seen = look(evaluation.state, forecast, evaluation.sample.at)
    reached = forecast.reached / evaluation.limit
    found = odds(
        seen, reached, thresholds.busy_ratio, thresholds.paging_horizon_seconds, early=early
    )
    if found.value < ENOUGH:
        return None
    return Case(forecast, found.signs, seen, held(evaluation.state, seen, evaluation.sample.at))


def _looked_at(evaluation: Evaluation, forecast: Forecast, signs: tuple[Sign, ...] = ()) -> Case:
    state, now = evaluation.state, evaluation.sample.at
    seen = look(state, forecast, now)
    return Case(forecast, signs, seen, held(state, seen, now))
