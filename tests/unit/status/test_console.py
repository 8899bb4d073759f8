"""Tests that a pooler's remedies are commands of its console, and only where they help."""

from __future__ import annotations

import pytest
from tests.support.histories import START
from tests.support.readings import POLICY, pooler_sample

from pgheadroom.model.alert import SEVERITIES, Alert, AlertName
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.pooler import Database
from pgheadroom.model.reading import Group, Sample
from pgheadroom.state import State
from pgheadroom.status.remedies import remedies
from pgheadroom.step import step

POOLER = Identity(kind=TargetKind.PGBOUNCER)


def pooler(found: Sample, *names: AlertName) -> State:
    state = step(State("pooler").of(POOLER), found, POLICY)
    alerts = (Alert(name, SEVERITIES[name][0], START, "words") for name in names)
    return state._replace(alerts=tuple(alerts))


def commands(state: State) -> list[str]:
    return [one.statement for one in remedies(state)]


def test_where_nothing_is_wrong_there_is_nothing_to_copy() -> None:
    assert commands(State("pooler").of(POOLER)) == []
    assert commands(pooler(pooler_sample(START))) == []


def test_full_of_clients() -> None:
    state = pooler(pooler_sample(START, used=100), AlertName.CLIENTS_EXHAUSTED)
    assert commands(state) == ["SHOW CLIENTS;", "RELOAD;"]
    assert commands(pooler(pooler_sample(START, used=100))) == ["SHOW CLIENTS;"]


def test_an_application_that_climbs() -> None:
    found = (
        pooler_sample(START + n, used=5 + n // 2, groups=(Group("api", "active", 5 + n // 2, 9.0),))
        for n in range(60)
    )
    state = State("pooler").of(POOLER)
    for one in found:
        state = step(state, one, POLICY)
    assert "SHOW CLIENTS;" in commands(state)


def test_a_queue() -> None:
    state = pooler(pooler_sample(START), AlertName.QUEUE)
    assert [one for one in commands(state) if one.startswith("SHOW")][:2] == [
        "SHOW POOLS;",
        "SHOW SERVERS;",
    ]


def test_who_is_paused_is_resumed_by_its_quoted_name() -> None:
    databases = (
        Database("shop", paused=True),
        Database('a"; SHUTDOWN; --', paused=True, disabled=True),
        Database("well"),
        Database("a\u202eb", paused=True),
        Database(r"a\u000ab", disabled=True),
    )
    state = pooler(pooler_sample(START, databases=databases, paused=True), AlertName.PAUSED)
    assert commands(state) == [
        "RESUME;",
        'RESUME "shop";',
        'RESUME "a""; SHUTDOWN; --";',
        'ENABLE "a""; SHUTDOWN; --";',
    ]
    assert commands(pooler(pooler_sample(START, databases=databases))) == []


@pytest.mark.parametrize("name", [*AlertName])
def test_nothing_is_ever_ended(name: AlertName) -> None:
    databases = (Database("shop", paused=True, disabled=True),)
    state = pooler(pooler_sample(START, used=100, databases=databases, paused=True), name)
    allowed = {"SHOW", "RELOAD", "RESUME", "ENABLE"}
    assert {one.strip(";").split()[0] for one in commands(state)} <= allowed
