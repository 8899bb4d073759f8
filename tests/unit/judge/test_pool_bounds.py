"""Tests the arithmetic of pools: worked examples, and a maximum flow against every cut."""

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.judge.pool_bounds import Cap, ceiling, committed, most_together
from pgheadroom.model.pooler import Database, Pool, PoolerConfig, PoolerFacts, User

CONFIG = PoolerConfig(most_clients=1000, size=20)


def facts(
    databases: list[Database], users: list[User], config: PoolerConfig = CONFIG
) -> PoolerFacts:
    """Return a pooler with a pool for each database and user."""
    pools = tuple(
        Pool(one.name, user.name, size=one.size, reserve=one.reserve)
        for one in databases
        for user in users
    )
    return PoolerFacts("PgBouncer", "1.26.1", pools, tuple(databases), tuple(users), config=config)


def names(found: PoolerFacts) -> list[str]:
    return [one.name for one in found.databases]


def test_three_databases_with_four_users_at_the_default() -> None:
    """12 pools of 20 are 240, against 97 slots."""
    found = facts(
        [Database(name, size=20) for name in "abc"], [User(name) for name in ("p", "q", "r", "s")]
    )
    assert committed(found, names(found)).most == 240


def test_six_replicas_of_a_pool_of_1500_are_9000() -> None:
    found = facts(
        [Database("ol", size=1500)], [User("app")], PoolerConfig(most_clients=2000, size=1500)
    )
    most = committed(found, names(found)).most
    assert most is not None
    assert 6 * most == 9000


def test_replicas_of_the_default_count_for_each_user_and_database() -> None:
    """A platform's "3 replicas x 20 = 60" leaves out that there is a pool for each pair."""
    found = facts([Database(name, size=20) for name in "ab"], [User("app"), User("job")])
    most = committed(found, names(found)).most
    assert most is not None
    assert 3 * most == 240


def test_a_pool_of_nine_tenths_of_the_server_for_each_user() -> None:
    """Two users are 186, against 97 slots: over-committed by design."""
    found = facts([Database("neondb", size=93)], [User("app"), User("job")])
    assert committed(found, ["neondb"]).most == 186


def test_no_pool_is_larger_than_there_are_places_for_clients() -> None:
    found = facts(
        [Database("ol", size=1500)], [User("app")], PoolerConfig(most_clients=100, size=1500)
    )
    assert committed(found, names(found)).most == 100


def test_a_cap_on_each_database_holds_for_each_database() -> None:
    """Two pods of an operator, 30 a database each: two databases are 120 already."""
    found = facts(
        [Database(name, size=15, reserve=7, most_connections=30) for name in "ab"],
        [User("app"), User("job")],
    )
    assert committed(found, names(found)).most == 60
    assert committed(found, names(found), reserve=False).most == 60
    one_user = facts([Database("a", size=15, reserve=7, most_connections=30)], [User("app")])
    assert committed(one_user, ["a"]).most == 22
    assert committed(one_user, ["a"], reserve=False).most == 15


def test_a_pool_without_a_size_is_bounded_by_the_places_for_clients() -> None:
    found = facts([Database("a")], [User("app")])
    assert committed(found, ["a"]).most == 1000
    nothing = facts([Database("a")], [User("app")], PoolerConfig())
    bound = committed(nothing, ["a"])
    assert bound.most is None
    assert "max_db_connections" in bound.unbounded_by


def test_a_limit_on_every_user_holds_where_users_tell_none() -> None:
    """Up to 1.22 it is in the settings alone."""
    capped = CONFIG._replace(most_connections_of_a_user=5)
    found = facts([Database(name, size=20) for name in "ab"], [User("app")], capped)
    assert committed(found, names(found)).most == 5


def test_a_role_that_is_forced_logs_in_nowhere_else() -> None:
    found = facts(
        [Database("a", size=10), Database("c", size=5, forced_role="web")],
        [User("app"), User("web")],
    )._replace(pools=(Pool("a", "app", size=10), Pool("c", "web", size=5)))
    assert ceiling(found, names(found)).most == 15


def test_a_cap_bounds_what_has_no_size() -> None:
    found = facts([Database("a", most_connections=40)], [User("app"), User("job")])
    assert committed(found, ["a"]).most == 40
    by_role = facts([Database("a")], [User("app", most_connections=25)])
    assert committed(by_role, ["a"]).most == 25


def test_the_ceiling_has_a_pool_for_each_role_and_database() -> None:
    """Whether it exists already or not; the console's own users open none."""
    found = facts(
        [Database(name, size=10) for name in "ab"],
        [User("app"), User("job"), User("stats")],
        CONFIG._replace(console_users=frozenset({"stats"})),
    )._replace(pools=(Pool("a", "app", size=10),))
    assert committed(found, names(found)).most == 10
    assert ceiling(found, names(found)).most == 40


def test_a_forced_role_makes_one_pool() -> None:
    found = facts([Database("a", size=10, forced_role="owner")], [User("app"), User("job")])
    assert ceiling(found, ["a"]).most == 10


def test_roles_that_are_looked_up_make_no_end_of_pools() -> None:
    anybody = CONFIG._replace(any_role=True)
    found = facts([Database("a", size=10)], [User("app")], anybody)
    assert ceiling(found, ["a"]).most is None
    assert ceiling(found, ["a"]).unbounded_by == "max_db_connections"
    capped = facts([Database("a", size=10, most_connections=50)], [User("app")], anybody)
    assert ceiling(capped, ["a"]).most == 50


def test_databases_that_lead_elsewhere_do_not_count() -> None:
    found = facts([Database(name, size=10) for name in "ab"], [User("app")])
    assert committed(found, ["b"]).most == 10


@pytest.mark.parametrize(("databases", "most"), [({}, 5), ({"a": 3}, 3), ({"a": 3, "b": 1}, 3)])
def test_one_pool(databases: dict[str, int], most: int) -> None:
    assert most_together((Cap("a", "x", 5),), tuple(databases.items()), ()) == most


def smallest_cut(
    caps: tuple[Cap, ...], databases: dict[str, int], roles: dict[str, int]
) -> int | None:
    """Return the smallest sum of limits that parts source and sink, by trying all of them."""
    all_databases = sorted({cap.database for cap in caps})
    all_roles = sorted({cap.role for cap in caps})
    best: int | None = None
    for inside in subsets(all_databases):
        for reached in subsets(all_roles):
            edges = [databases.get(name) for name in all_databases if name not in inside]
            edges += [roles.get(name) for name in reached]
            edges += [
                cap.most for cap in caps if cap.database in inside and cap.role not in reached
            ]
            if None not in edges:
                total = sum(edge for edge in edges if edge is not None)
                best = total if best is None else min(best, total)
    return best


def subsets(values: list[str]) -> list[tuple[str, ...]]:
    return [*chain.from_iterable(combinations(values, size) for size in range(len(values) + 1))]


LIMITS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 30), max_size=3)
ROLE_LIMITS = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 30), max_size=3)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), st.integers(0, 20), min_size=1
    ),
    LIMITS,
    ROLE_LIMITS,
)
def test_the_most_is_the_smallest_cut(
    pools: dict[tuple[str, str], int], databases: dict[str, int], roles: dict[str, int]
) -> None:
    """What the theorem of Ford and Fulkerson says."""
    caps = tuple(Cap(database, role, most) for (database, role), most in pools.items())
    found = most_together(caps, tuple(databases.items()), tuple(roles.items()))
    assert found == smallest_cut(caps, databases, roles)
