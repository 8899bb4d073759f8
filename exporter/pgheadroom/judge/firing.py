"""Turns findings into alerts: pending, firing, resolved.

If a forecast alert resolves although no slots were freed, the same forecast does not fire again at
once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pgheadroom.forecast.climb import least_rise
from pgheadroom.judge.finding import Finding
from pgheadroom.model.alert import ActiveAlert, Alert, AlertName, Key
from pgheadroom.state import State

_FORECAST_ALERTS = frozenset(
    {AlertName.IMMINENT, AlertName.EXPECTED, AlertName.LEAKING, AlertName.CLIENTS_IMMINENT}
)
_GAINED = 2
"""A forecast alert ends when this many times as many slots are free as at the worst moment."""


class Moment(NamedTuple):
    """What alerts are judged against."""

    at: float
    free: int
    """Ordinary slots that are free."""
    limit: int
    resolve_hold_seconds: float
    blind_to: frozenset[AlertName] = frozenset()
    """Alerts that nothing can be said of now: they stay as they are."""


def next_alerts(
    before: Mapping[Key, ActiveAlert], findings: Iterable[Finding], moment: Moment
) -> dict[Key, ActiveAlert]:
    """Return the active alerts after *findings*, of which the most telling of each key is first."""
    after: dict[Key, ActiveAlert] = {}
    for finding in findings:
        key = finding.key
        if key not in after:
            current = _found(before.get(key), finding, moment)
            if current is not None:
                after[key] = current
    for key, active in before.items():
        if key in after:
            continue
        if key[0] in moment.blind_to or _remembered(active, moment):
            after[key] = active
        elif active.alert is not None:
            remaining = _missed(active, active.alert, moment)
            if remaining is not None:
                after[key] = remaining
    return after


def held(state: State, alert: Alert) -> bool:
    """Say whether the cause of *alert* is gone, and it only stands until it may resolve."""
    active = state.active.get(alert.key)
    return active is not None and active.pending_since is None


def over(state: State, alert: Alert) -> bool:
    """Say whether *alert* only waits to resolve: its cause is gone, and so is what kept it."""
    active = state.active.get(alert.key)
    return active is not None and active.gone_since is not None


def _found(before: ActiveAlert | None, finding: Finding, moment: Moment) -> ActiveAlert | None:
    alert = None if before is None else before.alert
    if before is not None and _remembered(before, moment):
        return before
    if finding.hysteresis and alert is None:
        return None
    since = moment.at if before is None or before.pending_since is None else before.pending_since
    began = alert.since if alert is not None else None
    if began is None and moment.at - since >= finding.for_seconds:
        began = moment.at
    least = moment.free if before is None or began is None else min(before.least_free, moment.free)
    return ActiveAlert(
        since,
        None if began is None else _alert(finding, began, moment.at),
        None,
        max(moment.at + finding.keep_firing_seconds, 0.0 if before is None else before.until),
        least,
    )


def _missed(active: ActiveAlert, alert: Alert, moment: Moment) -> ActiveAlert | None:
    """Return what is left of *alert*, which was not found this time."""
    least = min(active.least_free, moment.free)
    # What was foreseen has not come if slots came free; of anything else that says nothing.
    gained = alert.name in _FORECAST_ALERTS and _gained(least, moment)
    if moment.at < active.until and not gained:
        return ActiveAlert(None, alert, None, active.until, least)
    gone_since = moment.at if active.gone_since is None else active.gone_since
    if moment.at - gone_since < moment.resolve_hold_seconds:
        return ActiveAlert(None, alert, gone_since, active.until, least)
    if gained or alert.name not in _FORECAST_ALERTS:
        return None
    return ActiveAlert(None, None, gone_since, moment.at + (gone_since - alert.since), least)


def _remembered(active: ActiveAlert, moment: Moment) -> bool:
    """Say whether an alert that resolved is still known, so that its return does not fire again.

    For as long as it stood, unless it gets tighter than it was then, or slots were gained.
    """
    if active.alert is not None or active.gone_since is None or moment.at >= active.until:
        return False
    return moment.free >= active.least_free and not _gained(active.least_free, moment)


def _gained(least_free: int, moment: Moment) -> bool:
    return moment.free > _GAINED * (least_free + least_rise(moment.limit))


def _alert(finding: Finding, since: float, now: float) -> Alert:
    words, application = finding.tell()
    return Alert(finding.name, finding.severity, since, words, application, finding.about, now)
