"""Tests that the roots of queues for locks are found, whoever waits for whom."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.model.blockers import Blocker, Blockers, Locker, blockers
from pgheadroom.model.names import NameFolder


def locker(
    pid: int,
    waits: float | None = None,
    *,
    name: str = "",
    kind: str = "client backend",
    transaction: float | None = 100.0,
) -> Locker:
    return Locker(pid, kind, name or f"app{pid}", "app", "shop", "active", transaction, waits)


def found(edges: Mapping[int, set[int]], *lockers: Locker, waiting: int | None = None) -> Blockers:
    return blockers(
        1000.0,
        len(edges) if waiting is None else waiting,
        {pid: frozenset(those) for pid, those in edges.items()},
        {one.pid: one for one in lockers},
    )


def blocked(them: Blockers) -> dict[int, int]:
    return {root.pid: root.blocks for root in them.roots}


def test_a_chain_ends_at_its_root() -> None:
    them = found({2: {1}, 3: {2}}, locker(1), locker(2, 7.0), locker(3, 90.0))
    assert them == Blockers(
        1000.0,
        waiting=2,
        looked_at=2,
        roots=(
            Blocker(
                *(1, "client backend", "app1", "app", "shop", "active", 100.0),
                blocks=2,
                longest_wait_seconds=90.0,
                applications=(("app2", 1), ("app3", 1)),
            ),
        ),
    )


def test_who_waits_in_line_waits_for_the_root_only() -> None:
    """Those ahead in the queue block, too; and they wait for the same one."""
    edges = {2: {1}, 3: {1, 2}, 4: {1, 2, 3}}
    assert blocked(found(edges, locker(1), *(locker(pid, 1.0) for pid in (2, 3, 4)))) == {1: 3}


def test_one_session_may_wait_for_several() -> None:
    edges = {3: {1, 2}, 4: {2}}
    assert blocked(found(edges, *map(locker, (1, 2)), locker(3, 1.0), locker(4, 1.0))) == {
        2: 2,
        1: 1,
    }


def test_of_those_who_block_as_many_the_older_transaction_comes_first() -> None:
    young, old, none = locker(1, transaction=5.0), locker(2), locker(3, transaction=None)
    waiter = locker(4, 1.0)
    assert list(blocked(found({4: {1, 2, 3}}, young, old, none, waiter))) == [2, 1, 3]


def test_who_waits_in_a_circle_has_no_root() -> None:
    """The server ends a deadlock, after a second or as it is set to."""
    edges = {1: {2}, 2: {1}, 3: {1}}
    them = found(edges, *(locker(pid, 1.0) for pid in (1, 2, 3)))
    assert (them.roots, them.waiting) == ((), 3)
    edges[2] = {1, 4}
    assert blocked(found(edges, *(locker(pid, 1.0) for pid in (1, 2, 3)), locker(4))) == {4: 3}


def test_one_who_waits_and_was_not_followed_is_no_root() -> None:
    assert found({2: {1}}, locker(1, 3.0), locker(2, 1.0)).roots == ()


def test_one_whose_wait_was_over_meanwhile_is_a_root() -> None:
    assert blocked(found({2: {1}, 1: set()}, locker(1, 3.0), locker(2, 1.0))) == {1: 1}


def test_who_has_left_blocks_nobody() -> None:
    assert found({2: {1}}, locker(2, 1.0)).roots == ()
    assert found({2: {1}}, locker(1)).roots == ()


def test_nobody_blocks_itself() -> None:
    assert found({1: {1}, 2: {1}}, locker(1), locker(2, 1.0)).roots[0].blocks == 1


def test_what_waits_and_is_no_client_is_called_what_it_is() -> None:
    worker = locker(2, 1.0, name="api", kind="autovacuum worker")
    hidden = locker(3, 1.0, name="api", kind="")
    (root,) = found({2: {1}, 3: {1}}, locker(1), worker, hidden).roots
    assert root.applications == (("api", 1), ("autovacuum worker", 1))


def test_applications_that_wait_are_folded_and_the_root_is_not() -> None:
    waiting = (locker(2, 1.0, name="api-1"), locker(3, 1.0, name="api-2"), locker(4, 1.0, name=" "))
    edges = {2: {1}, 3: {1}, 4: {1}}
    (root,) = found(edges, locker(1, name="worker-3"), *waiting).folded(NameFolder().fold).roots
    assert root.application_name == "worker-3"
    assert root.applications == (("api-*", 2), ("unnamed", 1))


pids = st.integers(1, 12)


@given(st.dictionaries(pids, st.sets(pids, max_size=6)), st.sets(pids))
def test_each_root_is_reached_by_whom_it_blocks(
    edges: dict[int, set[int]], there: set[int]
) -> None:
    """At most five, most blocked first, none of which waits; and none is left out."""
    edges = {pid: those - {pid} for pid, those in edges.items()}
    them = found(edges, *(locker(pid, 1.0 if edges.get(pid) else None) for pid in there))
    expected: dict[int, int] = {}
    for pid in edges.keys() & there:
        reached, further = {pid}, {pid}
        while further:
            further = {end for one in further for end in edges.get(one, ())} - reached
            reached |= further
        for end in reached & there:
            if not edges.get(end) and end != pid:
                expected[end] = expected.get(end, 0) + 1
    assert len(them.roots) == min(5, len(expected))
    counts = [root.blocks for root in them.roots]
    assert counts == sorted(expected.values(), reverse=True)[:5]
    for root in them.roots:
        assert expected[root.pid] == root.blocks == sum(count for _, count in root.applications)
