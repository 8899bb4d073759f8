"""Tests that the culprit is the application that grew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.growth import Culprit, culprit, growth
from pgheadroom.forecast.usage import Usage
from pgheadroom.model.names import UNNAMED

names = st.sampled_from(["a", "b", "c", UNNAMED])
holders = st.dictionaries(names, st.integers(0, 90), max_size=4)


def since(then: dict[str, int], now: dict[str, int]) -> Usage:
    """Return usage that goes from *then* to *now* within ten seconds."""
    usage = Usage().add(1000.0, sum(then.values()), then, 97)
    return usage.add(1010.0, sum(now.values()), now, 97)


@given(holders, holders)
def test_growth_is_what_each_has_more_than_then(then: dict[str, int], now: dict[str, int]) -> None:
    found = growth(since(then, now), now, 1000.0)
    assert found == {name: count - then.get(name, 0) for name, count in now.items()}


@given(holders, holders)
def test_the_culprit_is_a_name_that_grew_most(then: dict[str, int], now: dict[str, int]) -> None:
    grown = {name: count - then.get(name, 0) for name, count in now.items()}
    found = culprit(since(then, now), now, 1000.0)
    if found is None:
        assert max(grown.values(), default=0) <= 0
        return
    assert (found.took, found.holds) == (grown[found.application_name], now[found.application_name])
    assert found.took > 0
    if found.application_name != UNNAMED:
        assert found.took == max(took for name, took in grown.items() if name != UNNAMED)


def test_who_holds_most_is_not_to_blame_for_what_another_took() -> None:
    found = culprit(
        since({"big": 60, "new": 2}, {"big": 60, "new": 30}), {"big": 60, "new": 30}, 1e3
    )
    assert found == Culprit("new", 28, 30)


def test_an_application_that_was_not_there_took_all_that_it_has() -> None:
    now = {"a": 5, "b": 7}
    assert culprit(since({"a": 5}, now), now, 1000.0) == Culprit("b", 7, 7)


@pytest.mark.parametrize(("named", "to_blame"), [(4, UNNAMED), (5, "web"), (30, "web")])
def test_logins_without_a_name_are_blamed_only_when_no_name_took_a_good_part(
    named: int, to_blame: str
) -> None:
    now = {"web": 10 + named, UNNAMED: 20}
    found = culprit(since({"web": 10}, now), now, 1000.0)
    assert found is not None
    assert found.application_name == to_blame


def test_nobody_is_blamed_when_nobody_grew() -> None:
    assert culprit(since({"a": 9, "b": 3}, {"a": 5, "b": 3}), {"a": 5, "b": 3}, 1000.0) is None


def test_nothing_is_said_of_a_time_before_anything_was_known() -> None:
    usage = since({"a": 1}, {"a": 9})
    assert growth(usage, {"a": 9}, 900.0) == {}
    assert culprit(usage, {"a": 9}, 900.0) is None
    assert growth(Usage(), {"a": 9}, 900.0) == {}
