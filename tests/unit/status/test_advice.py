"""Tests that there is a first thing to do for every problem, and that the worst comes first."""

from __future__ import annotations

import pytest
from tests.support.histories import START, after, climb, pool, reading, samples, together

from pgheadroom.model.alert import SEVERITIES, Alert, AlertName, Severity
from pgheadroom.model.reading import FAILURES, Failure, Outcome
from pgheadroom.state import State
from pgheadroom.status.advice import by_urgency, to_do

CALM = after([reading(START, {"web": 5})])


def firing(*alerts: Alert) -> State:
    return CALM._replace(alerts=alerts)


def alert(name: AlertName, severity: Severity | None = None) -> Alert:
    about = (("role", "shop"),) if name in (AlertName.ROLE, AlertName.DATABASE) else ()
    return Alert(name, severity or SEVERITIES[name][-1], START, "words", "checkout", about)


def test_when_all_is_well_there_is_nothing_to_do() -> None:
    assert to_do(CALM) == "No action needed."
    assert to_do(State("db")).startswith("Wait")


def test_a_forecast_that_is_no_alert_yet_is_worth_a_look() -> None:
    state = after(samples(together(pool("web", 10, 1), climb("leaky", 0, 1 / 10)), 450))
    assert (state.alerts, bool(state.usage.forecasts)) == ((), True)
    assert to_do(state).startswith("Watch leaky.")


@pytest.mark.parametrize("name", [name for name in AlertName if name is not AlertName.UNKNOWN])
def test_each_alert_has_a_first_thing_to_do(name: AlertName) -> None:
    words = to_do(firing(alert(name)))
    assert words not in (to_do(CALM), to_do(State("db")))
    assert "{" not in words
    if name in (AlertName.ROLE, AlertName.DATABASE):
        assert "shop" in words


@pytest.mark.parametrize("outcome", FAILURES)
def test_each_failure_has_a_first_thing_to_do(outcome: Outcome) -> None:
    words = to_do(CALM._replace(outcome=outcome))
    assert words not in (to_do(CALM), to_do(State("db")))


def test_who_grew_is_named_if_known() -> None:
    assert "checkout" in to_do(firing(alert(AlertName.IMMINENT)))
    unknown = Alert(AlertName.IMMINENT, Severity.CRITICAL, START, "words")
    assert "None" not in to_do(firing(unknown))


def test_a_page_goes_before_a_ticket() -> None:
    leaking, imminent = alert(AlertName.LEAKING), alert(AlertName.IMMINENT)
    assert by_urgency(State("db", alerts=(leaking, imminent))) == [imminent, leaking]
    assert to_do(firing(leaking, imminent)) == to_do(firing(imminent))


def test_while_blind_the_way_to_see_again_goes_before_a_ticket() -> None:
    state = firing(alert(AlertName.LEAKING))._replace(outcome=Outcome.AUTH)
    assert "pg_hba.conf" in to_do(state)


def test_what_fired_before_the_server_was_full_is_still_the_thing_to_do() -> None:
    full = Failure(START + 1, Outcome.FULL, "sorry, too many clients already")
    state = after([reading(START, {"web": 97}), full])
    assert "web" in to_do(state)
