"""Builds a sample from what a recording, or another monitor's history, kept of it."""

from __future__ import annotations

from functools import lru_cache

from pgheadroom.model.activity import Activity, Younger
from pgheadroom.model.blockers import Blockers
from pgheadroom.model.capacity import Capacity
from pgheadroom.model.postgres import PostgresFacts, Server
from pgheadroom.model.reading import Group, Holders, Sample
from pgheadroom.model.slots import Limits, Slots


def recorded_sample(  # noqa: PLR0913 - all that a recording can tell, most of it seldom
    at: float,
    limits: Limits,
    groups: tuple[Group, ...],
    *,
    hidden: int = 0,
    visible: int | None = None,
    told_apart_at: float | None = None,
    others: tuple[Capacity, ...] = (),
    started_at: float = 0.0,
    reserve: bool = False,
    complete: bool = True,
    waiting: int = 0,
    blockers: Blockers | None = None,
    activity: Activity | None = None,
    younger: Younger | None = None,
) -> Sample:
    """Return the sample that was taken at *at*, by what was kept of it."""
    total = 0
    for group in groups:
        total += group.count
    if visible is None:
        visible = total
    holders_at = at if told_apart_at is None else told_apart_at
    return Sample.of_postgres(
        at,
        0.0,
        PostgresFacts(
            Slots(limits, visible, hidden),
            _server(started_at, reserve),
            waiting=waiting,
            blockers=blockers,
            activity=activity,
        ),
        Holders(holders_at, total, groups, complete, cost_seconds=0.0, younger=younger),
        others,
    )


@lru_cache(maxsize=64)
def _server(started_at: float, reserve: bool) -> Server:  # noqa: FBT001 - a cache has no keywords
    return Server(
        version=0,
        version_text="",
        started_at=started_at,
        in_recovery=False,
        role="",
        superuser=False,
        reserve=reserve,
        pooled=False,
    )
