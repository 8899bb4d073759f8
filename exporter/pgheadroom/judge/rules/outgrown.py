"""Finds that the peaks of a weekday grow until they reach the limit; a ticket, never a page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pgheadroom.durations import about_weeks
from pgheadroom.forecast.rhythm.outgrown import Outgrown
from pgheadroom.judge.evaluation import Evaluation
from pgheadroom.judge.finding import Finding, Words
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.state import State

_RELEASE = 1.5
"""It keeps firing up to this many times the horizon: an estimate of weeks moves by weeks."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""By number, as a date has it: Monday is 0."""


def outgrown(evaluation: Evaluation) -> Iterator[Finding]:
    """Yield that the peaks of a weekday reach the limit within the planning horizon."""
    found, horizon = evaluation.state.usage.outgrown, evaluation.thresholds.planning_horizon_seconds
    if found is None:
        return
    seconds = found.at - evaluation.sample.at
    if seconds <= _RELEASE * horizon:
        yield Finding(
            AlertName.OUTGROWN,
            Severity.WARNING,
            partial(_words, evaluation, found),
            hysteresis=seconds > horizon,
        )


def _words(evaluation: Evaluation, found: Outgrown) -> Words:
    each = max(1, round(found.growth))
    more = "1 connection" if each == 1 else f"{each} connections"
    ahead = about_weeks(found.at - evaluation.sample.at)
    words = (
        f"{evaluation.state.target}: the {WEEKDAYS[found.weekday]} peak grows by {more} a week,"
        f" was {found.high} of {found.limit} the last time, and reaches the limit in {ahead}."
    )
    return words, None


def in_short(state: State) -> str:
    """Return when peaks reach the limit: "Monday peaks reach the limit in about 5 weeks".

    Empty where none are foreseen to.
    """
    found = state.usage.outgrown
    if found is None or state.sample is None:
        return ""
    ahead = about_weeks(max(0.0, found.at - state.sample.at))
    return f"{WEEKDAYS[found.weekday]} peaks reach the limit in {ahead}"
