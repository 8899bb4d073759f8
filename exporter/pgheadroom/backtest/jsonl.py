"""Writes a backtest as JSON Lines: one object for each alert that fires or resolves.

``time`` is in seconds since the epoch; ``state`` is ``firing`` or ``resolved``. A page that fires
has ``bare_threshold_seconds`` too: by how much a bare threshold was earlier, below 0 later; null
when it did not page for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pgheadroom.backtest.comparison import bare_seconds
from pgheadroom.backtest.replay import BacktestResult

_DIGITS = 3  # milliseconds, as a recording has them


def lines(account: BacktestResult) -> Iterator[str]:
    """Yield the changes of a history in order of time, each a line without its end."""
    episodes = iter(account.episodes)  # one for each change that fires, in the same order
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
        if change.firing:
            episode = next(episodes)
            if episode.pages:
                earlier = bare_seconds(account, episode)
                rounded = None if earlier is None else round(earlier, _DIGITS)
                fields["bare_threshold_seconds"] = rounded
        yield json.dumps(fields | dict(alert.about))
