"""Reads what PgBouncer's console returns, by the names of columns: they differ by version.

Columns and their meaning: https://www.pgbouncer.org/usage.html and ``src/admin.c`` of each version
from 1.16 on. What a version does not have yet is left at its default.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import ParamSpec, TypeVar

from pgheadroom.model.pooler import Database, Link, Pool, PoolerConfig, User
from pgheadroom.postgres.libpq import Table
from pgheadroom.postgres.rows import SenselessError
from pgheadroom.text import printable

Row = Mapping[str, str]
"""A row's values by column; NULL is empty, and so is what this version does not have."""
Part = TypeVar("Part")
Given = ParamSpec("Given")

NOWHERE = Database("")
CONSOLE = "pgbouncer"
"""The name of the console's own database: no pool of it leads to a server."""
_SERVER_STATES = (
    ("active", ("sv_active",)),
    ("idle", ("sv_idle",)),
    ("used", ("sv_used",)),
    ("tested", ("sv_tested",)),
    ("login", ("sv_login",)),
    ("cancel", ("sv_active_cancel", "sv_being_canceled")),
)
_MICROSECONDS = 1e6


def _sensible(read: Callable[Given, Part]) -> Callable[Given, Part]:
    """Have whatever goes wrong in *read*, which trusts its rows, be one error."""

    @functools.wraps(read)
    def reading(*args: Given.args, **kwargs: Given.kwargs) -> Part:
        try:
            return read(*args, **kwargs)
        except (ValueError, LookupError, OverflowError) as error:
            raise SenselessError(f"the console's answer makes no sense: {error}") from None

    return reading


def version_of(text: str) -> tuple[int, ...]:
    """Return the version in *text*, such as ``1.26.1/bouncer``; empty where there is none."""
    numbers = text.partition("/")[0].split(".")
    return tuple(int(number) for number in numbers if number.isdecimal())


@_sensible
def lists(table: Table) -> dict[str, int]:
    """Return the counts of SHOW LISTS by name."""
    return {row["list"]: _count(row, "items") for row in _rows(table)}


@_sensible
def pools(
    table: Table,
    databases: Mapping[str, Database],
    users: Mapping[str, User],
    default: Database = NOWHERE,
) -> tuple[Pool, ...]:
    """Return the pools of SHOW POOLS; sizes by what is known of their databases and users.

    A user's own size goes before its database's (``pool_pool_size`` in src/server.c). A pool
    outlives a database that a wildcard has made: then the sizes are those of *default*.
    """
    return tuple(
        _pool(row, databases.get(_name(row, "database"), default), users.get(_name(row, "user")))
        for row in _rows(table)
        if row["database"] != CONSOLE
    )


def _pool(row: Row, database: Database, user: User | None) -> Pool:
    size, reserve = database.size, database.reserve
    if user is not None:
        size = size if user.size is None else user.size or None
        reserve = reserve if user.reserve is None else user.reserve
    return Pool(
        database=_name(row, "database"),
        role=_name(row, "user"),
        mode=_name(row, "pool_mode"),
        active=_count(row, "cl_active"),
        waiting=_count(row, "cl_waiting"),
        wait_seconds=_count(row, "maxwait") + _count(row, "maxwait_us") / _MICROSECONDS,
        servers=tuple(
            (state, sum(_count(row, column) for column in columns))
            for state, columns in _SERVER_STATES
        ),
        size=size,
        reserve=reserve,
    )


@_sensible
def databases(table: Table, address: Callable[[str, int], str]) -> tuple[Database, ...]:
    """Return the entries of SHOW DATABASES; *address* says where a host and a port lead."""
    return tuple(
        Database(
            name=_name(row, "name"),
            host=_name(row, "host"),
            port=_count(row, "port"),
            forced_role=_name(row, "force_user"),
            size=_limit(row, "pool_size"),
            reserve=_count(row, "reserve_pool_size") or _count(row, "reserve_pool"),
            most_connections=_limit(row, "max_connections"),
            connections=_count(row, "current_connections"),
            most_clients=_limit(row, "max_client_connections"),
            clients=_count(row, "current_client_connections"),
            paused=_count(row, "paused") != 0,
            disabled=_count(row, "disabled") != 0,
            address=address(row["host"], _count(row, "port")),
        )
        for row in _rows(table)
        if row["name"] != CONSOLE
    )


@_sensible
def users(table: Table, *, default_size: int | None) -> tuple[User, ...]:
    """Return the users of SHOW USERS.

    Up to 1.25 a user without a size of its own may show *default_size* (NEWS of 1.26): then its
    database's counts, which is the same where that has none either.
    """
    found = []
    for row in _rows(table):
        size = _optional(row, "pool_size")
        found.append(
            User(
                name=_name(row, "name"),
                size=None if size == default_size else size,
                reserve=_optional(row, "reserve_pool_size"),
                most_connections=_limit(row, "max_user_connections"),
                connections=_count(row, "current_connections"),
                most_clients=_limit(row, "max_user_client_connections"),
                clients=_count(row, "current_client_connections"),
            )
        )
    return tuple(found)


@_sensible
def config(table: Table) -> PoolerConfig:
    """Return what SHOW CONFIG says of limits."""
    values = {row["key"]: row["value"] for row in _rows(table)}
    wait = float(values.get("query_wait_timeout") or 0)
    return PoolerConfig(
        most_clients=_count(values, "max_client_conn"),
        size=_limit(values, "default_pool_size"),
        reserve=_count(values, "reserve_pool_size"),
        most_connections_of_a_database=_limit(values, "max_db_connections"),
        most_connections_of_a_user=_limit(values, "max_user_connections"),
        wait_timeout_seconds=wait or None,
        any_role=bool(values.get("auth_user")) or values.get("auth_type") == "any",
        console_users=frozenset(
            name.strip()
            for key in ("admin_users", "stats_users")
            for name in values.get(key, "").split(",")
            if name.strip()
        ),
        shares_port=_count(values, "so_reuseport") != 0,
    )


@_sensible
def links(table: Table) -> tuple[Link, ...]:
    """Return the server connections of SHOW SERVERS whose process is known."""
    return tuple(
        Link(_name(row, "database"), _name(row, "user"), int(row["remote_pid"]), port)
        for row in _rows(table)
        if row["remote_pid"].lstrip("-").isdecimal()
        and (port := -1 if row["addr"] == "unix" else _count(row, "local_port"))
    )


@_sensible
def paused(table: Table) -> bool:
    """Return whether SHOW STATE says that all is paused or suspended."""
    flags = {row["key"]: row["value"] for row in _rows(table)}
    return "yes" in (flags.get("paused"), flags.get("suspended"))


@_sensible
def totals(table: Table, column: str) -> tuple[tuple[str, float], ...]:
    """Return *column* of SHOW STATS_TOTALS by database."""
    return tuple(
        (_name(row, "database"), float(row[column] or 0))
        for row in _rows(table)
        if row["database"] != CONSOLE
    )


def _rows(table: Table) -> Iterator[_Row]:
    for row in table.rows:
        texts = ("" if value is None else value.decode(errors="replace") for value in row)
        yield _Row(zip(table.columns, texts, strict=True))


class _Row(dict[str, str]):
    """A row in which a column that this version does not have is empty."""

    def __missing__(self, column: str) -> str:
        return ""


def _name(row: Row, column: str) -> str:
    return printable(row[column])


def _count(row: Mapping[str, str], column: str) -> int:
    return _optional(row, column) or 0


def _limit(row: Mapping[str, str], column: str) -> int | None:
    """Return a limit; None for 0, which is none in each of PgBouncer's settings."""
    return _optional(row, column) or None


def _optional(row: Mapping[str, str], column: str) -> int | None:
    text = row[column].strip() if column in row else ""
    return int(text) if text else None
