"""Decides which notifications are due and builds Alertmanager's v2 payload.

A firing alert is told at once when it is new, soon when its words change, and again on every beat:
told no more, it would expire. A resolved one is told again for some minutes too, for an
Alertmanager whose clock is behind ours takes the end for one to come. Figures change with every
sample; they wait for the next beat.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple
from urllib.parse import quote

from pgheadroom.durations import moment
from pgheadroom.model.alert import About, Alert, AlertName, Severity
from pgheadroom.text import harmless

Key = tuple[str, str, AlertName, Severity, About]
"""What makes it the same alert as one of another time, of any target."""

Message = dict[str, str | dict[str, str]]
"""An alert as the API takes it."""

RESOLVED_SECONDS = 300.0
"""For so long a resolved alert is told again ..."""
RESOLVED_BEAT_SECONDS = 30.0
"""... this often at least."""
WORDS_SECONDS = 15.0
"""Other words for what fires already wait until so long after the last post of it: two applications
of like size may be named in turn, sample by sample."""
BEATS_TO_LIVE = 4
"""So many beats may be lost before a firing alert expires."""

_LONGEST_DESCRIPTION = 1000  # characters; chats cut at 3000 or less

_LONGEST_TITLE = 200

_FIGURES = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class NotificationOptions:
    """What a user may decide about what is told."""

    resend_seconds: float = 30.0
    """One beat."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """More labels for every alert; the alert's own ones win."""
    external_url: str | None = None
    """Where people find this daemon, without a slash at the end."""

    @property
    def keep_seconds(self) -> float:
        """How long a resolved alert is of interest to an Alertmanager that was not told yet."""
        return max(RESOLVED_SECONDS, BEATS_TO_LIVE * self.resend_seconds)


class Said(NamedTuple):
    """What is told with an alert, of the state that it is of."""

    title: str = ""
    """The alert in a line, with its target and the application; empty for the bare summary."""
    advice: str = ""
    """The first thing to do; empty where there is nothing to add."""


_NOTHING = Said()


@dataclass(frozen=True)
class Notification:
    """An alert of a target as it stands: it fires, or it has resolved."""

    target: str
    alert: Alert
    resolved_at: float | None = None
    """In seconds since the epoch."""
    server: str = ""
    """Which server the target is, whatever it is called."""
    said: Said = _NOTHING

    @property
    def key(self) -> Key:
        """What makes it the same alert as one of another time."""
        return self.target, self.server, *self.alert.key

    @cached_property
    def wording(self) -> tuple[bool, str, str | None]:
        """What is worth telling at once when it changes: all but the figures."""
        alert = self.alert
        words = _FIGURES.sub("0", f"{alert.description} {self.said.title}")
        return self.resolved_at is None, words, alert.application_name


Notices = Mapping[Key, Notification]


@dataclass(frozen=True, slots=True)
class Sent:
    """What an Alertmanager was last told of an alert, and when."""

    at: float
    wording: tuple[bool, str, str | None]


def reworded(notifications: Notices, firing: Iterable[Notification]) -> Notices | None:
    """Return the notifications with new words; None if other alerts fire than before.

    *firing* are all that fire of one target, and as many as before.
    """
    changed: dict[Key, Notification] = {}
    for one in firing:
        before = notifications.get(one.key)
        if before is None or before.resolved_at is not None:
            return None
        if before.alert.since != one.alert.since:
            return None
        changed[one.key] = one
    return changed


def noted(
    before: Notices, target: str, firing: Iterable[Notification], now: float, keep_seconds: float
) -> Notices:
    """Return *before* brought up to date: *firing* is all that fires *now* of *target*.

    What no longer fires has resolved *now*; what resolved *keep_seconds* ago is forgotten.
    """
    fires = {notification.key: notification for notification in firing}
    resolved: dict[Key, Notification] = {}
    for key, notification in before.items():
        if notification.target == target and notification.resolved_at is None:
            # The figures of its end would be told again for minutes, when they are others.
            words = f"{target}: over: {notification.alert.summary}"
            resolved[key] = replace(notification, resolved_at=now, said=Said(words))
        elif notification.resolved_at is None or now - notification.resolved_at < keep_seconds:
            resolved[key] = notification
    return resolved | fires


def news(
    notifications: Notices, sent: Mapping[Key, Sent], now: float, options: NotificationOptions
) -> list[Notification]:
    """Return what an Alertmanager was not yet told as it stands, given what was *sent*."""
    return [
        notification
        for key, notification in notifications.items()
        if _told_otherwise(notification, sent.get(key)) and _of_interest(notification, now, options)
    ]


def due(
    notifications: Notices, sent: Mapping[Key, Sent], now: float, options: NotificationOptions
) -> list[Notification]:
    """Return what to tell an Alertmanager *now*, given what was *sent*; nothing if it can wait.

    What is due soon goes along, so that many alerts come to share one post.
    """
    if next_at(notifications, sent, now, options) > now:
        return []
    soon = now + options.resend_seconds / 10
    return [
        n for key, n in notifications.items() if _due_at(n, sent.get(key), now, options) <= soon
    ]


def next_at(
    notifications: Notices, sent: Mapping[Key, Sent], now: float, options: NotificationOptions
) -> float:
    """Return when something is due, in seconds since the epoch; infinity when nothing will be."""
    moments = (
        _due_at(notification, sent.get(key), now, options)
        for key, notification in notifications.items()
    )
    return min(moments, default=math.inf)


def _told_otherwise(notification: Notification, sent: Sent | None) -> bool:
    return sent is None or sent.wording != notification.wording


def _of_interest(notification: Notification, now: float, options: NotificationOptions) -> bool:
    return notification.resolved_at is None or now - notification.resolved_at < options.keep_seconds


def _due_at(
    notification: Notification, sent: Sent | None, now: float, options: NotificationOptions
) -> float:
    if sent is None or notification.wording[0] != sent.wording[0]:
        return now if _of_interest(notification, now, options) else math.inf
    if sent.at > now:
        return now  # the clock was set back; better once too often than not for hours
    if notification.resolved_at is None:
        again = options.resend_seconds
        return sent.at + (
            min(again, WORDS_SECONDS) if _told_otherwise(notification, sent) else again
        )
    again = sent.at + min(options.resend_seconds, RESOLVED_BEAT_SECONDS)
    return again if again <= notification.resolved_at + RESOLVED_SECONDS else math.inf


def message(notification: Notification, now: float, options: NotificationOptions) -> Message:
    """Return *notification* as the API takes it, when it is posted *now* (seconds since the epoch).

    Never with an end before its beginning: for one such alert the whole post counts as refused.
    """
    alert = notification.alert
    began = min(alert.since, now)
    if notification.resolved_at is None:
        ends = now + BEATS_TO_LIVE * options.resend_seconds
    else:
        ends = max(began, min(notification.resolved_at, now))
    labels = {
        **options.labels,
        "alertname": str(alert.name),
        "severity": str(alert.severity),
        "target": notification.target,
    }
    if notification.server:
        labels["server"] = notification.server
    labels |= {name: harmless(value) for name, value in alert.about}
    of = "" if alert.told_at is None else f"At {moment(alert.told_at)} UTC: "
    title, advice = notification.said
    first = f" {advice}" if advice and notification.resolved_at is None else ""
    annotations = {
        "summary": harmless(title, _LONGEST_TITLE) or alert.summary,
        "description": of
        + harmless(alert.description, _LONGEST_DESCRIPTION)
        + harmless(first, _LONGEST_DESCRIPTION),
        "runbook_url": alert.runbook_url,
    }
    if alert.application_name is not None:
        annotations["application_name"] = harmless(alert.application_name)
    payload: Message = {
        "labels": labels,
        "annotations": annotations,
        "startsAt": _rfc3339(began),
        "endsAt": _rfc3339(ends),
    }
    if options.external_url is not None:
        payload["generatorURL"] = (
            f"{options.external_url}/targets/{quote(notification.target, safe='')}"
        )
    return payload


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
