"""Reads the metrics of a PgBouncer whose console is closed to outsiders, as CloudNativePG's is.

CloudNativePG's pooler pods serve LISTS, POOLS and STATS at port 9127, and let nobody else log in to
the console. No limit is on that page and no application, so limits come from the settings, and
clients have no name. Names of metrics: ``pkg/management/pgbouncer/metricsserver`` of CloudNativePG.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from pgheadroom.model.capacity import Capacity, CapacityKind, Scope
from pgheadroom.model.pooler import Database, Pool, PoolerConfig, PoolerFacts, capacities
from pgheadroom.model.reading import Group, Holders, Sample
from pgheadroom.text import printable

_PREFIX = "cnpg_pgbouncer_"
_SERVER_STATES = (
    ("active", ("sv_active",)),
    ("idle", ("sv_idle",)),
    ("used", ("sv_used",)),
    ("tested", ("sv_tested",)),
    ("login", ("sv_login",)),
    ("cancel", ("sv_active_cancel", "sv_wait_cancels")),
)
_CONSOLE = "pgbouncer"
_MODES = {1: "session", 2: "transaction", 3: "statement"}
_MICROSECONDS = 1e6
_MOST_LINES = 200_000
BEHIND = "behind the pooler"
"""The address of every database: one server is behind such a pooler, and the page does not say
which."""


class PageError(Exception):
    """The page is none of a PgBouncer; the message is one line."""


@dataclass(frozen=True, slots=True)
class PageLimits:
    """What the page does not tell: settings of the Pooler."""

    most_clients: int
    pool_size: int


@dataclass(slots=True)
class _Figures:
    """The figures of the page, by metric and, of a pool, by database and role."""

    single: dict[str, float] = field(default_factory=dict)
    by_pool: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    by_database: dict[str, float] = field(default_factory=dict)
    """For how long clients have waited, in microseconds."""


def sample(text: str, limits: PageLimits, at: float, duration_seconds: float) -> Sample:
    """Return what the page *text* says; raises PageError, also where a figure is no number."""
    try:
        figures = _figures(text)
    except (ValueError, KeyError) as error:
        raise PageError(f"not a page of metrics: {printable(str(error))}") from None
    if "lists_used_clients" not in figures.single:
        raise PageError(f"a page without {_PREFIX}lists_used_clients: no pooler of CloudNativePG")
    if figures.single.get("up") == 0:
        raise PageError("the exporter of the pooler cannot ask PgBouncer: its `up` is 0")
    pools = tuple(_pools(figures, limits))
    names = dict.fromkeys(pool.database for pool in pools)
    facts = PoolerFacts(
        software="PgBouncer",
        version="",
        pools=pools,
        databases=tuple(Database(name, size=limits.pool_size, address=BEHIND) for name in names),
        config=PoolerConfig(
            most_clients=limits.most_clients, size=limits.pool_size, from_settings=True
        ),
        waited_seconds=tuple(
            (name, waited / _MICROSECONDS) for name, waited in figures.by_database.items()
        ),
    )
    used = int(figures.single["lists_used_clients"])
    logins = int(max(0.0, figures.single.get("lists_login_clients", 0)))
    main = Capacity(Scope(CapacityKind.CLIENTS), used, limits.most_clients, logins=logins)
    groups = tuple(_groups(pools))
    visible = sum(group.count for group in groups)
    holders = Holders(at, visible, groups, complete=True, cost_seconds=0.0)
    return Sample(at, duration_seconds, main, capacities(facts), holders, facts)


def _figures(text: str) -> _Figures:
    figures = _Figures()
    if text.count("\n") > _MOST_LINES:
        raise ValueError("more lines than a pooler has")
    for family in text_string_to_metric_families(text):
        if not family.name.startswith(_PREFIX):
            continue
        for one in family.samples:
            name = one.name.removeprefix(_PREFIX)
            if not math.isfinite(one.value):
                raise ValueError(f"{printable(one.name)} is {one.value}")
            if name.startswith("pools_"):
                pool = printable(one.labels["database"]), printable(one.labels["user"])
                figures.by_pool.setdefault(pool, {})[name.removeprefix("pools_")] = one.value
            elif name == "stats_total_wait_time":
                figures.by_database[printable(one.labels["database"])] = one.value
            elif not one.labels:
                figures.single[name] = one.value
    figures.by_database.pop(_CONSOLE, None)
    return figures


def _pools(figures: _Figures, limits: PageLimits) -> Iterator[Pool]:
    for (database, role), values in figures.by_pool.items():
        if database == _CONSOLE:
            continue
        wait = values.get("maxwait", 0) + values.get("maxwait_us", 0) / _MICROSECONDS
        yield Pool(
            database=database,
            role=role,
            mode=_MODES.get(int(values.get("pool_mode", 0)), ""),
            active=int(values.get("cl_active", 0)),
            waiting=int(values.get("cl_waiting", 0)),
            wait_seconds=wait,
            servers=tuple(
                (state, int(sum(values.get(column, 0) for column in columns)))
                for state, columns in _SERVER_STATES
            ),
            size=limits.pool_size,
        )


def _groups(pools: Iterable[Pool]) -> Iterator[Group]:
    """Yield the clients by pool and state; the page names no application."""
    for pool in pools:
        for state, count in (("active", pool.active), ("waiting", pool.waiting)):
            if count:
                yield Group("", state, count, None, pool.database, pool.role)
