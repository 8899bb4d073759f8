"""Defines an event: what happened to a target and when, in a sentence for log, page and API."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from pgheadroom.model.alert import About, Alert, AlertName


class Level(enum.StrEnum):
    """How serious it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    """A person is paged."""


class EventKind(enum.StrEnum):
    """What kind of thing happened."""

    BEGINS = "alert_begins"
    CHANGES = "alert_changes"
    RECOVERS = "recovers"
    """The cause of all alerts is gone; they resolve by themselves if that lasts."""
    ENDS = "alert_ends"
    UNREADABLE = "unreadable"
    READABLE = "readable"
    RESTART = "restart"
    """The server was restarted, or another one has its place."""
    JUMP = "jump"
    """Many slots were taken within seconds, as by a deploy."""


class Event(NamedTuple):
    """What happened to a target."""

    at: float
    """When, in seconds since the epoch."""
    kind: EventKind
    level: Level
    words: str
    """In a sentence; names in it are foreign text."""
    alertname: str = ""
    """The alert that it is about; empty for none."""
    application_name: str = ""
    """The application that it is about; empty for none."""


AlertId = tuple[AlertName, About]
"""An alert, whatever its severity is."""


class ToldAlert(NamedTuple):
    """What was told of an alert that fires."""

    alert: Alert
    """As of the newest reading, in the worst severity that it fires in."""
    culprit: str | None
    """The application that was told last."""
    other: str | None = None
    other_since: float | None = None
    """Since when *other* has been to blame instead; None while nobody is."""


Told = Mapping[AlertId, ToldAlert]
"""What was told of all alerts that fire of one target."""

MOST_EVENTS = 100
"""So many are remembered of a target."""
