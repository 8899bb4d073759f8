"""Keeps every Alertmanager up to date about the alerts, each by itself.

None waits for another, and no sample waits for any of them. What is posted is what holds at that
moment, never a backlog. With nothing to tell an empty post goes out on every beat, so that a way
that is blocked is known before it is needed.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

import structlog

from pgheadroom.board import Board
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.model.alert import Alert
from pgheadroom.model.reading import Outcome
from pgheadroom.net.backoff import delay_seconds
from pgheadroom.net.credentials import Credentials
from pgheadroom.notify.delivery import Delivery, Verdict, deliver
from pgheadroom.notify.notification import (
    Key,
    Notices,
    Notification,
    NotificationOptions,
    Said,
    Sent,
    due,
    message,
    news,
    next_at,
    noted,
    reworded,
)
from pgheadroom.state import State
from pgheadroom.status.advice import by_urgency, to_do
from pgheadroom.status.titles import title

log = structlog.get_logger("pgheadroom.notify.alertmanager")

_TIMEOUT_SECONDS = 5.0
_LAST_SECONDS = 0.8
_BACKOFF_FIRST_SECONDS = 0.25
_BACKOFF_LONGEST_SECONDS = 10.0


class Alertmanager:
    """One Alertmanager, and what it knows."""

    def __init__(
        self, url: str, options: NotificationOptions, credentials: Credentials, own: SelfMetrics
    ) -> None:
        parts = urlsplit(url)
        self.name = parts.netloc + parts.path.rstrip("/")
        self._url = url.rstrip("/") + "/api/v2/alerts"
        self._options = options
        self._credentials = credentials
        self._own = own
        self._notifications: Notices = {}
        self._sent: dict[Key, Sent] = {}
        self._news = asyncio.Event()
        self._failed = 0
        # By the monotonic clock:
        self._not_before = -math.inf
        self._beat_at = -math.inf
        self._verdict: Verdict | None = None
        own.alertmanager(self.name)

    def update(self, notifications: Notices) -> None:
        """Take *notifications* as what holds from now on; returns at once."""
        self._notifications = notifications
        self._news.set()

    async def turn(self) -> None:
        """Wait until something is due, then post it, once."""
        while (seconds := self._seconds_left()) > 0:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        now = time.time()
        await self._post(
            due(self._notifications, self._sent, now, self._options), now, _TIMEOUT_SECONDS
        )

    async def flush(self) -> None:
        """Post what this Alertmanager does not know yet, if anything; in less than a second."""
        now = time.time()
        if unknown := news(self._notifications, self._sent, now, self._options):
            await self._post(unknown, now, _LAST_SECONDS)

    def _seconds_left(self) -> float:
        resting = self._not_before - time.monotonic()
        if resting > 0:
            return resting
        now = time.time()
        due_in = next_at(self._notifications, self._sent, now, self._options) - now
        return min(due_in, self._beat_at - time.monotonic())

    async def _post(
        self, notifications: list[Notification], now: float, timeout_seconds: float
    ) -> None:
        # A failure until it is known to be none, so that a bug in here rests like one.
        self._failed += 1
        self._rest()
        body = json.dumps([message(one, now, self._options) for one in notifications]).encode()
        outcome = await deliver(self._url, body, self._credentials, timeout_seconds)
        self._tell(outcome)
        if outcome.verdict is Verdict.FAILED:
            self._rest()
            return
        # What was refused would be refused again; it waits for the next beat, or for news.
        self._failed = 0
        self._not_before = -math.inf
        self._beat_at = time.monotonic() + self._options.resend_seconds
        sent = self._sent | {one.key: Sent(now, one.wording) for one in notifications}
        self._sent = {key: record for key, record in sent.items() if key in self._notifications}

    def _rest(self) -> None:
        self._not_before = time.monotonic() + delay_seconds(
            Outcome.ERROR,
            self._failed,
            first_seconds=_BACKOFF_FIRST_SECONDS,
            longest_seconds=_BACKOFF_LONGEST_SECONDS,
        )

    def _tell(self, outcome: Delivery) -> None:
        accepted = outcome.verdict is Verdict.ACCEPTED
        self._own.posted(self.name, accepted=accepted)
        before, self._verdict = self._verdict, outcome.verdict
        if outcome.verdict is before:
            return
        if accepted:
            event = "alertmanager accepts alerts" + ("" if before is None else " again")
            log.info(event, alertmanager=self.name)
        else:
            log.warning(
                "alertmanager does not accept alerts", alertmanager=self.name, reason=outcome.reason
            )


_Fires = tuple[str, tuple[Alert, ...]]
"""A server, and what fires of it."""


def _firing(state: State) -> list[Notification]:
    """Return all that fires of *state*; only the most urgent alert says what to do first."""
    first = by_urgency(state)[:1]
    return [
        Notification(
            state.target,
            alert,
            server=state.server,
            said=Said(title(state, alert), to_do(state) if alert in first else ""),
        )
        for alert in state.alerts
    ]


class Notifier:
    """All of them: hears what is published and passes it on."""

    def __init__(
        self,
        urls: Iterable[str],
        options: NotificationOptions,
        credentials: Credentials,
        board: Board,
        own: SelfMetrics,
    ) -> None:
        self.alertmanagers = tuple(Alertmanager(url, options, credentials, own) for url in urls)
        self._options = options
        self._firing: dict[str, _Fires] = {}
        self._notifications: dict[Key, Notification] = {}
        """Each Alertmanager reads this too. Figures in it change in place; what fires does not."""
        if self.alertmanagers:
            board.subscribe(self._published)
            board.when_gone(self._gone)

    async def flush(self) -> None:
        """Tell each what it does not know yet; firing alerts are not resolved by our end."""
        await asyncio.gather(*(alertmanager.flush() for alertmanager in self.alertmanagers))

    def _published(self, state: State) -> None:
        # Called with every sample: nothing in here may wait.
        fires = state.server, state.alerts
        before = self._firing.get(state.target)
        self._firing[state.target] = fires
        if not (state.alerts or (before and before[1])):
            return  # nothing fires, and nothing did
        words = None
        if before is not None and len(before[1]) == len(state.alerts) and before[0] == state.server:
            words = reworded(self._notifications, _firing(state))
        if words is None:
            self._hold(state.target, _firing(state))
            return
        # As every sample does of every target that is in trouble: new figures page nobody.
        otherwise = any(
            self._notifications[key].wording != one.wording for key, one in words.items()
        )
        self._notifications.update(words)
        if otherwise:
            self._pass_on()

    def _gone(self, target: str) -> None:
        # Resolved, and not left to expire: the target was removed from the configuration.
        if target in self._firing and self._firing.pop(target)[1]:
            self._hold(target, ())

    def _hold(self, target: str, firing: Iterable[Notification]) -> None:
        keep = self._options.keep_seconds
        notifications = noted(self._notifications, target, firing, time.time(), keep)
        self._notifications = dict(notifications)
        self._pass_on()

    def _pass_on(self) -> None:
        for alertmanager in self.alertmanagers:
            alertmanager.update(self._notifications)
