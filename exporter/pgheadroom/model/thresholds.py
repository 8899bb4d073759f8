"""Holds every figure that the judge compares with."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE, HOUR, DAY, WEEK = 60.0, 3600.0, 86400.0, 604800.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Names end in the unit: ``_seconds``, or ``_ratio`` of a limit, from 0 to 1.

    Each is a setting of the same name, and a ``pgheadroom_policy_seconds`` or
    ``pgheadroom_policy_ratio`` whose label ``name`` is the part before the unit.
    """

    paging_horizon_seconds: float = HOUR
    """A forecast pages when the last ordinary slot goes within this time ..."""
    paging_floor_ratio: float = 0.88
    """... and at least this share of the ordinary slots is in use ..."""
    early_floor_ratio: float = 0.64
    """... or this share, when a sign says that it goes on: its connections are busy, wait for locks
    or are not used, it has lasted as long as the horizon, or most of its way lies behind it."""
    busy_ratio: float = 0.75
    """An application whose connections are busy to this share grows with its load, and not to
    the size of its pool."""
    forecast_horizon_seconds: float = 3 * DAY
    """A forecast within this time is a warning."""
    planning_horizon_seconds: float = 8 * WEEK
    """The peaks of a weekday grow and reach the limit within this time: a warning."""
    leak_seconds: float = 2 * HOUR
    """An application leaks when it has climbed for this long and not come back."""
    low_free_ratio: float = 0.1
    """Few ordinary slots are left: this share of them or less ..."""
    low_hold_seconds: float = 10 * MINUTE
    """... for this long."""
    logins_warning_ratio: float = 0.1
    """Logins under way hold this share of the ordinary slots: a warning ..."""
    logins_critical_ratio: float = 0.3
    """... a page ..."""
    logins_hold_seconds: float = 10.0
    """... if they do for this long."""
    limit_warning_ratio: float = 0.8
    """Share of a role's or a database's CONNECTION LIMIT in use: a warning ..."""
    limit_critical_ratio: float = 1.0
    """... a page ..."""
    limit_hold_seconds: float = MINUTE
    """... if it is for this long."""
    blind_warning_seconds: float = MINUTE
    """No sample for this long: a warning ..."""
    blind_critical_seconds: float = 5 * MINUTE
    """... and a page."""
    queue_wait_seconds: float = 30.0
    """A client that has waited this long for a server connection of a pooler is as good as
    refused; a queue pages when its oldest client is about to, or has."""
    queue_hold_seconds: float = 15.0
    """A queue is judged by how it went for so long ..."""
    queue_horizon_seconds: float = MINUTE
    """... and pages when the wait gets that long within this time at the pace it grows."""
    paused_hold_seconds: float = 5 * MINUTE
    """A database that has been paused or disabled for this long: a warning."""
    overcommit_hold_seconds: float = MINUTE
    """Poolers may open more than there is for this long: a warning."""
    resolve_hold_seconds: float = 5 * MINUTE
    """An alert resolves when its cause has been gone for this long."""
