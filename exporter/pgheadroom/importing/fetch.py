"""Asks a Prometheus for the past of one target, closely for the last hours, coarsely before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pgheadroom.backtest.prometheus import KnownServer
from pgheadroom.backtest.prometheus_api import PrometheusApi
from pgheadroom.importing.matching import Match
from pgheadroom.importing.past import Past
from pgheadroom.importing.steps import Stretch
from pgheadroom.model.reading import Recorded

OnShare = Callable[[float], None]
"""Called with how much of the work is done, from 0 to 1."""

AT_ONCE = 60
"""Moments for which the daemon asks at once: an answer is taken in within some milliseconds."""
_BREATH = 8
"""Readings between two moments at which others may have their turn."""


async def fetch(
    api: PrometheusApi,
    match: Match,
    stretches: list[Stretch],
    past: Past,
    *,
    at_once: int = AT_ONCE,
    on_share: OnShare = lambda _: None,
) -> None:
    """Add to *past* what there is of *match* in *stretches*, oldest first.

    Prometheus is asked for *at_once* moments at a time. Raises PrometheusError; what was added
    before is of no use then.
    """
    all_points, done = sum(one.points for one in stretches) or 1, 0
    for stretch in stretches:
        for first in range(0, stretch.points, at_once):
            start = stretch.start + first * stretch.step
            last = min(stretch.end, start + (at_once - 1) * stretch.step)
            for count, reading in enumerate(
                await _readings(api, match.servers, start, last, stretch)
            ):
                past.add(reading)
                if count % _BREATH == 0:
                    await asyncio.sleep(0)
            done += min(at_once, stretch.points - first)
            on_share(done / all_points)


async def _readings(
    api: PrometheusApi,
    servers: tuple[KnownServer, ...],
    start: float,
    end: float,
    stretch: Stretch,
) -> list[Recorded]:
    """Return the readings under all labels that the server had, in order of time."""
    found = [
        reading
        for server in servers
        async for reading in server.readings(api, start, end, stretch.step)
    ]
    return sorted(found, key=lambda reading: reading.at)


def same_names(match: Match) -> bool:
    """Say whether connections are told apart there as the daemon does it: by application name."""
    return all(server.own or server.told_by == "application_name" for server in match.servers)
