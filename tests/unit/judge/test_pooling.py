"""Tests which slots are whose, which server is behind a pooler, and what does not fit."""

import pytest
from tests.support.readings import POLICY, pooler_sample, sample

from pgheadroom.judge.pooling import pooling
from pgheadroom.judge.rules.overcommit import arithmetic, overcommitted_slots
from pgheadroom.model.alert import AlertName
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.pooler import Database, Link, Pool, PoolerConfig
from pgheadroom.model.pooling import HighWater, Pooling
from pgheadroom.model.reading import Failure, Group, Outcome, Sample
from pgheadroom.model.slots import Limits
from pgheadroom.state import State
from pgheadroom.status.advice import to_do
from pgheadroom.status.standing import Standing, standing
from pgheadroom.step import step

NOW = 2000.0
LIMITS = Limits(max_connections=100, superuser_reserved=3)


def server(
    name: str = "orders",
    address: str = "db1",
    backends: tuple[tuple[int, int], ...] = (),
    used: int = 10,
) -> State:
    found = sample(groups=(Group("api", "idle", used, 1.0),), limits=LIMITS)
    found = found._replace(facts=found.postgres._replace(backends=backends))
    return step(State(name).of(Identity(address)), found, POLICY)


def pooler(found: Sample, name: str = "pool", serves: str = "", replicas: int = 1) -> State:
    identity = Identity("pooler", TargetKind.PGBOUNCER, serves, replicas)
    return step(State(name).of(identity), found, POLICY)


LINKS = (Link("shop", "app", 11, 4001), Link("shop", "app", 12, 4002))
POOLS = (Pool("shop", "app", size=20, servers=(("active", 1), ("idle", 1))),)


def test_process_and_port_prove_what_is_behind_a_pooler() -> None:
    """Whatever the address says: it may be another name of the same server."""
    behind = server(address="elsewhere", backends=((11, 4001), (12, 4002), (13, 4003)))
    found = pooling(behind, [pooler(pooler_sample(links=LINKS, pools=POOLS))], NOW)
    assert found is not None
    (use,) = found.uses
    assert (use.pooler, use.pooled, use.committed, found.direct) == ("pool", 2, 20, 8)


def test_a_process_alone_proves_nothing() -> None:
    """Two servers may have processes of one number."""
    other = server(address="elsewhere", backends=((11, 5001), (12, 5002)))
    found = pooling(other, [pooler(pooler_sample(links=LINKS))], NOW)
    assert found == Pooling(NOW, (), 10)


def test_where_the_address_agrees_no_proof_is_needed() -> None:
    """Ports are translated on the way, or hidden from our role."""
    found = pooling(server(address="db1"), [pooler(pooler_sample(pools=POOLS))], NOW)
    assert found is not None
    assert (found.uses[0].pooled, found.direct) == (2, 8)


def test_of_an_entry_with_several_hosts_those_count_that_are_there() -> None:
    spread = pooler_sample(links=LINKS, pools=POOLS, databases=(Database("shop", size=20),))
    found = pooling(server(backends=((11, 4001), (13, 4003))), [pooler(spread)], NOW)
    assert found is not None
    assert (found.uses[0].pooled, found.direct) == (1, 9)


def test_the_setting_tells_where_nothing_else_does() -> None:
    unknown = pooler_sample(databases=(Database("shop", size=20, address="10-0-0-1"),))
    assert pooling(server(), [pooler(unknown)], NOW) == Pooling(NOW, direct=10)
    found = pooling(server(), [pooler(unknown, serves="orders")], NOW)
    assert found is not None
    assert [use.pooler for use in found.uses] == ["pool"]
    other = pooling(server("other"), [pooler(unknown, serves="orders")], NOW)
    assert other == Pooling(NOW, direct=10)


def test_of_several_databases_those_count_that_lead_there() -> None:
    found = pooler_sample(
        databases=(
            Database("shop", size=20, address="db1"),
            Database("bill", size=30, address="db2"),
        ),
        pools=(Pool("shop", "app", size=20), Pool("bill", "app", size=30)),
    )
    here = pooling(server(address="db1"), [pooler(found)], NOW)
    there = pooling(server(address="db2"), [pooler(found)], NOW)
    assert here is not None
    assert there is not None
    assert (here.uses[0].committed, there.uses[0].committed) == (20, 30)


def test_a_pooler_that_is_not_seen_leaves_direct_use_unknown() -> None:
    blind = step(
        pooler(pooler_sample(links=LINKS)), Failure(NOW, Outcome.TIMEOUT, "silence"), POLICY
    )
    found = pooling(server(backends=((11, 4001),)), [blind], NOW)
    assert found is not None
    assert (found.uses[0].pooled, found.direct) == (None, None)


def test_a_pooler_knows_whom_it_serves() -> None:
    state = pooler(pooler_sample(links=LINKS))
    servers = [server("orders", "db1"), server("other", "db2")]
    assert pooling(state, servers, NOW) == Pooling(NOW, serves=("orders",))


def test_without_a_pooler_there_is_nothing_to_tell() -> None:
    assert pooling(server(), [server("other")], NOW) is None


def over(used: int, *poolers: State) -> tuple[int | None, str, State]:
    """Return what a server with so many direct connections is over by, in words too."""
    state = server(used=used, backends=tuple((1000 + n, 1) for n in range(used)))
    found = pooling(state, poolers, NOW)
    assert found is not None
    state = step(state, found, POLICY)
    missing = overcommitted_slots(state)
    return missing, arithmetic(state, missing), state


def test_it_fits() -> None:
    missing, words, state = over(10, pooler(pooler_sample()))
    assert missing == 0
    assert words == (
        "pool may open 20 connections by its pool; direct use is 10 now; there are 97"
        " ordinary slots: it fits."
    )
    assert not state.alerts


def test_processes_that_nobody_watches_count() -> None:
    """Six replicas of 1500 in front of 5000 slots, of which eleven are not for clients."""
    big = pooler_sample(
        limit=2000,
        pools=(Pool("shop", "app", size=1500),),
        databases=(Database("shop", size=1500, address="db1"),),
    )
    missing, words, _ = over(0, pooler(big, replicas=6))
    assert missing == 9000 - 97
    assert "pool may open 9000 connections by its pool, in 6 processes" in words


def test_twelve_pools_of_twenty() -> None:
    pools = tuple(Pool(d, r, size=20) for d in ("a", "b", "c") for r in ("p", "q", "r", "s"))
    databases = tuple(Database(d, size=20, address="db1") for d in ("a", "b", "c"))
    missing, words, _ = over(0, pooler(pooler_sample(pools=pools, databases=databases)))
    assert missing == 143
    assert "over-committed by 143" in words


def test_it_fits_only_without_the_reserve() -> None:
    pools = (Pool("shop", "app", size=80, reserve=20),)
    databases = (Database("shop", size=80, reserve=20, address="db1"),)
    missing, words, _ = over(5, pooler(pooler_sample(pools=pools, databases=databases)))
    assert missing == 8
    assert "it fits only without the reserve pools, over by 8 with them" in words


def test_a_pool_without_a_bound_is_said_to_be_without() -> None:
    unbounded = pooler_sample(
        pools=(Pool("shop", "app"),),
        databases=(Database("shop", address="db1"),),
        config=PoolerConfig(any_role=True),
    )
    missing, words, state = over(5, pooler(unbounded))
    assert missing is None
    assert "pool may open any number of" in words
    assert "set pool_size or max_db_connections" in words
    assert state.pooling is not None
    assert state.pooling.uses[0].ceiling is None


def test_slots_of_processes_that_nobody_watches_are_no_direct_use() -> None:
    """They are in what the replicas may open already."""
    found = pooling(server(used=60), [pooler(pooler_sample(pools=POOLS), replicas=2)], NOW)
    assert found is not None
    assert (found.uses[0].committed, found.direct) == (40, None)


def test_of_a_pooler_that_was_not_read_yet_nothing_is_direct_use() -> None:
    unread = State("late").of(Identity("late", TargetKind.PGBOUNCER))
    found = pooling(server(), [pooler(pooler_sample(pools=POOLS)), unread], NOW)
    assert found is not None
    assert found.direct is None


def test_another_pooler_makes_the_highest_direct_use_begin_anew() -> None:
    state, one = server(), pooler(pooler_sample(pools=POOLS))
    for second in range(10):
        found = pooling(state, [one], NOW + second)
        assert found is not None
        state = step(state, found, POLICY)
    assert state.direct.highest == 8
    two = pooler(pooler_sample(pools=POOLS), name="other")
    found = pooling(state, [one, two], NOW + 11)
    assert found is not None
    assert step(state, found, POLICY).direct.highest == 6


def test_entries_of_one_place_lead_where_one_of_them_is_proven_to() -> None:
    """Idle ones too, or the sum would change with who is busy."""
    entries = tuple(Database(name, size=30, address="alias") for name in "abc")
    pools = tuple(Pool(name, "app", size=30) for name in "abc")
    found = pooler_sample(databases=entries, pools=pools, links=(Link("a", "app", 11, 4001),))
    told = pooling(server(backends=((11, 4001),)), [pooler(found)], NOW)
    assert told is not None
    assert told.uses[0].committed == 90


def test_a_target_of_another_kind_has_nothing_of_the_old_one() -> None:
    state = pooler(pooler_sample(), name="x")
    changed = state.of(Identity("db1", TargetKind.POSTGRES))
    assert (changed.sample, changed.usage.history.began, changed.alerts) == (None, None, ())


def test_over_commitment_warns_once_and_never_pages() -> None:
    """It is a matter of settings: a restart of the pooler, and pools that are gone, end nothing."""
    pools = tuple(Pool(d, "app", size=20) for d in "abcdef")
    databases = tuple(Database(d, size=20, address="db1") for d in "abcdef")
    many, few = pooler(pooler_sample(pools=pools, databases=databases)), pooler(pooler_sample())
    state = server()
    fired = []
    for second in range(1800):
        at = NOW + second
        found = pooling(state, [few if 600 <= second < 1000 else many], at)
        assert found is not None
        state = step(state, found, POLICY)
        # Slots come free meanwhile, which ends a forecast and no over-commitment.
        held = 70 if second < 600 else 9
        now = sample(at=at, groups=(Group("api", "idle", held, 1.0),), limits=LIMITS)
        state = step(state, now, POLICY)
        fired.append(
            {
                (alert.name, str(alert.severity))
                for alert in state.alerts
                if alert.name is AlertName.OVERCOMMITTED
            }
        )
    assert fired[59] == set()
    assert all(one == {(AlertName.OVERCOMMITTED, "warning")} for one in fired[62:])


def test_what_follows_from_settings_hides_no_climb() -> None:
    """An over-committed server warns for ever, and must still be told as climbing when it does."""
    pools = tuple(Pool(d, "app", size=20) for d in "abcdef")
    databases = tuple(Database(d, size=20, address="db1") for d in "abcdef")
    many, state, seen = pooler(pooler_sample(pools=pools, databases=databases)), server(), set()
    for second in range(120):
        used = 9 if second < 100 else min(40, 9 + 4 * (second - 100))
        at = NOW + second
        state = step(
            state, sample(at=at, groups=(Group("api", "idle", used, 1.0),), limits=LIMITS), POLICY
        )
        found = pooling(state, [many], at)
        assert found is not None
        state = step(state, found, POLICY)
        if state.alerts:
            seen.add((standing(state), to_do(state)[:11]))
    assert {one for one, _ in seen} >= {Standing.ALARMED, Standing.CLIMBING}
    assert (Standing.CLIMBING, "Watch api. ") in seen
    assert (Standing.CLIMBING, "Not urgent:") not in seen


def held(water: HighWater, at: float, value: int) -> HighWater:
    """Return *water* after six seconds of *value* from *at* on."""
    for second in range(6):
        water = water.add(at + second, value)
    return water


@pytest.mark.parametrize(("hour", "highest"), [(1, 9), (23, 9), (24, 2)])
def test_direct_use_is_remembered_for_a_day(hour: int, highest: int) -> None:
    water = held(held(held(HighWater(), 0.0, 9), 60.0, 4), hour * 3600.0, 2)
    assert water.highest == highest


def test_direct_use_of_a_moment_is_not_remembered() -> None:
    """The server had counted connections already that the pooler had not told of yet."""
    water = held(held(HighWater(), 0.0, 9).add(6.0, 54), 7.0, 9)
    assert water.highest == 9


def test_direct_use_is_known_from_the_first_moment() -> None:
    assert HighWater().highest == 0
    assert HighWater().add(0.0, 7).highest == 7
