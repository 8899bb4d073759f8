"""Evaluates all rules for one target and returns its active alerts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.countdown import Countdown
from pgheadroom.forecast.exhaustion import SLOW, forecast
from pgheadroom.forecast.ongoing import soonest
from pgheadroom.forecast.usage import Usage
from pgheadroom.judge.evaluation import Evaluation
from pgheadroom.judge.finding import Finding, Words
from pgheadroom.judge.firing import Moment, next_alerts
from pgheadroom.judge.rules.by_kind import RULES
from pgheadroom.model.alert import SEVERITIES, AlertName, Severity
from pgheadroom.model.reading import Outcome
from pgheadroom.state import NOTHING_LEFT, State

_NOT_COUNTED = frozenset({AlertName.REFUSED, AlertName.UNKNOWN})
_ESTIMATE_HOLD_SECONDS = 60.0
"""A parallel query that is taken for clients is over by then, as a rule."""
_NEVER: frozenset[AlertName] = frozenset()
_BY_THE_HOUR = frozenset({AlertName.EXPECTED, AlertName.LEAKING})
_BY_SAMPLE = frozenset(AlertName) - {
    *(AlertName.REFUSED, AlertName.UNKNOWN, AlertName.EXHAUSTED, AlertName.CLIENTS_EXHAUSTED)
}
"""What only a sample can tell: without one, it is unknown whether it is over."""


def judge(state: State, now: float) -> State:
    """Return *state* with its forecasts and its alerts as they are at *now*."""
    sample = state.sample
    usage = state.usage._replace(forecasts=()) if sample is None else forecast(state.usage, now)
    countdown = state.countdown
    if usage.forecasts or countdown.told:
        countdown = _counted_down(countdown, usage, now)
    if usage is not state.usage or countdown is not state.countdown:
        state = state._replace(usage=usage, countdown=countdown)  # before words are made of it
    findings = _findings(state, now)
    if sample is not None and not sample.exact:
        findings = [_by_estimate(state, one) for one in findings]
    unseen = _blind_to(state)
    if not findings and all(key[0] in unseen for key in state.active):
        return state
    hold = state.thresholds.resolve_hold_seconds
    moment = Moment(now, state.free or 0, usage.limit, hold, unseen)
    active = next_alerts(state.active, findings, moment)
    alerts = tuple(one.alert for one in active.values() if one.alert is not None)
    # The same tuple as long as they are the same alerts, so that others see at a glance.
    same = alerts == state.alerts
    return state._replace(active=active, alerts=state.alerts if same else alerts)


def _counted_down(countdown: Countdown, usage: Usage, now: float) -> Countdown:
    if usage.used >= usage.limit:
        return Countdown()  # it is over
    return countdown.add(now, usage.used, soonest(usage, now), least_rise(usage.limit))


def _findings(state: State, now: float) -> list[Finding]:
    rules, found = RULES[state.kind], list[Finding]()
    for of_reading in rules.of_every_reading:
        found += of_reading(state, now)
    sample = state.sample
    if state.outcome is Outcome.OK and sample is not None and sample.main.limit is not None:
        evaluation = Evaluation(state, sample, sample.main.limit)
        for of_sample in rules.of_a_sample:
            found += of_sample(evaluation)
    return found


def _by_estimate(state: State, finding: Finding) -> Finding:
    """Return *finding*, but no page when it rests on counts that are an estimate.

    What a refusal, a knock or a canary tells, or that there is no sample, is no estimate.
    """
    refused = finding.name is AlertName.EXHAUSTED and state.outcome in NOTHING_LEFT[state.kind]
    if finding.severity is not Severity.CRITICAL or finding.name in _NOT_COUNTED or refused:
        return finding
    warns = Severity.WARNING in SEVERITIES[finding.name]
    return finding._replace(
        name=finding.name if warns else AlertName.LOW,
        severity=Severity.WARNING,
        tell=partial(_estimated_words, finding.tell),
        for_seconds=max(finding.for_seconds, _ESTIMATE_HOLD_SECONDS),
    )


def _estimated_words(tell: Callable[[], Words]) -> Words:
    words, application = tell()
    return f"{words} These counts are an estimate: GRANT pg_monitor to our role.", application


def _blind_to(state: State) -> frozenset[AlertName]:
    """Return the alerts of which nothing can be said now: it is unknown whether they are over.

    After a restart that is every alert of the snapshot, until there was a reading; and
    PostgresHeadroomUnknown, until there was a sample.
    """
    if state.outcome is Outcome.OK:
        return _NEVER if state.usage.touched > SLOW else _BY_THE_HOUR
    if state.outcome is None:
        return frozenset(AlertName) - {AlertName.REFUSED}
    if (state.sample is None or state.restored) and state.outcome not in NOTHING_LEFT[state.kind]:
        return _BY_SAMPLE | {AlertName.UNKNOWN}
    return _BY_SAMPLE
