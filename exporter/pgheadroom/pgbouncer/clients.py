"""Groups the clients of SHOW CLIENTS by application, state, database and role."""

from __future__ import annotations

import calendar
import time

from pgheadroom.model.reading import Group
from pgheadroom.postgres.libpq import Table
from pgheadroom.text import escaped

_UTC = ("UTC", "GMT")


def groups(table: Table, now: float) -> tuple[Group, ...]:
    """Return the clients of *table*, which came in at *now*, in groups.

    PgBouncer up to 1.17 tells no application's name: they are all unnamed. Ages are known where
    PgBouncer's clock is UTC, because it gives local times without their offset.
    """
    column = {name: number for number, name in enumerate(table.columns)}
    keys = ("application_name", "state", "database", "user")
    places = [column.get(key) for key in keys]
    since = column.get("connect_time")
    counts: dict[tuple[str, ...], int] = {}
    oldest: dict[tuple[str, ...], bytes] = {}
    for row in table.rows:
        values = (b"" if place is None else row[place] or b"" for place in places)
        key = tuple(escaped(value.decode(errors="replace")) for value in values)
        counts[key] = counts.get(key, 0) + 1
        began = None if since is None else row[since]
        if began:
            # Of one length and the largest unit first: the earliest is the smallest text.
            oldest[key] = min(oldest.get(key, began), began)
    return tuple(
        Group(key[0], key[1], count, _age(oldest.get(key), now), database=key[2], role=key[3])
        for key, count in counts.items()
    )


def _age(began: bytes | None, now: float) -> float | None:
    text, _, zone = (began or b"").decode(errors="replace").rpartition(" ")
    if zone not in _UTC:
        return None
    try:
        return max(0.0, now - calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")))
    except ValueError:
        return None
