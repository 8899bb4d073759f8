"""Makes log lines of alerts: one when an alert begins, changes or ends, none per sample."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pgheadroom.durations import moment
from pgheadroom.model.alert import About, Alert, AlertName, Severity
from pgheadroom.watch.changes import LogLine, Value

CULPRIT_SECONDS = 15.0
"""Another application is told when it has been the one to blame for so long: two of like size may
take turns with every sample."""

_Key = tuple[AlertName, About]
_SEVERITIES = list(Severity)


class _Told(NamedTuple):
    """What the log says of an alert that fires."""

    alert: Alert
    """As of the newest reading, in the worst severity that it fires in."""
    culprit: str | None
    """The application that was told last."""
    other: str | None = None
    other_since: float | None = None
    """Since when *other* has been to blame instead; None while nobody is."""


Told = Mapping[_Key, _Told]
"""What the log says of all alerts that fire of one target."""


def as_told(alerts: Iterable[Alert]) -> Told:
    """Return what counts as told when *alerts* fire already, as after a restart."""
    return {key: _Told(one, one.application_name) for key, one in _worst(alerts).items()}


def alert_lines(
    told_before: Told, alerts: tuple[Alert, ...], now: float
) -> tuple[tuple[LogLine, ...], Told]:
    """Return what to log when *alerts* fire at *now*, and what is known to be logged then."""
    if not alerts and not told_before:
        return (), told_before
    firing = _worst(alerts)
    lines: list[LogLine] = [
        _ends(one, now) for key, one in told_before.items() if key not in firing
    ]
    after: dict[_Key, _Told] = {}
    for key, alert in firing.items():
        before = told_before.get(key)
        if before is None:
            lines.append(_line(logging.WARNING, "alert begins", alert))
            after[key] = _Told(alert, alert.application_name)
        else:
            after[key] = _goes_on(before, alert, now)
            lines += _changed(before, after[key])
    return tuple(lines), after


def _worst(alerts: Iterable[Alert]) -> dict[_Key, Alert]:
    """Return *alerts*, of those that differ by their severity alone the worst."""
    worst: dict[_Key, Alert] = {}
    for alert in alerts:
        key = alert.name, alert.about
        other = worst.get(key)
        if other is None or _rank(alert) < _rank(other):
            worst[key] = alert
    return worst


def _rank(alert: Alert) -> int:
    return _SEVERITIES.index(alert.severity)


def _goes_on(before: _Told, alert: Alert, now: float) -> _Told:
    name = alert.application_name
    if alert.severity is not before.alert.severity or name == before.culprit:
        return _Told(alert, name)
    since = before.other_since
    if since is None or name != before.other or since > now:
        since = now
    if now - since >= CULPRIT_SECONDS:
        return _Told(alert, name)
    return _Told(alert, before.culprit, name, since)


def _changed(before: _Told, after: _Told) -> Iterator[LogLine]:
    was: dict[str, Value] = {}
    level = logging.INFO
    if after.alert.severity is not before.alert.severity:
        was["severity_before"] = str(before.alert.severity)
        if _rank(after.alert) < _rank(before.alert):
            level = logging.WARNING
    if after.culprit != before.culprit:
        was["application_name_before"] = before.culprit
    if was:
        yield _line(level, "alert changes", after.alert, **was)


def _ends(before: _Told, now: float) -> LogLine:
    alert = before.alert
    last_seen = (
        "" if alert.told_at is None else f"its cause was last seen at {moment(alert.told_at)} UTC"
    )
    seconds = round(max(0.0, now - alert.since), 1)
    return _line(logging.INFO, "alert ends", alert, reason=last_seen, seconds=seconds)


def _line(level: int, event: str, alert: Alert, **more: Value) -> LogLine:
    fields: dict[str, Value] = {
        "alertname": str(alert.name),
        "severity": str(alert.severity),
        **dict(alert.about),
        **({} if alert.application_name is None else {"application_name": alert.application_name}),
        "reason": alert.description,
    }
    return LogLine(level, event, fields | {k: v for k, v in more.items() if v is not None})
