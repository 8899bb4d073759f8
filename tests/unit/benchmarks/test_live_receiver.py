"""Tests that a receiver of alerts notes when each began and ended, and nothing twice."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.live.receiver import Key, Notice, Receiver, news
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 28, 3, 41, 10, 500000, UTC)


def posted(alert: str, ends_after: float, *, blamed: str | None = None) -> dict[str, Any]:
    notes = {"summary": f"{alert} fires", "description": "more of it"}
    if blamed is not None:
        notes["application_name"] = blamed
    return {
        "labels": {"alertname": alert, "severity": "critical", "target": "live"},
        "annotations": notes,
        "startsAt": NOW.isoformat(),
        "endsAt": (NOW + timedelta(seconds=ends_after)).isoformat(),
    }


def test_an_alert_is_news_when_it_begins_and_when_it_ends() -> None:
    firing: dict[Key, Notice] = {}
    at = NOW.timestamp()
    (began,) = news([posted("Full", 60, blamed="api")], at, firing)
    assert began == Notice(at, True, "Full", "critical", "api", "Full fires", "more of it")  # noqa: FBT003 - a value
    assert news([posted("Full", 90)], at + 30, firing) == []
    (ended,) = news([posted("Full", 40)], at + 41, firing)
    assert (ended.firing, ended.application_name) == (False, None)
    assert news([posted("Full", 40)], at + 42, firing) == []


@given(st.lists(st.tuples(st.sampled_from(["Full", "Low", "Leak"]), st.booleans())))
def test_beginnings_and_ends_take_turns(turns: list[tuple[str, bool]]) -> None:
    firing: dict[Key, Notice] = {}
    told: dict[str, list[bool]] = {}
    for alert, fires in turns:
        for notice in news([posted(alert, 60 if fires else 0)], NOW.timestamp(), firing):
            told.setdefault(notice.alert, []).append(notice.firing)
    for alert, kinds in told.items():
        assert kinds == [number % 2 == 0 for number in range(len(kinds))]
        last = [fires for other, fires in turns if other == alert][-1]
        assert kinds[-1] == last


def test_what_is_posted_is_noted() -> None:
    with Receiver() as receiver:
        body = json.dumps([posted("Full", 10**9)]).encode()
        for _ in range(2):
            request = urllib.request.Request(f"{receiver.url}/api/v2/alerts", data=body)  # noqa: S310 - of this machine
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
                assert answer.status == 200
    (notice,) = receiver.notices
    assert (notice.alert, notice.firing) == ("Full", True)
