"""Tests that connections of many names are summed right, bounded, and steady."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from tests.support.readings import POLICY, pooler_sample, sample

from pgheadroom.model.applications import STARTING, Applications, count, unattributed
from pgheadroom.model.names import OTHER, UNNAMED, NameFolder
from pgheadroom.model.reading import Group, Sample
from pgheadroom.model.slots import Limits
from pgheadroom.postgres.cadence import Pulse, carry
from pgheadroom.state import State
from pgheadroom.step import step

names = st.sampled_from([f"app{chr(97 + n)}" for n in range(20)] + ["", OTHER, UNNAMED])
groups = st.lists(
    st.builds(
        Group,
        application_name=names,
        state=st.sampled_from(["active", "idle"]),
        count=st.integers(1, 50),
        oldest_seconds=st.none() | st.floats(0, 1e6),
    ),
    max_size=40,
).map(tuple)


def counted(
    found: tuple[Group, ...],
    *,
    hidden: int = 0,
    before: Applications | None = None,
    at: float = 0.0,
    most: int = 5,
    fold: Callable[[str], str] | None = None,
) -> Applications:
    return count(
        found, hidden, fold or NameFolder().fold, before=before or Applications(), at=at, most=most
    )


def group(name: str, number: int, state: str = "idle") -> Group:
    return Group(name, state, number, 1.0)


def shown(applications: Applications) -> set[str]:
    return {name for name, _ in applications.counts}


@given(groups, st.integers(0, 30))
def test_the_parts_add_up_to_the_slots_in_use(found: tuple[Group, ...], hidden: int) -> None:
    total = sum(g.count for g in found) + hidden
    assert sum(counted(found, hidden=hidden).counts.values()) == total


@given(st.lists(groups, min_size=1, max_size=8), st.integers(1, 6))
def test_never_more_series_than_allowed(samples: list[tuple[Group, ...]], most: int) -> None:
    before = Applications()
    for at, found in enumerate(samples):
        before = counted(found, before=before, at=float(at), most=most)
        assert len(shown(before) - {OTHER, UNNAMED}) <= most
        assert len(before.members) <= most


def test_a_member_stays_while_others_of_like_size_come() -> None:
    before = counted((group("a", 5), group("b", 5)), most=2)
    after = counted((group("a", 5), group("b", 5), group("c", 10)), before=before, at=1.0, most=2)
    assert shown(after) == {"a", "b", OTHER}
    assert after.in_other == 1


def test_a_newcomer_that_matters_gets_its_series() -> None:
    """A storm of a new name must not hide in `other`."""
    before = counted((group("a", 5), group("b", 5)), most=2)
    after = counted(
        (group("a", 5), group("b", 4), group("storm", 40)), before=before, at=1.0, most=2
    )
    assert shown(after) == {"a", "storm", OTHER}


def test_who_comes_back_soon_finds_its_place() -> None:
    before = counted((group("a", 5), group("b", 5)), most=2)
    gone = counted((group("a", 5),), before=before, at=30.0, most=2)
    assert shown(gone) == {"a"}
    back = counted((group("a", 5), group("b", 1), group("c", 1)), before=gone, at=60.0, most=2)
    assert shown(back) == {"a", "b", OTHER}


def test_who_stays_away_loses_it() -> None:
    before = counted((group("a", 5), group("b", 5)), most=2)
    after = counted((group("a", 5), group("c", 1)), before=before, at=601.0, most=2)
    assert shown(after) == {"a", "c"}


def test_many_passing_names_do_not_churn() -> None:
    """50,000 names in an hour, each there for one sample: the series stay few."""
    before, ever = Applications(), set[str]()
    for at in range(3600):
        found = tuple(group(f"x{chr(97 + n)}{at}y", 1) for n in range(14))
        before = counted(found, before=before, at=float(at), most=50, fold=str)
        ever |= shown(before)
    assert len(ever) < 50 * 8


def test_logins_under_way_are_unnamed_and_starting() -> None:
    found = counted((group("", 2, "idle"),), hidden=3)
    assert found.counts == {(UNNAMED, "idle"): 2, (UNNAMED, STARTING): 3}


def test_folded_names_share_a_series_and_are_counted() -> None:
    found = counted((group("web-0", 2), group("web-1", 3), group("db", 1)))
    assert found.counts == {("web-*", "idle"): 5, ("db", "idle"): 1}
    assert found.rewritten == 2


def test_the_oldest_of_a_name_is_the_oldest_of_all_its_groups() -> None:
    found = counted((Group("a-0", "idle", 1, 5.0), Group("a-1", "active", 1, 9.0)))
    assert found.oldest_seconds == {"a-*": 9.0}


def test_pools_are_told_by_database_and_role() -> None:
    groups = (
        Group("api-1", "idle", 4, 1.0, "shop", "app"),
        Group("api-2", "active", 2, 1.0, "shop", "app"),
        Group("api-1", "idle", 3, 1.0, "shop", "admin"),
        Group("api-1", "idle", 1, None),
    )
    assert counted(groups).by_holder == {("api-*", "shop", "app"): 6, ("api-*", "shop", "admin"): 3}


def test_pools_of_those_without_a_place_are_others() -> None:
    groups = tuple(Group(f"a{n:x}q", "idle", 9 - n, 1.0, "shop", "app") for n in range(4))
    found = counted(groups, most=2)
    assert found.by_holder == {
        ("a0q", "shop", "app"): 9,
        ("a1q", "shop", "app"): 8,
        ("other", "shop", "app"): 13,
    }


@given(st.integers(150, 300))
def test_pools_are_bounded_and_none_is_lost(number: int) -> None:
    groups = tuple(Group("api", "idle", 1 + n % 7, 1.0, f"d{n}", "app") for n in range(number))
    pools = counted(groups).by_holder
    assert len(pools) == min(number, 200)
    assert sum(pools.values()) == sum(group.count for group in groups)


def not_attributed(*samples: Sample) -> int:
    state = State("db")
    for one in samples:
        state = step(state, one, POLICY)
    assert state.sample is not None
    return unattributed(state.sample, state.applications)


def test_with_a_full_reading_everybody_is_known() -> None:
    assert not_attributed(sample(hidden=3)) == 0
    assert not_attributed(pooler_sample(used=4)) == 0


@given(groups, st.integers(0, 50), st.integers(0, 3000), st.integers(0, 50))
def test_who_came_after_a_full_reading_is_not_attributed(
    found: tuple[Group, ...], hidden: int, visible: int, hidden_then: int
) -> None:
    """Logins in progress are ``unnamed``, and no application's yet; who left leaves nobody over."""
    full = sample(1000.0, found, hidden, Limits(max_connections=3000, superuser_reserved=3))
    later = carry(full, Pulse(1001.0, 0.001, visible, hidden_then, started_at=500.0))
    assert not_attributed(full) == 0
    assert not_attributed(full, later) == max(0, visible - full.holders.visible)
