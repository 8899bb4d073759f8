"""Says when an alert begins, changes or ends: one piece of news each, none a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pgheadroom.durations import duration, moment
from pgheadroom.events.news import News, Value
from pgheadroom.model.alert import Alert, Severity
from pgheadroom.model.event import AlertId, Event, EventKind, Level, Told, ToldAlert
from pgheadroom.state import State
from pgheadroom.status.titles import title

CULPRIT_SECONDS = 15.0
"""Another application is told when it has been the one to blame for so long: two of like size may
take turns with every sample."""

_SEVERITIES = list(Severity)


def as_told(alerts: Iterable[Alert]) -> Told:
    """Return what counts as told when *alerts* fire already, as after a restart."""
    return {key: ToldAlert(one, one.application_name) for key, one in _worst(alerts).items()}


def alert_news(before: State, after: State, now: float) -> tuple[tuple[News, ...], Told]:
    """Return what is new about alerts *now*, and what is known to be told then."""
    told_before = as_told(before.alerts) if before.told is None else before.told
    if not after.alerts and not told_before:
        return (), told_before
    firing = _worst(after.alerts)
    news: list[News] = [
        _ends(before, one, now) for key, one in told_before.items() if key not in firing
    ]
    told: dict[AlertId, ToldAlert] = {}
    for key, alert in firing.items():
        known = told_before.get(key)
        if known is None:
            news.append(_news(EventKind.BEGINS, _level(alert), after, alert, now))
            told[key] = ToldAlert(alert, alert.application_name)
        else:
            told[key] = _goes_on(known, alert, now)
            news += _changed(known, told[key], after, now)
    return tuple(news), told


def _worst(alerts: Iterable[Alert]) -> dict[AlertId, Alert]:
    """Return *alerts*, of those that differ by their severity alone the worst."""
    worst: dict[AlertId, Alert] = {}
    for alert in alerts:
        key = alert.name, alert.about
        other = worst.get(key)
        if other is None or _rank(alert) < _rank(other):
            worst[key] = alert
    return worst


def _rank(alert: Alert) -> int:
    return _SEVERITIES.index(alert.severity)


def _goes_on(before: ToldAlert, alert: Alert, now: float) -> ToldAlert:
    name = alert.application_name
    if alert.severity is not before.alert.severity or name == before.culprit:
        return ToldAlert(alert, name)
    since = before.other_since
    if since is None or name != before.other or since > now:
        since = now
    if now - since >= CULPRIT_SECONDS:
        return ToldAlert(alert, name)
    return ToldAlert(alert, before.culprit, name, since)


def _changed(known: ToldAlert, told: ToldAlert, state: State, now: float) -> Iterator[News]:
    was: dict[str, Value] = {}
    level = Level.INFO
    if told.alert.severity is not known.alert.severity:
        was["severity_before"] = str(known.alert.severity)
        if _rank(told.alert) < _rank(known.alert):
            level = _level(told.alert)
    if told.culprit != known.culprit:
        was["application_name_before"] = known.culprit
    if was:
        yield _news(EventKind.CHANGES, level, state, told.alert, now, **was)


def _ends(before: State, known: ToldAlert, now: float) -> News:
    alert = known.alert
    last_seen = (
        "" if alert.told_at is None else f"its cause was last seen at {moment(alert.told_at)} UTC"
    )
    seconds = round(max(0.0, now - alert.since), 1)
    words = f"{alert.summary.removesuffix('.')}: over after {duration(seconds)}"
    more: dict[str, Value] = {"seconds": seconds}
    active = before.active.get(alert.key)
    if active is not None and before.usage.limit:
        more["least_free"] = max(0, active.least_free)
        words += f", the fewest free were {more['least_free']}"
    return _news(
        EventKind.ENDS, Level.INFO, before, alert, now, words=words, reason=last_seen, **more
    )


_EVENTS = {
    EventKind.BEGINS: "alert begins",
    EventKind.CHANGES: "alert changes",
    EventKind.ENDS: "alert ends",
}


def _level(alert: Alert) -> Level:
    return Level.CRITICAL if alert.severity is Severity.CRITICAL else Level.WARNING


def _news(
    kind: EventKind, level: Level, state: State, alert: Alert, now: float, **more: Value
) -> News:
    name = alert.application_name
    words = more.pop("words", None)
    words = str(words or title(state, alert).removeprefix(f"{state.target}: "))
    fields: dict[str, Value] = {
        "alertname": str(alert.name),
        "severity": str(alert.severity),
        **dict(alert.about),
        **({} if name is None else {"application_name": name}),
        "summary": words,
        "reason": alert.description,
    }
    event = Event(now, kind, level, words, str(alert.name), name or "")
    told = {key: value for key, value in more.items() if value is not None}
    return News(level, _EVENTS[kind], fields | told, remembered=event)
