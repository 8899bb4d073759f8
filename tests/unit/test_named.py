"""Is the application that an alert speaks of named, and shown, however many others there are?"""

from tests.unit.histories import (
    HOUR,
    Holders,
    Shape,
    after,
    climb,
    ramp,
    samples,
    together,
)

from pgheadroom.alert import AlertName
from pgheadroom.behaviour import climbing_seconds, growth_rates, verdicts
from pgheadroom.names import OTHER
from pgheadroom.slots import Limits
from pgheadroom.tendency import Verdict

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

    def shape(at: float) -> Holders:
        return {**tenants(60, 10)(at), "slow": 9 if at < 600 else 24}

    state = after(samples(shape, 620, limits=LIMITS))
    rates = growth_rates(state)
    assert "slow" in state.applications.members
    assert round(rates["slow"] * 300) == 15
    assert round(rates[OTHER] * 300) == 0
