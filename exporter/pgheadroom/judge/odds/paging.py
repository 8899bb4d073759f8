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
_STEPS_FACTOR = 3.0


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
    state, now, limit = evaluation.state, evaluation.sample.at, evaluation.limit
    horizon = evaluation.thresholds.paging_horizon_seconds
    if evaluation.used < evaluation.thresholds.early_floor_ratio * limit and not _high(evaluation):
        return
    news: bool | None = None
    for forecast in state.usage.forecasts:
        if not near(forecast, horizon):
            continue
        case = _of_forecast(evaluation, forecast, fires=fires)
        if case is not None:
            yield case
    if fires or evaluation.used < evaluation.thresholds.early_floor_ratio * limit:
        return
    for forecast in early(state.usage, now):
        if forecast.seconds <= horizon:
            news = is_new(state, forecast, limit, _NEWS_TO_PAGE) if news is None else news
            if news and (case := _by_odds(evaluation, forecast, early=True)):
                yield case
    stairs = steps(state.usage, now)
    if (
        stairs is not None
        and stairs.seconds <= horizon
        and _STEPS_FACTOR * stairs.slots >= ENOUGH * (limit - evaluation.used)
        and is_new(state, stairs, limit, _NEWS_TO_PAGE)
    ):
        seen = look(state, stairs, now)
        yield Case(stairs, (Sign.STEPS,), seen, held(state, seen, now))


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


def _high(evaluation: Evaluation) -> bool:
    """Say whether a forecast has reached what counts as enough, whatever is in use just now."""
    least = evaluation.thresholds.early_floor_ratio * evaluation.limit
    return any(forecast.reached >= least for forecast in evaluation.state.usage.forecasts)


def _of_forecast(evaluation: Evaluation, forecast: Forecast, *, fires: bool) -> Case | None:
    thresholds, limit = evaluation.thresholds, evaluation.limit
    reached = forecast.reached / max(1, limit)
    if reached < thresholds.early_floor_ratio:
        return None
    if forecast.pattern is Pattern.CYCLE:
        # That it came back from the last peak says nothing of the next.
        return Case(forecast) if reached >= _JUMPS_FLOOR else None
    if fires:
        return Case(forecast)
    if not is_new(evaluation.state, forecast, limit, _NEWS_TO_PAGE):
        return None
    if forecast.pattern is Pattern.CLIMB and reached < thresholds.paging_floor_ratio:
        return _by_odds(evaluation, forecast, early=False)
    if reached < _JUMPS_FLOOR:
        return None
    if forecast.pattern is Pattern.LEAK:
        return Case(forecast)
    state, now = evaluation.state, evaluation.sample.at
    seen = look(state, forecast, now)
    return Case(forecast, (), seen, held(state, seen, now))


def _by_odds(evaluation: Evaluation, forecast: Forecast, *, early: bool) -> Case | None:
    thresholds, state, now = evaluation.thresholds, evaluation.state, evaluation.sample.at
    seen = look(state, forecast, now)
    reached = forecast.reached / max(1, evaluation.limit)
    found = odds(
        seen, reached, thresholds.busy_ratio, thresholds.paging_horizon_seconds, early=early
    )
    if found.value < ENOUGH:
        return None
    return Case(forecast, found.signs, seen, held(state, seen, now))
