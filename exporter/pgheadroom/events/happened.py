"""Adds what happened to a state: the news of one reading, and the events that are remembered."""

from __future__ import annotations

from pgheadroom.events.alerts import alert_news
from pgheadroom.events.changes import changes
from pgheadroom.events.news import News
from pgheadroom.events.turns import turns
from pgheadroom.model.event import MOST_EVENTS
from pgheadroom.state import State


def happened(before: State, after: State, now: float) -> tuple[State, tuple[News, ...]]:
    """Return *after*, which remembers what happened since *before*, and the news of it."""
    of_alerts, told = alert_news(before, after, now)
    news = (*changes(before, after, now), *turns(before, after, now), *of_alerts)
    if told is not before.told:
        after = after._replace(told=told)
    new = tuple(one.remembered for one in news if one.remembered is not None)
    if new:
        after = after._replace(events=(*after.events, *new)[-MOST_EVENTS:])
    return after, news
