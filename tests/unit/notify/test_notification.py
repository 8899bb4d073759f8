"""Tests that every notification is due in time, and in words that Alertmanager takes."""

import json
import math
import re
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.model.alert import SEVERITIES, SUMMARIES, Alert, AlertName, Severity
from pgheadroom.notify.notification import (
    RESOLVED_SECONDS,
    WORDS_SECONDS,
    Key,
    Notices,
    Notification,
    NotificationOptions,
    Said,
    Sent,
    due,
    message,
    news,
    next_at,
    noted,
    reworded,
)

T = 1_700_000_000.0
FORM = NotificationOptions(resend_seconds=30.0)
LOW = Alert(AlertName.LOW, Severity.WARNING, T, "9 of 97 slots are left.")
EXHAUSTED = Alert(AlertName.EXHAUSTED, Severity.CRITICAL, T, "0 of 97 slots are left.", "api-*")


def of(target: str, *alerts: Alert, server: str = "") -> list[Notification]:
    return [Notification(target, alert, server=server) for alert in alerts]


def firing(*alerts: Alert, before: Notices | None = None, at: float = T) -> Notices:
    return noted(before or {}, "db", of("db", *alerts), at, FORM.keep_seconds)


def sent(notifications: Notices, at: float) -> dict[Key, Sent]:
    return {key: Sent(at, one.wording) for key, one in notifications.items()}


def names(notifications: list[Notification]) -> list[tuple[AlertName, bool]]:
    return [(one.alert.name, one.resolved_at is None) for one in notifications]


def seconds(text: object) -> float:
    assert isinstance(text, str)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    return datetime.fromisoformat(text).timestamp()


def test_two_servers_of_one_name_are_two_alerts() -> None:
    """And one that has become another server's has resolved."""
    one = noted({}, "db", of("db", LOW, server="db1#7301"), T, FORM.keep_seconds)
    other = noted(one, "db", of("db", LOW, server="db2#7302"), T + 1, FORM.keep_seconds)
    told = [message(one, T + 1, FORM)["labels"] for one in other.values()]
    labels = {"alertname": "PostgresConnectionsLow", "severity": "warning", "target": "db"}
    assert told == [labels | {"server": "db1#7301"}, labels | {"server": "db2#7302"}]
    assert [one.resolved_at for one in other.values()] == [T + 1, None]


def test_nothing_fires_and_nothing_is_due() -> None:
    assert due({}, {}, T, FORM) == []
    assert next_at({}, {}, T, FORM) == math.inf


def test_a_new_alert_is_due_at_once() -> None:
    assert names(due(firing(LOW), {}, T, FORM)) == [(AlertName.LOW, True)]


def test_what_was_told_waits_for_the_beat() -> None:
    known = firing(LOW)
    told = sent(known, T)
    assert due(known, told, T + 29.9, FORM) == []
    assert next_at(known, told, T + 1, FORM) == T + 30
    assert names(due(known, told, T + 30, FORM)) == [(AlertName.LOW, True)]


@pytest.mark.parametrize(
    "changed",
    [
        replace(LOW, severity=Severity.CRITICAL),
        replace(LOW, about=(("role", "app"),)),
    ],
)
def test_what_is_another_alert_is_due_at_once(changed: Alert) -> None:
    known = firing(LOW)
    after = firing(changed, before=known, at=T + 1)
    assert (AlertName.LOW, True) in names(due(after, sent(known, T), T + 1, FORM))


@pytest.mark.parametrize(
    "changed",
    [
        replace(LOW, description="9 of 97 slots are left, and it is climbing."),
        replace(LOW, application_name="api-*"),
    ],
)
def test_other_words_are_due_soon(changed: Alert) -> None:
    """Not at once: two applications of like size may be named in turn, sample by sample."""
    known = firing(LOW)
    after = firing(changed, before=known, at=T + 1)
    assert due(after, sent(known, T), T + WORDS_SECONDS - 0.1, FORM) == []
    assert next_at(after, sent(known, T), T + 1, FORM) == T + WORDS_SECONDS
    assert names(due(after, sent(known, T), T + WORDS_SECONDS, FORM)) == [(AlertName.LOW, True)]
    assert names(due(after, sent(known, T), T + 16, FORM)) == [(AlertName.LOW, True)]
    quick = NotificationOptions(resend_seconds=2.0)
    assert next_at(after, sent(known, T), T + 1, quick) == T + 2


def test_a_notice_says_as_of_when_it_is() -> None:
    told = replace(LOW, told_at=T + 61)
    (one,) = firing(told).values()
    annotations = message(one, T + 300, FORM)["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["description"] == "At 2023-11-14 22:14:21 UTC: 9 of 97 slots are left."


def test_words_alone_are_told_from_another_alert() -> None:
    known = firing(LOW, EXHAUSTED)
    other = replace(LOW, description="8 of 97 slots are left.", told_at=T + 1)
    found = reworded(known, of("db", other, EXHAUSTED))
    assert found is not None
    assert [one.alert for one in found.values()] == [other, EXHAUSTED]
    assert found.keys() == known.keys()
    for alerts in ([replace(LOW, since=T + 1)], [replace(LOW, about=(("role", "app"),))]):
        assert reworded(known, of("db", *alerts)) is None
    assert reworded(known, of("other", LOW)) is None
    assert reworded(firing(before=known), of("db", LOW)) is None


def test_other_figures_wait_for_the_beat() -> None:
    """They may change with every sample; the post on the beat then has the newest."""
    known = firing(LOW)
    after = firing(replace(LOW, description="8 of 97 slots are left."), before=known, at=T + 1)
    assert due(after, sent(known, T), T + 1, FORM) == []
    (one,) = due(after, sent(known, T), T + 30, FORM)
    assert one.alert.description == "8 of 97 slots are left."


def test_the_end_is_told_at_once_and_again_for_five_minutes() -> None:
    known = firing(LOW)
    told = sent(known, T)
    known = firing(before=known, at=T + 5.5)
    moments, now = [], T + 5.5
    while now < math.inf:
        (one,) = due(known, told, now, FORM)
        assert seconds(message(one, now, FORM)["endsAt"]) == T + 5.5
        moments.append(now - (T + 5.5))
        told = sent(known, now)
        now = next_at(known, told, now, FORM)
    assert moments == [30.0 * beat for beat in range(11)]
    assert moments[-1] == RESOLVED_SECONDS


def test_the_end_is_told_without_figures_that_will_be_old() -> None:
    """It is told again for minutes; the figures of its first minute would be wrong by then."""
    said = Said("db: 3 of 97 slots free, full in about 10 s: api +60/min", "Act on api now.")
    known = {one.key: one for one in [Notification("db", LOW, said=said)]}
    (ended,) = noted(known, "db", (), T, FORM.keep_seconds).values()
    told = message(ended, T + 60, FORM)["annotations"]
    assert isinstance(told, dict)
    assert told["summary"] == f"db: over: {LOW.summary}"
    assert "Act on" not in told["description"]


def test_the_end_is_told_late_rather_than_not() -> None:
    """An Alertmanager that was away may hold the alert for four beats; longer it need not know."""
    slow = NotificationOptions(resend_seconds=600.0)
    known = noted(firing(LOW), "db", (), T, slow.keep_seconds)
    assert names(due(known, sent(firing(LOW), T), T + 2399, slow)) == [(AlertName.LOW, False)]
    assert due(known, sent(firing(LOW), T), T + 2400, slow) == []
    assert next_at(known, {}, T + 2400, slow) == math.inf
    assert noted(known, "other", (), T + 2400, slow.keep_seconds) == {}


def test_what_fires_anew_is_no_longer_resolved() -> None:
    known = firing(before=firing(LOW), at=T + 5)
    again = firing(replace(LOW, since=T + 9), before=known, at=T + 9)
    (one,) = due(again, sent(known, T + 5), T + 9, FORM)
    assert (one.resolved_at, one.alert.since) == (None, T + 9)


def test_targets_have_nothing_to_do_with_one_another() -> None:
    both = noted(firing(LOW), "other", of("other", LOW), T, FORM.keep_seconds)
    after = noted(both, "other", (), T + 1, FORM.keep_seconds)
    assert {n.target: n.resolved_at for n in after.values()} == {"db": None, "other": T + 1}


def test_many_come_to_share_a_post() -> None:
    known = firing(LOW, EXHAUSTED)
    first, second = known
    told = {first: Sent(T, known[first].wording), second: Sent(T + 2, known[second].wording)}
    assert len(due(known, told, T + 30, FORM)) == 2
    assert due(known, told, T + 29, FORM) == []


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    known = firing(LOW)
    assert len(due(known, sent(known, T + 3600), T, FORM)) == 1


def test_last_words_are_what_is_not_known_yet() -> None:
    known = firing(LOW)
    assert names(news(known, {}, T, FORM)) == [(AlertName.LOW, True)]
    assert news(known, sent(known, T), T + 300, FORM) == []
    after = firing(before=known, at=T + 1)
    assert names(news(after, sent(known, T), T + 1, FORM)) == [(AlertName.LOW, False)]


def test_the_words_of_the_api() -> None:
    options = NotificationOptions(30.0, {"team": "payments"}, "https://headroom.example/db")
    alert = replace(EXHAUSTED, about=(("role", "app"),))
    assert message(Notification("db:1", alert), T + 2.5, options) == {
        "labels": {
            "alertname": "PostgresConnectionsExhausted",
            "severity": "critical",
            "target": "db:1",
            "role": "app",
            "team": "payments",
        },
        "annotations": {
            "summary": SUMMARIES[AlertName.EXHAUSTED],
            "description": "0 of 97 slots are left.",
            "runbook_url": alert.runbook_url,
            "application_name": "api-*",
        },
        "startsAt": "2023-11-14T22:13:20.000Z",
        "endsAt": "2023-11-14T22:15:22.500Z",
        "generatorURL": "https://headroom.example/db/targets/db%3A1",
    }


def test_what_is_not_known_is_left_out() -> None:
    told = message(Notification("db", LOW), T, FORM)
    assert "generatorURL" not in told
    assert "application_name" not in told["annotations"]


def test_what_clients_say_is_made_harmless_wherever_it_stands() -> None:
    name = "<!channel> \u202e[x](https://evil.example)"
    alert = replace(EXHAUSTED, description=f"It is {name}.", application_name=name)
    told = json.dumps(message(Notification("db", replace(alert, about=(("role", name),))), T, FORM))
    for active in ("<!", "](", "https://evil", "\\u202e"):
        assert active in json.dumps(name)
        assert active not in told.replace("\\\\u202e", "")


alerts = st.sampled_from(
    [(name, severity) for name, severities in SEVERITIES.items() for severity in severities]
).flatmap(
    lambda kind: st.builds(
        Alert,
        name=st.just(kind[0]),
        severity=st.just(kind[1]),
        since=st.floats(T - 1e6, T + 1e3),
        description=st.text(max_size=20) | st.integers().map(str),
        application_name=st.none() | st.text(max_size=5),
        about=st.just(())
        | st.tuples(st.tuples(st.sampled_from(["role", "database"]), st.text(max_size=5))),
    )
)


@given(alerts, st.floats(T - 1e3, T + 1e3), st.none() | st.floats(T - 2e3, T + 2e3))
def test_alertmanager_takes_every_alert(alert: Alert, now: float, end: float | None) -> None:
    """It refuses a post for one alert that ends before it begins, or has no proper text."""
    told = message(Notification("db", alert, resolved_at=end), now, FORM)
    json.dumps(told).encode()
    assert seconds(told["startsAt"]) <= seconds(told["endsAt"])
    # Times are told to the millisecond: one that has ended may end within the same.
    assert (seconds(told["endsAt"]) > now + 0.001) == (end is None)


@dataclass
class Model:
    """What an Alertmanager believes: until when an alert fires, by its labels."""

    until: dict[str, float]

    def take(self, notifications: list[Notification], now: float) -> None:
        """Receive a post."""
        for one in notifications:
            told = message(one, now, FORM)
            self.until[json.dumps(told["labels"], sort_keys=True)] = seconds(told["endsAt"])

    def fires(self, now: float) -> int:
        """Return how many alerts fire."""
        return sum(until > now for until in self.until.values())


KINDS = (LOW, EXHAUSTED, replace(LOW, about=(("role", "a"),)))
moments_of_a_life = st.lists(
    st.tuples(
        st.floats(0.01, 400.0),  # seconds that pass
        st.sets(st.sampled_from(range(len(KINDS)))),  # what fires then
        st.booleans(),  # whether posts get through from then on
    ),
    max_size=12,
)


@given(moments_of_a_life)
def test_an_alertmanager_that_can_be_reached_is_right_at_every_moment(
    life: list[tuple[float, set[int], bool]],
) -> None:
    """Told whenever something is due, and never by a loop that spins."""
    known: Notices = {}
    told: dict[Key, Sent] = {}
    model = Model({})
    now, reachable = T, True
    for passing, chosen, next_reachable in [*life, (0.01, {0, 1}, True)]:
        end = now + passing
        while reachable and (moment := next_at(known, told, now, FORM)) < end:
            now = max(now, moment)
            assert model.fires(now) == sum(n.resolved_at is None for n in known.values())
            posted = due(known, told, now, FORM)
            assert posted
            model.take(posted, now)
            told |= {one.key: Sent(now, one.wording) for one in posted}
            assert due(known, told, now, FORM) == []
            assert next_at(known, told, now, FORM) > now
        now, reachable = end, next_reachable
        firing_now = [replace(KINDS[number], since=now) for number in sorted(chosen)]
        known = noted(known, "db", of("db", *firing_now), now, FORM.keep_seconds)
        if reachable:
            posted = due(known, told, now, FORM)
            model.take(posted, now)
            told |= {one.key: Sent(now, one.wording) for one in posted}
    assert model.fires(now) == 2
