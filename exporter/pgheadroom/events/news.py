"""Defines a piece of news: a line of log, and for what people look back at, an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pgheadroom.model.event import Event, Level

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class News:
    """One change: how serious, what happened, and the figures to it."""

    level: Level
    event: str
    """What happened, as the log calls it."""
    fields: Mapping[str, Value] = field(default_factory=dict)
    retries: bool = False
    """Whether the time until the next attempt belongs in the line."""
    remembered: Event | None = None
    """What page and API list; None for what is news to the log alone."""
