"""Tests that what happened is remembered, once each, in order, and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.histories import START, climb, pool, ramp, reading, samples, together
from tests.support.readings import POLICY

from pgheadroom.events.happened import happened
from pgheadroom.events.news import News
from pgheadroom.events.turns import turns
from pgheadroom.model.alert import AlertName
from pgheadroom.model.event import MOST_EVENTS, Event, EventKind, Level
from pgheadroom.model.reading import Failure, Outcome, Reading
from pgheadroom.state import State
from pgheadroom.status.condition import Condition, condition
from pgheadroom.step import step
from pgheadroom.web.view import event_views


def lived(found: Iterable[Reading], state: State | None = None) -> tuple[State, list[News]]:
    """Return the state after all readings, and all news on the way."""
    state, told = state or State("db"), list[News]()
    for one in found:
        state, news = happened(state, step(state, one, POLICY), one.at)
        told += news
    return state, told


def kinds(state: State, name: AlertName | None = None) -> list[EventKind]:
    return [one.kind for one in state.events if name is None or one.alertname == name]


def incident() -> State:
    """Return the state after a leak, full for half a minute, was cured."""
    shape = together(pool("web", 8), climb("nest-api", 0, 0.5, begins=60), ramp("x", 0, 0, 0, 1))

    def cured(at: float) -> dict[str, int]:
        return {**shape(at), "nest-api": min(89, shape(at)["nest-api"]) if at < 270 else 0}

    return lived(samples(cured, 900))[0]


def test_an_incident_is_told_from_its_beginning_to_its_end() -> None:
    state = incident()
    for name in (AlertName.IMMINENT, AlertName.EXHAUSTED):
        assert kinds(state, name) == [EventKind.BEGINS, EventKind.ENDS]
    assert kinds(state).count(EventKind.RECOVERS) == 1
    recovers = next(one for one in state.events if one.kind is EventKind.RECOVERS)
    assert 270 <= recovers.at - START <= 280
    assert recovers.words.startswith("recovered: 89 of 97 slots free; was full until ")
    begins = next(one for one in state.events if one.alertname == AlertName.EXHAUSTED)
    assert begins.level is Level.CRITICAL
    assert begins.words.startswith("FULL: 0 of 97 slots free, ")
    assert begins.application_name == "nest-api"
    ends = [one for one in state.events if one.kind is EventKind.ENDS]
    assert all("the fewest free were 0" in one.words for one in ends)


def test_events_are_in_the_order_of_time() -> None:
    times = [one.at for one in incident().events]
    assert times == sorted(times)


def test_a_deploy_is_a_jump_with_a_name() -> None:
    shape = together(pool("web", 20), ramp("api", 5, 35, 100, 102))
    state, _ = lived(samples(shape, 130))
    (jump,) = [one for one in state.events if one.kind is EventKind.JUMP]
    assert jump.application_name == "api"
    assert jump.words.endswith("api +30")
    small = together(pool("web", 20), ramp("api", 5, 11, 100, 102))
    assert EventKind.JUMP not in kinds(lived(samples(small, 130))[0])


def test_a_server_that_is_gone_and_comes_back_is_told_with_why() -> None:
    gone = [Failure(START + at, Outcome.TIMEOUT, "no answer") for at in range(60, 90)]
    state, _ = lived([*samples(pool("web", 20), 60), *gone])
    assert kinds(state)[:2] == [EventKind.READABLE, EventKind.UNREADABLE]
    assert state.events[1].words == "does not answer in time (no answer)"
    state, _ = lived(samples(pool("web", 20), 20, start=90), state)
    again = next(one for one in state.events[2:] if one.kind is EventKind.READABLE)
    assert again.words == "after 31 s without a reading: 77 of 97 slots free"


def test_what_is_remembered_is_bounded() -> None:
    found: list[Reading] = []
    for at in range(0, 4 * MOST_EVENTS, 2):
        found += [Failure(START + at, Outcome.TIMEOUT, ""), reading(START + at + 1, {"web": 9})]
    assert len(lived(found)[0].events) == MOST_EVENTS


def test_that_it_recovers_is_told_once_in_a_minute() -> None:
    """It may take a few attempts, and each of them would be an event."""
    state, told = recovering(), list[float]()
    recovers = next(one for one in state.events if one.kind is EventKind.RECOVERS)
    for seconds in (10.0, 59.0, 61.0):
        news = turns(State("db"), state, recovers.at + seconds)
        told += [seconds for one in news if one.event == "recovering"]
    assert told == [61.0]


def recovering() -> State:
    """Return a state that recovers, with one such event in its past."""
    state = State("db")
    shape = together(pool("web", 8), climb("nest-api", 0, 0.5, begins=60))
    for one in samples(lambda at: {**shape(at), "nest-api": 0} if at >= 270 else shape(at), 280):
        state, _ = happened(state, step(state, one, POLICY), one.at)
    assert condition(state) is Condition.RECOVERING
    return state


def test_events_of_all_targets_are_told_newest_first() -> None:
    one = State("a", events=(Event(1.0, EventKind.JUMP, Level.INFO, "a1"),))
    other = State(
        "b",
        events=tuple(Event(at, EventKind.JUMP, Level.INFO, f"b{at:.0f}") for at in (0.0, 2.0)),
    )
    views = json.loads(json.dumps(event_views([one, other])))
    assert [view["words"] for view in views] == ["b2", "a1", "b0"]


lives = st.lists(
    st.tuples(
        st.sampled_from([1.0, 2.0, 15.0, 90.0]), st.integers(0, 97), st.sampled_from("ssssu")
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=60)
@given(lives)
def test_each_event_is_news_and_log_and_list_say_the_same(
    steps: list[tuple[float, int, str]],
) -> None:
    at, found = START, list[Reading]()
    for pause, held, kind in steps:
        at += pause
        lost = kind == "u"
        found.append(Failure(at, Outcome.UNREACHABLE, "") if lost else reading(at, {"web": held}))
    state, news = lived(found)
    remembered: list[Event] = [one.remembered for one in news if one.remembered is not None]
    assert list(state.events) == remembered[-MOST_EVENTS:]
    for one in news:
        if one.remembered is not None and "summary" in one.fields:
            assert one.fields["summary"] == one.remembered.words
