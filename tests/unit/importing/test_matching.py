"""Tests which server in a Prometheus a target is, and that in doubt it is none."""

from __future__ import annotations

import pytest

from pgheadroom.backtest.prometheus import KnownServer
from pgheadroom.importing.matching import NoMatchError, Wanted, listed, matched, matched_all
from pgheadroom.postgres.whereabouts import address

ORDERS = Wanted("orders", "db1")


def own(target: str, *servers: str, instance: str = "a:10187") -> KnownServer:
    labels = {"job": "pgheadroom", "instance": instance, "target": target}
    return KnownServer(f"{target} ({instance})", labels, servers=servers)


def peer(instance: str, server: str = "", told_by: str = "application_name") -> KnownServer:
    labels = {"job": "postgres", "instance": instance} | ({"server": server} if server else {})
    notes = ("Logins are not counted.",)
    return KnownServer(server or instance, labels, notes, own=False, told_by=told_by)


@pytest.mark.parametrize(
    "known",
    [
        own("orders", "db1"),
        own("orders", "db1#7012"),
        own("orders"),
        own("shop", "db1"),
        peer("exporter:9187", "db1:5432"),
        peer("db1:9187", "localhost:5432"),
        peer("db1:9187", ":5432"),
        peer("db1:5432"),
        peer("orders"),
    ],
    ids=lambda one: f"{one.name} {one.identity} {one.servers}",
)
def test_it_is_found_by_its_name_or_its_address(known: KnownServer) -> None:
    others = [own("billing", "db2"), peer("db2:9187", "db2:5432"), peer("db3:9187", "127.0.0.1:1")]
    match = matched(ORDERS, [*others, known])
    assert [one.name for one in match.servers] == [known.name]
    assert match.target == "orders"


@pytest.mark.parametrize(
    "known",
    [
        peer("db1:9187", "db2:5432"),
        peer("db1:9187", "localhost:5433"),
        peer("db1:9187"),
        peer("localhost:9187", "localhost:5432"),
        peer("x y", "host=db1 port=5432"),
        own("Orders", "db1:5433"),
    ],
    ids=lambda one: f"{one.identity} {one.servers}",
)
def test_what_only_looks_like_it_is_not_it(known: KnownServer) -> None:
    with pytest.raises(NoMatchError, match="nothing there has its name or its address"):
        matched(ORDERS, [known])


def test_a_port_of_its_own_and_an_ipv6_address() -> None:
    where = address("host=2001:db8::1 port=5433")
    match = matched(Wanted("x", where), [peer("e:9187", "[2001:db8::1]:5433")])
    assert len(match.servers) == 1


def test_a_name_that_was_another_server_is_refused_unless_told() -> None:
    """A target that was moved: the days of the old server are not those of the new one."""
    known = [own("orders", "db9", "db9#7")]
    with pytest.raises(NoMatchError, match="its name is there, but of another server: db9"):
        matched(ORDERS, known)
    match = matched(ORDERS._replace(called="orders"), known)
    assert match.notes == ("It was measured at db9, and the target is at db1.",)
    assert match.servers[0].only == ()


def test_of_a_target_that_moved_only_the_times_at_this_address_count() -> None:
    match = matched(ORDERS, [own("orders", "db9", "db1", "db1#5", "db1")])
    assert match.servers[0].only == ("db1", "db1#5")


def test_another_cluster_at_the_same_address_is_said() -> None:
    known = [own("orders", "db1", "db1#5")]
    assert matched(ORDERS._replace(identifier="5"), known).notes == ()
    (note,) = matched(ORDERS._replace(identifier="6"), known).notes
    assert "earlier cluster" in note


def test_one_server_under_labels_that_changed_is_one_history() -> None:
    """Each pod of ours has an address of its own, which is the label `instance`."""
    pods = [own("orders", "db1", "db1#5", instance=f"10.0.0.{n}:10187") for n in range(3)]
    assert len(matched(ORDERS, [*pods, own("billing", "db2")]).servers) == 3
    exporters = [peer(f"10.0.0.{n}:9187", "db1:5432") for n in range(2)]
    assert len(matched(ORDERS, exporters).servers) == 2


def test_ours_comes_before_an_exporters() -> None:
    match = matched(ORDERS, [peer("db1:9187", "db1:5432"), own("orders", "db1")])
    assert [one.own for one in match.servers] == [True]


def test_two_that_may_be_it_are_none() -> None:
    known = [peer("orders"), peer("x:9187", "orders")]
    with pytest.raises(NoMatchError, match="2 of them may be it: orders, orders"):
        matched(ORDERS, known)
    same_name = [own("shop", "db2"), own("shop", "db3", instance="b:1")]
    with pytest.raises(NoMatchError, match="2 of them may be it"):
        matched(ORDERS._replace(called="shop"), same_name)
    match = matched(ORDERS._replace(called="shop (b:1)"), same_name)
    assert match.servers == (same_name[1],)


def test_all_problems_are_told_at_once() -> None:
    known = [own("orders", "db1"), peer("db2:9187", "db2:5432")]
    wanted = [ORDERS, Wanted("billing", "db2"), Wanted("x", "db8"), Wanted("y", "db9", "", "zzz")]
    matches, problems = matched_all(wanted, known)
    assert [match.target for match in matches] == ["orders", "billing"]
    assert problems == [
        "x (at db8): nothing there has its name or its address",
        "y (at db9): there is no zzz",
    ]
    assert listed(known) == "orders (a:10187) (pgheadroom), db2:5432 (postgres_exporter)"
