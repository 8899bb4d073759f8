"""Tests, second by second, that demos and every shape of use are told as one story."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import pytest
from tests.support.histories import (
    HOUR,
    LIMITS,
    MINUTE,
    Shape,
    bursts,
    climb,
    daily,
    mountains,
    pile_up,
    pool,
    ramp,
    samples,
    staircase,
    together,
)
from tests.support.readings import POLICY
from tests.support.story import Story, story
from tests.unit.test_story import INCIDENTS, scripted

from pgheadroom.demo.load import Script
from pgheadroom.demo.scripts import LAUNCH, LEAK, NEST, STORM
from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.forecast.forecast import Pattern
from pgheadroom.judge.firing import over
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.model.reading import Probe, Reading, Sample
from pgheadroom.state import State
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.figures import growth_rates, verdicts
from pgheadroom.status.standing import Standing, standing
from pgheadroom.status.status import status
from pgheadroom.status.titles import title
from pgheadroom.step import step

CALM: Final = pool("checkout-api", 12, noise=2)
SHAPES: Final[dict[str, list[Reading]]] = {
    "a day": [*samples(daily("web", 20, 60), 30 * HOUR, 60.0)],
    "bursts": [*samples(bursts("web", 10, 70), 2 * HOUR, 5.0)],
    "mountains": [*samples(together(CALM, mountains("batch", 30, 9, 600)), 4000, 2.0)],
    "deploys": [*samples(together(CALM, staircase("pods", 12, 120.0, 60)), 1200)],
    "a pile-up": [*samples(together(CALM, pile_up("api", 4, 20, 60)), 400)],
    "a leak of hours": [*samples(together(CALM, climb("leaky", 4, 1 / 120)), 4 * HOUR, 15.0)],
    "a climb and its cure": [
        *samples(together(CALM, ramp("x", 0, 80, 60, 200), ramp("x", 0, -80, 260, 264)), 900)
    ],
    "a climb that stops": [*samples(together(CALM, ramp("x", 0, 60, 60, 200)), 900)],
}


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_contradicts_itself_at_no_second(name: str) -> None:
    assert story(INCIDENTS[name]).contradictions == []


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_of_use_contradicts_itself_at_no_moment(name: str) -> None:
    assert story(SHAPES[name]).contradictions == []


def test_the_check_finds_what_contradicts() -> None:
    """A state whose parts are of two moments, and one that pages and is told as steady."""
    state, told = State("db"), Story()
    for one in samples(together(CALM, climb("nest-api", 0, 0.5, begins=30)), 220):
        state = step(state, one, POLICY)
    assert state.sample is not None
    torn = state.sample._replace(main=state.sample.main._replace(used=40))
    told.sees(state, 0.0)
    assert told.contradictions == []
    told.sees(state._replace(sample=torn), 0.0)
    assert any("is free" in words or "free" in words for _, words in told.contradictions)


def played(found: Iterable[Reading]) -> list[State]:
    state, states = State("db"), []
    for one in found:
        state = step(state, one, POLICY)
        if isinstance(one, Sample):
            states.append(state)
    return states


def test_a_leak_climbs_and_a_storm_is_a_storm() -> None:
    leak = [
        verdicts(state)[NEST]
        for state in played(scripted(LEAK))
        if state.applications.totals.get(NEST, 0) >= 12 and state.free
    ]
    assert set(leak) == {Verdict.CLIMBING}
    storm = [
        verdicts(state)[LAUNCH]
        for state in played(scripted(STORM))
        if 24 <= state.applications.totals.get(LAUNCH, 0) <= 70 and state.usage.forecasts
    ]
    assert set(storm) == {Verdict.STORM}


def test_growth_is_told_as_it_is() -> None:
    """24 a minute: averaged over five minutes it was told as 2 to 8."""
    rates = [
        60 * growth_rates(state)[NEST]
        for state in played(scripted(LEAK))[:230]
        if state.applications.totals.get(NEST, 0) >= 20
    ]
    assert len(rates) > 100
    assert 19 <= min(rates) <= max(rates) <= 31


def test_a_leak_is_rising_long_before_it_pages() -> None:
    """Never calm, not for a second, from its twelfth connection to the cure."""
    states = [
        state for state in played(scripted(LEAK)) if state.applications.totals.get(NEST, 0) >= 12
    ]
    seen = [condition(state) for state in states]
    assert set(seen) == {Condition.RISING, Condition.CRITICAL}
    assert seen.index(Condition.CRITICAL) > 120
    first = status(states[0])
    assert first.because.endswith("too early to page")
    assert NEST in first.sentence
    assert "at this rate" in first.sentence


def test_the_time_left_of_a_leak_never_counts_backwards() -> None:
    """From the first forecast to the last slot it grows by a few seconds at most."""
    told = [
        state.countdown.seconds
        for state in played(scripted(LEAK))
        if standing(state) is Standing.RUNNING_OUT and state.applications.totals.get(NEST, 0) > 50
    ]
    assert len(told) > 80
    assert max(later - sooner for sooner, later in pairwise(told)) < 10.0
    assert told[-1] < 20.0


@pytest.mark.parametrize("script", [LEAK, STORM])
def test_it_recovers_within_ten_seconds_of_the_cure(script: Script) -> None:
    # Without knocks: the daemon's come every five seconds then, those of the script do not.
    states = played(one for one in scripted(script) if not isinstance(one, Probe))
    pages = [any(alert.severity is Severity.CRITICAL for alert in state.alerts) for state in states]
    assert any(pages)
    cured = next(
        number
        for number, state in enumerate(states)
        if pages[number]
        and (state.free or 0) > 0.2 * LIMITS.max_connections
        and any(alert.name is AlertName.EXHAUSTED for alert in state.alerts)
    )
    after = [condition(state) for state in states[cured : cured + 12]]
    assert Condition.RECOVERING in after
    assert after[-1] is Condition.RECOVERING
    resolved = next(n for n, one in enumerate(pages) if n > cured and not one)
    assert {condition(state) for state in states[cured + 12 : resolved]} == {Condition.RECOVERING}
    assert (resolved - cured) <= 6 * MINUTE


def states_of(shape: Shape, seconds: int) -> list[State]:
    return played(samples(shape, seconds))


def test_a_second_culprit_is_not_hidden_by_the_first_ones_alerts() -> None:
    """Its alerts only wait to resolve: "recovered, no action needed" while slots go is wrong."""

    def two(at: float) -> dict[str, int]:
        first = min(89, int(max(0.0, at - 30))) if at < 130 else 0
        return {"web": 8, "first": first, "second": int(max(0.0, at - 145))}

    states = states_of(two, 225)
    assert any(alert.name is AlertName.EXHAUSTED for alert in states[125].alerts)
    assert condition(states[140]) is Condition.RECOVERING
    assert {condition(state) for state in states[160:180]} == {Condition.RISING}
    for state in states[160:]:
        assert condition(state) in {Condition.RISING, Condition.CRITICAL}
        assert status(state).who == "second"
        assert "first" not in status(state).sentence + status(state).advice
        for alert in state.alerts:
            assert "first" not in title(state, alert)
            assert "No connection slot is left" not in title(state, alert)
    assert condition(states[-1]) is Condition.CRITICAL


def test_a_warning_is_never_told_as_less() -> None:
    for state in played(SHAPES["a leak of hours"]):
        fires = [alert for alert in state.alerts if not over(state, alert)]
        if fires:
            assert condition(state) in {Condition.WARNING, Condition.CRITICAL}


def test_who_made_the_last_peak_is_not_told_as_growing() -> None:
    """Peaks that grow page; between two of them nobody grows, and whoever made them may be gone."""
    told = [
        status(state)
        for state in played(SHAPES["mountains"])
        if any(one.pattern is Pattern.CYCLE for one in state.usage.forecasts)
        and state.applications.totals.get("batch", 0) < 5
    ]
    assert told
    assert all("/min" not in one.sentence for one in told if one.who == "batch")
