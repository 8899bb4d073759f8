"""Tests that the application that an alert names is shown, however many others there are."""

from tests.support.histories import (
    HOUR,
    START,
    Held,
    Shape,
    after,
    climb,
    pool,
    ramp,
    samples,
    together,
)
from tests.support.readings import POLICY

from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.model.alert import AlertName
from pgheadroom.model.names import OTHER
from pgheadroom.model.reading import Group
from pgheadroom.model.slots import Limits
from pgheadroom.status.figures import climbing_seconds, growth_rates, verdicts
from pgheadroom.step import step

LIMITS = Limits(max_connections=1000, superuser_reserved=3)


def tenants(number: int, size: int) -> Shape:
    """Return *number* applications that hold *size* connections each."""
    names = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(number)]
    return lambda _: dict.fromkeys(names, size)


def test_a_leak_among_many_applications_is_named_and_shown() -> None:
    """It never holds as many as those that have series of their own."""
    shape = together(tenants(60, 14), climb("leaky", 1, 1 / 1200))
    state = after(samples(shape, 4 * HOUR, 15.0, limits=LIMITS))
    (alert,) = [one for one in state.alerts if one.name is AlertName.LEAKING]
    assert alert.application_name == "leaky"
    assert state.applications.totals["leaky"] == 13
    assert climbing_seconds(state)["leaky"] >= HOUR
    assert verdicts(state)["leaky"] is Verdict.CLIMBING
    assert len(state.applications.members) == 50


def test_a_storm_among_many_applications_is_named() -> None:
    shape = together(tenants(60, 16), ramp("stormy", 0, 30, 600, 630))
    state = after(samples(shape, 640, limits=LIMITS))
    assert state.alerts
    assert {one.application_name for one in state.alerts} == {"stormy"}
    assert growth_rates(state)["stormy"] == max(growth_rates(state).values())
    assert state.applications.totals["stormy"] == 30


def test_an_application_that_gets_series_of_its_own_has_not_grown_by_all_that_it_holds() -> None:
    """Nor does `other` grow by what is summed in it from now on."""

    def shape(at: float) -> Held:
        return {**tenants(60, 10)(at), "slow": 9 if at < 600 else 24}

    state = after(samples(shape, 620, limits=LIMITS))
    rates = growth_rates(state)
    assert "slow" in state.applications.members
    assert round(rates["slow"] * 300) == 15
    assert round(rates[OTHER] * 300) == 0


def test_the_pools_of_an_application_that_leaks_are_shown() -> None:
    """Of more than 200 pools the smallest are summed, but not those that one asks for."""
    shape = together(pool("web", 500), climb("leaky", 1, 1 / 1200))
    known = after(samples(shape, 4 * HOUR, 15.0, limits=LIMITS))
    found = tuple(
        Group("web", "idle", 2, 1.0, database=f"db{number}", role="web") for number in range(250)
    )
    leaky = Group("leaky", "idle", 1, 1.0, database="shop", role="leaky")
    assert known.sample is not None
    holders = known.sample.holders._replace(at=START + 4 * HOUR, groups=(*found, leaky))
    newest = known.sample._replace(at=START + 4 * HOUR, holders=holders)
    pools = step(known, newest, POLICY).applications.by_holder
    assert pools["leaky", "shop", "leaky"] == 1
    assert len(pools) == 200
    assert sum(pools.values()) == 501
