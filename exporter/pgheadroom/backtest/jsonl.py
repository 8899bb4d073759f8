"""Writes a backtest as JSON Lines: one object for each alert that fires or resolves.

``time`` is in seconds since the epoch; ``state`` is ``firing`` or ``resolved``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pgheadroom.backtest.replay import BacktestResult


def lines(account: BacktestResult) -> Iterator[str]:
    """Yield the changes of a history in order of time, each a line without its end."""
    for change in account.changes:
        alert = change.alert
        fields: dict[str, str | float | None] = {
            "time": change.at,
            "target": account.name,
            "alert": str(alert.name),
            "severity": str(alert.severity),
            "state": "firing" if change.firing else "resolved",
            "application_name": alert.application_name,
            "summary": alert.summary,
            "description": alert.description,
        }
        yield json.dumps(fields | dict(alert.about))
