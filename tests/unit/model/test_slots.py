"""Tests that limits and free slots follow PostgreSQL's rules, whatever the settings."""

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.model.slots import Limits, Slots, Tier

counts = st.integers(min_value=0, max_value=20_000)
limits = st.builds(
    Limits,
    max_connections=st.integers(min_value=1, max_value=262_143),
    superuser_reserved=counts,
    reserved=counts,
    provider_reserved=counts,
)
slots = st.builds(Slots, limits=limits, visible=counts, hidden=counts)


def test_the_reserves_are_taken_off_one_after_the_other() -> None:
    found = Limits(max_connections=100, superuser_reserved=3, reserved=2, provider_reserved=15)
    assert found.of(Tier.SUPERUSER) == 100
    assert found.of(Tier.RESERVED) == 97
    assert found.of(Tier.ORDINARY) == 80


def test_a_login_under_way_takes_a_slot() -> None:
    found = Slots(Limits(20, 3, 2), visible=10, hidden=5)
    assert found.used == 15
    assert found.free(Tier.ORDINARY) == 0
    assert found.free(Tier.RESERVED) == 2
    assert found.reserved_used == 0


def test_a_superuser_beyond_the_ordinary_limit_is_reserved_slot_pressure() -> None:
    assert Slots(Limits(20, 3, 2), visible=18, hidden=0).reserved_used == 3


@given(slots)
def test_free_is_never_negative_and_never_more_than_the_limit(found: Slots) -> None:
    for tier in Tier:
        assert 0 <= found.free(tier) <= found.limits.of(tier)


@given(slots)
def test_who_may_more_has_at_least_as_many_free(found: Slots) -> None:
    assert found.free(Tier.ORDINARY) <= found.free(Tier.RESERVED) <= found.free(Tier.SUPERUSER)


@given(slots)
def test_the_reserve_is_in_use_only_when_nothing_ordinary_is_free(found: Slots) -> None:
    assert not (found.reserved_used and found.free(Tier.ORDINARY))


@given(slots)
def test_one_more_client_takes_at_most_one_slot_from_anybody(found: Slots) -> None:
    more = Slots(found.limits, visible=found.visible + 1, hidden=found.hidden)
    for tier in Tier:
        assert found.free(tier) - more.free(tier) in (0, 1)
