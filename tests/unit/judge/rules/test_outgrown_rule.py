"""Tests the ticket about peaks that outgrow the limit: its words, and when it ends."""

from tests.support.histories import START
from tests.support.readings import POLICY, sample

from pgheadroom.forecast.rhythm.outgrown import WEEK, Outgrown
from pgheadroom.metrics.points import peak_exhaustion
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.state import State
from pgheadroom.status.standing import Standing, pressing, standing
from pgheadroom.status.status import status
from pgheadroom.step import step
from pgheadroom.web.view import target_view

FOUND = Outgrown(START, 97, 0, START + 5.2 * WEEK, 3.8, 78, 8)


def told(weeks: float, state: State | None = None, later: float = 0.0) -> State:
    """Return the state after a sample, when peaks reach the limit in so many *weeks*."""
    now = START + later
    state = step(State("orders"), sample(START), POLICY) if state is None else state
    found = FOUND._replace(at=now + weeks * WEEK)
    state = state._replace(usage=state.usage._replace(outgrown=found))
    return step(state, sample(now + 1), POLICY)


def test_it_is_a_ticket_in_one_sentence() -> None:
    (alert,) = told(5.2).alerts
    assert (alert.name, alert.severity) == (AlertName.OUTGROWN, Severity.WARNING)
    assert alert.description == (
        "orders: the Monday peak grows by 4 connections a week, was 78 of 97 the last time, and"
        " reaches the limit in about 5 weeks."
    )
    assert alert.application_name is None


def test_it_is_quiet_beyond_the_horizon_and_does_not_flap_about_it() -> None:
    assert not told(8.1).alerts
    state = told(7.9)
    for hour, weeks in enumerate((8.1, 11.9, 8.0, 9.0), 1):
        state = told(weeks, state, 3600.0 * hour)
        assert [alert.since for alert in state.alerts] == [START + 1]
    state = told(12.1, state, 20_000.0)
    assert not step(state, sample(START + 21_000), POLICY).alerts


def test_it_ends_soon_after_the_growth_is_over() -> None:
    state = told(5.0)
    state = state._replace(usage=state.usage._replace(outgrown=None))
    assert step(state, sample(START + 60), POLICY).alerts
    state = step(state, sample(START + 100), POLICY)
    assert not step(state, sample(START + 401), POLICY).alerts


def test_it_presses_nobody() -> None:
    state = told(5.2)
    assert pressing(state) == []
    assert standing(state) is Standing.ALARMED
    says = status(state)
    assert (says.label, says.when) == ("peaks grow", "not filling up")
    assert says.because == "Monday peaks reach the limit in about 5 weeks"
    assert says.advice.startswith("Not urgent.")


def test_page_and_metric_tell_of_it_beyond_the_horizon_too() -> None:
    state = told(20.0)
    ((_, seconds),) = peak_exhaustion(state)
    assert seconds == 20 * WEEK - 1
    view = target_view(state)["planning"]
    assert isinstance(view, dict)
    assert (view["weekday"], view["growth_per_week"]) == ("Monday", 3.8)
    assert view["words"] == "Monday peaks reach the limit in about 20 weeks"


def test_without_growth_there_is_nothing_to_tell() -> None:
    state = step(State("orders"), sample(START), POLICY)
    assert [seconds for _, seconds in peak_exhaustion(state)] == [float("inf")]
    assert target_view(state)["planning"] is None
    assert list(peak_exhaustion(State("orders"))) == []
