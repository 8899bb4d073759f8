"""Tests that the console is read by the names of its columns, which differ by version.

The columns are those that src/admin.c and src/stats.c return at each version's tag; 1.18 and the
newest are asked for real in tests/postgres/test_pgbouncer.py.
"""

from collections.abc import Mapping

import pytest

from pgheadroom.model.pooler import Database, Pool, User
from pgheadroom.pgbouncer import rows
from pgheadroom.pgbouncer.clients import groups
from pgheadroom.postgres.libpq import Table
from pgheadroom.postgres.rows import SenselessError

_POOLS = {
    "1.16": "database user cl_active cl_waiting cl_cancel_req sv_active sv_idle sv_used sv_tested"
    " sv_login maxwait maxwait_us pool_mode",
    "1.18": "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req"
    " sv_active sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login"
    " maxwait maxwait_us pool_mode",
    "1.24": "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req"
    " sv_active sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login"
    " maxwait maxwait_us pool_mode load_balance_hosts",
}
_DATABASES = {
    "1.16": "name host port database force_user pool_size min_pool_size reserve_pool pool_mode"
    " max_connections current_connections paused disabled",
    "1.23": "name host port database force_user pool_size min_pool_size reserve_pool"
    " server_lifetime pool_mode max_connections current_connections paused disabled",
    "1.24": "name host port database force_user pool_size min_pool_size reserve_pool_size"
    " server_lifetime pool_mode load_balance_hosts max_connections current_connections"
    " max_client_connections current_client_connections paused disabled",
}
_USERS = {
    "1.16": "name pool_mode",
    "1.23": "name pool_size pool_mode max_user_connections current_connections",
    "1.24": "name pool_size reserve_pool_size pool_mode max_user_connections current_connections"
    " max_user_client_connections current_client_connections",
}


def table(columns: str, *found: Mapping[str, str | None]) -> Table:
    names = tuple(columns.split())
    return Table(
        names,
        [
            tuple(None if (v := row.get(name)) is None else v.encode() for name in names)
            for row in found
        ],
    )


@pytest.mark.parametrize("version", _POOLS)
def test_pools_of_every_version(version: str) -> None:
    row = {
        **dict.fromkeys(_POOLS[version].split(), "0"),
        "database": "shop",
        "user": "app",
        "pool_mode": "transaction",
        "cl_active": "9",
        "cl_waiting": "4",
        "sv_active": "2",
        "sv_idle": "1",
        "sv_being_canceled": "1",
        "maxwait": "3",
        "maxwait_us": "250000",
        "load_balance_hosts": None,
    }
    own = {**row, "database": "pgbouncer"}
    (pool,) = rows.pools(
        table(_POOLS[version], own, row), {"shop": Database("shop", size=20, reserve=5)}, {}
    )
    assert (pool.database, pool.role, pool.mode) == ("shop", "app", "transaction")
    assert (pool.active, pool.waiting, pool.wait_seconds) == (9, 4, 3.25)
    assert pool.server_connections == (3 if version == "1.16" else 4)
    assert (pool.size, pool.reserve) == (20, 5)


@pytest.mark.parametrize("version", _DATABASES)
def test_databases_of_every_version(version: str) -> None:
    row: dict[str, str | None] = {
        "name": "shop",
        "host": None,
        "port": "5432",
        "database": "shop",
        "force_user": None,
        "pool_size": "20",
        "reserve_pool": "5",
        "reserve_pool_size": "5",
        "max_connections": "0",
        "current_connections": "7",
        "paused": "1",
        "disabled": "0",
        "max_client_connections": "50",
        "current_client_connections": "12",
    }
    (entry,) = rows.databases(table(_DATABASES[version], row), lambda *_: "here")
    assert entry.address == "here"
    assert (entry.name, entry.host, entry.forced_role) == ("shop", "", "")
    assert (entry.size, entry.reserve, entry.most_connections) == (20, 5, None)
    assert (entry.paused, entry.disabled, entry.connections) == (True, False, 7)
    known = version == "1.24"
    assert (entry.most_clients, entry.clients) == ((50, 12) if known else (None, 0))


@pytest.mark.parametrize("version", _USERS)
def test_users_of_every_version(version: str) -> None:
    row = {
        "name": "app",
        "pool_size": "        4",
        "reserve_pool_size": "",
        "pool_mode": None,
        "max_user_connections": "30",
        "current_connections": "3",
        "max_user_client_connections": "40",
        "current_client_connections": "9",
    }
    (user,) = rows.users(table(_USERS[version], row), default_size=20)
    assert user.name == "app"
    assert user.size == (None if version == "1.16" else 4)
    assert user.most_connections == (None if version == "1.16" else 30)
    assert user.most_clients == (40 if version == "1.24" else None)


def test_a_size_that_is_the_default_is_not_the_users_own() -> None:
    """Up to 1.25 users without one may show the default."""
    row = {"name": "app", "pool_size": "20", "pool_mode": None}
    (user,) = rows.users(table(_USERS["1.23"], row), default_size=20)
    assert user.size is None


@pytest.mark.parametrize(
    ("user", "size", "reserve"),
    [
        (None, 20, 5),
        (User("app"), 20, 5),
        (User("app", size=3), 3, 5),
        (User("app", size=3, reserve=0), 3, 0),
        (User("app", size=0), None, 5),
    ],
)
def test_a_users_size_goes_before_its_databases(
    user: User | None, size: int | None, reserve: int
) -> None:
    row = {**dict.fromkeys(_POOLS["1.24"].split(), "0"), "database": "shop", "user": "app"}
    known = {} if user is None else {"app": user}
    (pool,) = rows.pools(
        table(_POOLS["1.24"], row), {"shop": Database("shop", size=20, reserve=5)}, known
    )
    assert (pool.size, pool.reserve) == (size, reserve)


def test_a_name_that_cannot_be_printed_finds_its_entry() -> None:
    """Anybody may log in with such a name, where there is a wildcard."""
    row = {**dict.fromkeys(_POOLS["1.24"].split(), "0"), "database": "a\nb", "user": "x\ty"}
    entry = {"name": "a\nb", "port": "5432", "pool_size": "7"}
    (database,) = rows.databases(table(_DATABASES["1.24"], entry), lambda *_: "")
    user = {"name": "x\ty", "pool_size": "", "reserve_pool_size": "3"}
    (role,) = rows.users(table(_USERS["1.24"], user), default_size=20)
    (pool,) = rows.pools(table(_POOLS["1.24"], row), {database.name: database}, {role.name: role})
    assert (pool.size, pool.reserve) == (7, 3)


def test_a_pool_that_outlives_its_database_has_the_default_size() -> None:
    row = {**dict.fromkeys(_POOLS["1.24"].split(), "0"), "database": "gone", "user": "app"}
    (pool,) = rows.pools(table(_POOLS["1.24"], row), {}, {}, Database("", size=20, reserve=5))
    assert (pool.size, pool.reserve) == (20, 5)


def test_the_settings() -> None:
    settings = {
        "max_client_conn": "100",
        "default_pool_size": "0",
        "reserve_pool_size": "2",
        "max_db_connections": "0",
        "max_user_connections": "9",
        "query_wait_timeout": "0",
        "auth_type": "any",
        "so_reuseport": "1",
        "admin_users": "root, dba",
        "stats_users": "",
    }
    config = rows.config(
        table("key value", *({"key": key, "value": value} for key, value in settings.items()))
    )
    assert (config.most_clients, config.size, config.reserve) == (100, None, 2)
    assert (config.most_connections_of_a_database, config.most_connections_of_a_user) == (None, 9)
    assert config.wait_timeout_seconds is None
    assert config.any_role
    assert config.shares_port
    assert config.console_users == {"root", "dba"}


def test_server_connections_whose_process_is_known() -> None:
    columns = "type user database state addr port local_addr local_port remote_pid"
    one = {"user": "app", "database": "shop", "addr": "10.0.0.1", "local_port": "40000"}
    found = rows.links(
        table(
            columns,
            {**one, "remote_pid": "17"},
            {**one, "remote_pid": ""},
            {**one, "addr": "unix", "remote_pid": "18"},
        )
    )
    assert [(link.pid, link.port) for link in found] == [(17, 40000), (18, -1)]


@pytest.mark.parametrize("text", ["many", "1.5", "9" * 5000])
def test_what_is_no_number_is_senseless(text: str) -> None:
    row = {**dict.fromkeys(_POOLS["1.18"].split(), "0"), "database": "shop", "cl_waiting": text}
    with pytest.raises(SenselessError):
        rows.pools(table(_POOLS["1.18"], row), {}, {})


def test_clients_in_groups_with_the_age_of_the_oldest() -> None:
    columns = "type user database state connect_time application_name"
    one = {"user": "app", "database": "shop", "state": "active", "application_name": "web"}
    found = groups(
        table(
            columns,
            {**one, "connect_time": "1970-01-01 00:01:30 UTC"},
            {**one, "connect_time": "1970-01-01 00:01:40 UTC"},
            {**one, "connect_time": "1970-01-01 00:01:40 CET", "state": "waiting"},
        ),
        now=100.0,
    )
    assert {(g.state, g.count, g.oldest_seconds) for g in found} == {
        ("active", 2, 10.0),
        ("waiting", 1, None),
    }
    assert {(g.database, g.role) for g in found} == {("shop", "app")}


def test_clients_of_a_version_without_names() -> None:
    found = groups(table("user database state", {"user": "app", "state": "idle"}), now=100.0)
    assert [(g.application_name, g.count) for g in found] == [("", 1)]


def test_versions() -> None:
    assert rows.version_of("1.26.1/bouncer") == (1, 26, 1)
    assert rows.version_of("odd") == ()
    assert Pool("a", "b").server_connections == 0
