"""Tests that each alert about the present fires after its hold, says what it must, and resolves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from tests.support.histories import START, reading
from tests.support.readings import POLICY, database_limit, role_limit

from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.model.reading import Failure, Outcome, Probe, ProbeKind, Reading, Sample
from pgheadroom.model.slots import Limits
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State
from pgheadroom.step import Policy, step

RESOLVE = POLICY.thresholds.resolve_hold_seconds
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
RESERVE = Limits(max_connections=100, superuser_reserved=3, reserved=5)
FULL = Outcome.FULL


class Watch:
    """A state and what happens to it."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.state = State("db")
        self.policy = policy

    def sees(self, found: Reading) -> list[tuple[AlertName, Severity]]:
        """Return what fires after the reading *found*."""
        self.state = step(self.state, found, self.policy)
        return [(alert.name, alert.severity) for alert in self.state.alerts]

    def over(self, found: Iterable[Reading]) -> list[tuple[AlertName, Severity]]:
        """Return what fires after all of them."""
        for one in found:
            self.sees(one)
        return [(alert.name, alert.severity) for alert in self.state.alerts]

    def alert(self, name: AlertName, severity: Severity = CRITICAL) -> Alert | None:
        """Return the alert of that name, if it fires."""
        return next(
            (a for a in self.state.alerts if (a.name, a.severity) == (name, severity)), None
        )


def calm(at: float) -> Sample:
    return reading(START + at, {"web": 10})


def held(at: float, used: int, *, hidden: int = 0) -> Sample:
    """Return a reading of two applications, of which `web` has the larger part of *used*."""
    rest = (used - hidden) // 3
    return reading(START + at, {"web": used - hidden - rest, "jobs": rest}, hidden=hidden)


def failure(at: float, outcome: Outcome, detail: str = "why") -> Failure:
    return Failure(START + at, outcome, detail)


def knock(at: float, outcome: Outcome, detail: str = "") -> Probe:
    return Probe(ProbeKind.KNOCK, START + at, 0.01, outcome, detail)


def canary_login(at: float, outcome: Outcome, detail: str = "") -> Probe:
    return Probe(ProbeKind.CANARY, START + at, 0.01, outcome, detail)


def limited(at: float, used: int, limit: int, kind: str) -> Sample:
    """Return a reading in which *used* of a role's or a database's limit are used."""
    found = calm(at)
    use = (role_limit if kind == "role" else database_limit)("app", limit, used)
    return found._replace(others=(use,))


def test_exhausted_fires_at_once_and_says_who_holds_most() -> None:
    watch = Watch()
    assert watch.sees(held(0, 96)) == []
    assert watch.sees(held(1, 97)) == [(AlertName.EXHAUSTED, CRITICAL)]
    alert = watch.alert(AlertName.EXHAUSTED)
    assert alert is not None
    assert alert.since == START + 1
    assert "0 of 97 slots free" in alert.description
    assert "97 in use. New connections are being refused" in alert.description
    assert "web holds most: 65." in alert.description


def test_exhausted_resolves_when_slots_have_been_free_for_a_while() -> None:
    watch = Watch()
    watch.sees(held(0, 97))
    assert watch.over(held(1 + second, 40) for second in range(int(RESOLVE))) != []
    assert watch.sees(held(1 + RESOLVE, 40)) == []


def test_a_slot_or_two_that_come_free_are_no_end_of_it() -> None:
    watch = Watch()
    watch.sees(held(0, 97))
    watch.over(held(second, 95) for second in range(1, 2 * int(RESOLVE)))
    alert = watch.alert(AlertName.EXHAUSTED)
    assert alert is not None
    assert "2 of 97 slots free, 95 in use. It was full just now." in alert.description
    other = Watch()
    assert other.over(held(second, 95) for second in range(60)) == []


@pytest.mark.parametrize("outcome", [Outcome.FULL, Outcome.RESERVED_ONLY])
def test_a_refusal_for_want_of_a_slot_is_exhausted_too(outcome: Outcome) -> None:
    watch = Watch()
    watch.sees(held(0, 97))
    assert (AlertName.EXHAUSTED, CRITICAL) in watch.sees(failure(10, outcome, "sorry, too many"))
    alert = watch.alert(AlertName.EXHAUSTED)
    assert alert is not None
    assert "the server refuses pgheadroom, too (sorry, too many)" in alert.description
    from_the_start = Watch()
    assert from_the_start.sees(failure(0, outcome)) == [(AlertName.EXHAUSTED, CRITICAL)]


def test_exhausted_is_told_when_it_was_one_refusal_between_samples() -> None:
    watch = Watch()
    watch.sees(calm(0))
    assert watch.sees(failure(1, FULL)) == [(AlertName.EXHAUSTED, CRITICAL)]
    assert watch.sees(calm(2)) == [(AlertName.EXHAUSTED, CRITICAL)]
    assert watch.sees(calm(2 + RESOLVE)) == []


def reserve(at: float, used: int, *, hidden: int = 0) -> Sample:
    """Return a reading of a server of 92 ordinary slots and 8 in reserve."""
    return reading(START + at, {"web": used - hidden}, RESERVE, hidden=hidden)


def test_the_reserve_in_use_says_how_much_and_what_is_left() -> None:
    watch = Watch()
    watch.sees(reserve(0, 92))
    watch.over(reserve(second, 94) for second in range(1, 11))
    assert watch.alert(AlertName.RESERVE) is None
    watch.sees(reserve(11, 94))
    alert = watch.alert(AlertName.RESERVE)
    assert alert is not None
    assert "2 of 8 reserved slots are in use" in alert.description
    assert "6 slots are left for superusers" in alert.description
    watch.sees(reserve(12, 92))
    assert watch.alert(AlertName.RESERVE)
    watch.sees(reserve(12 + RESOLVE, 92))
    assert watch.alert(AlertName.RESERVE) is None


def test_a_look_at_a_full_server_as_a_superuser_pages_nobody_about_the_reserve() -> None:
    watch = Watch()
    watch.over(reserve(second, 93 if second % 10 else 92) for second in range(600))
    assert watch.alert(AlertName.RESERVE) is None


def test_logins_that_are_refused_and_tried_again_do_not_use_the_reserve() -> None:
    """Each holds a slot until it is told so: in every sample of a storm, and nobody gets in."""
    watch = Watch()
    watch.over(reserve(second, 97, hidden=5) for second in range(60))
    assert watch.alert(AlertName.RESERVE) is None
    watch.over(reserve(60 + second, 97, hidden=4) for second in range(11))
    assert watch.alert(AlertName.RESERVE)


def test_low_waits_for_its_hold() -> None:
    watch = Watch()
    hold = POLICY.thresholds.low_hold_seconds
    assert watch.over(held(second, 90) for second in range(int(hold))) == []
    assert watch.sees(held(hold, 90)) == [(AlertName.LOW, WARNING)]
    alert = watch.alert(AlertName.LOW, WARNING)
    assert alert is not None
    assert "7 of 97 slots free. web holds most: 60." in alert.description


def test_low_that_wavers_about_its_threshold_neither_begins_nor_ends() -> None:
    never, watch = Watch(), Watch()
    assert never.over(held(second, 88 - second % 2) for second in range(2000)) == []
    watch.over(held(second, 90) for second in range(601))
    watch.over(held(601 + second, 88 - second % 4) for second in range(1000))
    assert watch.alert(AlertName.LOW, WARNING)
    assert watch.sees(held(2000, 60)) == [(AlertName.LOW, WARNING)]
    assert watch.sees(held(2000 + RESOLVE, 60)) == []


def test_a_knock_that_is_turned_away_tells_at_once_whatever_sql_says() -> None:
    watch = Watch()
    watch.sees(calm(0))
    assert watch.sees(knock(1, FULL, "sorry")) == [(AlertName.REFUSED, CRITICAL)]
    alert = watch.alert(AlertName.REFUSED)
    assert alert is not None
    assert "refused a new login (sorry). The session" in alert.description
    assert watch.sees(knock(2, Outcome.OK)) == [(AlertName.REFUSED, CRITICAL)]
    assert watch.sees(knock(2 + RESOLVE, Outcome.OK)) == []


def test_a_knock_that_goes_unanswered_may_be_a_lost_packet() -> None:
    watch = Watch()
    watch.sees(calm(0))
    watch.sees(knock(1, Outcome.TIMEOUT))
    assert watch.over(calm(second) for second in range(1, 31)) == []
    assert watch.sees(calm(31)) == [(AlertName.REFUSED, CRITICAL)]
    answered = Watch()
    answered.over([calm(0), knock(1, Outcome.TIMEOUT), calm(16), knock(17, Outcome.OK)])
    assert answered.sees(calm(60)) == []


def test_a_server_that_is_not_there_is_not_said_to_refuse() -> None:
    watch = Watch()
    watch.over([calm(0), failure(1, Outcome.UNREACHABLE), knock(2, Outcome.UNREACHABLE)])
    watch.sees(failure(60, Outcome.UNREACHABLE))
    assert watch.alert(AlertName.REFUSED) is None


@pytest.mark.parametrize(
    "outcome",
    [
        *(Outcome.FULL, Outcome.RESERVED_ONLY, Outcome.POOLER_FULL),
        *(Outcome.ROLE_LIMIT, Outcome.DATABASE_LIMIT),
    ],
)
def test_a_canary_that_is_turned_away_is_proof(outcome: Outcome) -> None:
    """At once, whatever SQL and the knock say; and it is over when it has got in for a while."""
    watch = Watch()
    watch.over([calm(0), knock(1, Outcome.OK)])
    assert watch.sees(canary_login(2, outcome, "remaining slots")) == [
        (AlertName.REFUSED, CRITICAL)
    ]
    alert = watch.alert(AlertName.REFUSED)
    assert alert is not None
    assert "refused the canary" in alert.description
    assert (
        f"{outcome} (remaining slots). The session that pgheadroom keeps open still works"
        in alert.description
    )
    assert watch.over([knock(9, Outcome.OK), calm(9 + RESOLVE)]) != []
    assert watch.sees(canary_login(10 + RESOLVE, Outcome.OK)) == [(AlertName.REFUSED, CRITICAL)]
    assert watch.sees(canary_login(10 + 2 * RESOLVE, Outcome.OK)) == []


def test_a_canary_tells_when_nothing_else_does() -> None:
    watch = Watch()
    watch.sees(failure(0, Outcome.AUTH))
    assert watch.sees(canary_login(1, Outcome.ROLE_LIMIT)) == [(AlertName.REFUSED, CRITICAL)]
    alert = watch.alert(AlertName.REFUSED)
    assert alert is not None
    assert "although the open session works" not in alert.description


@pytest.mark.parametrize(
    "outcome",
    [
        *(Outcome.UNREACHABLE, Outcome.TIMEOUT),
        *(Outcome.STARTING, Outcome.SHUTTING_DOWN),
    ],
)
def test_a_canary_that_goes_unanswered_is_told_after_a_while(outcome: Outcome) -> None:
    watch = Watch()
    watch.over([calm(0), canary_login(1, outcome)])
    assert watch.over(calm(second) for second in range(1, 31)) == []
    assert watch.sees(calm(31)) == [(AlertName.REFUSED, CRITICAL)]
    gone = Watch()
    gone.over([calm(0), failure(1, outcome), canary_login(2, outcome), failure(40, outcome)])
    assert gone.alert(AlertName.REFUSED) is None


@pytest.mark.parametrize("outcome", [Outcome.AUTH, Outcome.ERROR, Outcome.HOST_UNKNOWN])
def test_a_canary_that_is_set_up_wrong_pages_nobody(outcome: Outcome) -> None:
    watch = Watch()
    watch.over([calm(0), canary_login(1, outcome)])
    assert watch.over(calm(second) for second in range(2, 100)) == []


def test_a_canary_that_is_turned_away_does_not_wait_for_the_hold_of_a_knock() -> None:
    watch = Watch()
    watch.over([calm(0), knock(1, Outcome.TIMEOUT)])
    assert watch.sees(canary_login(2, Outcome.RESERVED_ONLY)) == [(AlertName.REFUSED, CRITICAL)]
    other = Watch()
    other.over([calm(0), canary_login(1, Outcome.TIMEOUT)])
    assert other.sees(knock(2, FULL)) == [(AlertName.REFUSED, CRITICAL)]


def test_a_canary_that_gets_in_does_not_silence_the_knock() -> None:
    """It may have been let in by a pooler, which does that while the server is full."""
    watch = Watch()
    watch.over([calm(0), knock(1, FULL), canary_login(2, Outcome.OK)])
    assert watch.sees(canary_login(2 + RESOLVE, Outcome.OK)) == [(AlertName.REFUSED, CRITICAL)]


@pytest.mark.parametrize(
    ("hidden", "fires"), [(9, []), (10, [WARNING]), (29, [WARNING]), (30, [WARNING, CRITICAL])]
)
def test_logins_that_pile_up_are_told_after_their_hold(hidden: int, fires: list[Severity]) -> None:
    watch = Watch()
    for second in range(10):
        assert watch.sees(held(second, 20 + hidden, hidden=hidden)) == []
    watch.sees(held(10, 20 + hidden, hidden=hidden))
    told = [a for a in watch.state.alerts if a.name is AlertName.LOGINS]
    assert [alert.severity for alert in told] == fires
    assert all(f"{hidden} logins are in progress" in alert.description for alert in told)
    gone = 10 + RESOLVE
    watch.over([held(11, 20), held(gone, 20)])
    assert bool(watch.alert(AlertName.LOGINS, WARNING)) == bool(fires)
    watch.sees(held(gone + 1, 20))
    assert watch.alert(AlertName.LOGINS, WARNING) is None


def test_logins_that_come_and_go_do_not_pile_up() -> None:
    watch = Watch()
    for second in range(600):
        hidden = 20 if second % 5 else 0
        assert watch.sees(held(second, 20 + hidden, hidden=hidden)) == []


def test_a_few_logins_on_a_small_server_are_no_pile() -> None:
    watch = Watch()
    small = Limits(max_connections=20, superuser_reserved=3)
    found = [reading(START + second, {"web": 3}, small, hidden=2) for second in range(60)]
    assert watch.over(found) == []


@pytest.mark.parametrize(
    ("kind", "name"), [("role", AlertName.ROLE), ("database", AlertName.DATABASE)]
)
def test_a_connection_limit_in_use_is_told_after_its_hold(kind: str, name: AlertName) -> None:
    watch = Watch()
    assert watch.over(limited(second, 40, 50, kind) for second in range(60)) == []
    assert watch.sees(limited(60, 40, 50, kind)) == [(name, WARNING)]
    alert = watch.alert(name, WARNING)
    assert alert is not None
    assert alert.about == ((kind, "app"),)
    assert f"{kind} app uses 40 of 50 allowed connections" in alert.description
    watch.over(limited(61 + second, 50, 50, kind) for second in range(60))
    assert watch.alert(name) is None
    assert watch.sees(limited(121, 50, 50, kind)) == [(name, WARNING), (name, CRITICAL)]
    # 40 of 50 keep both: what wavers about the limit would flap otherwise.
    watch.sees(limited(121 + 2 * RESOLVE, 40, 50, kind))
    assert watch.alert(name)
    for at in (1000.0, 1000.0 + RESOLVE):
        watch.sees(limited(at, 10, 50, kind))
    assert watch.state.alerts == ()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_lets_nobody_in_is_nearly_used_by_nobody(limit: int) -> None:
    watch = Watch()
    assert watch.over(limited(float(second), 0, limit, "role") for second in range(120)) == []


@pytest.mark.parametrize("outcome", [Outcome.UNREACHABLE, Outcome.AUTH, Outcome.TIMEOUT])
def test_without_samples_nobody_knows(outcome: Outcome) -> None:
    watch = Watch()
    watch.sees(calm(0))
    assert watch.over(failure(second, outcome) for second in range(1, 60)) == []
    assert watch.sees(failure(60, outcome)) == [(AlertName.UNKNOWN, WARNING)]
    assert watch.over(failure(second, outcome) for second in range(61, 300)) == [
        (AlertName.UNKNOWN, WARNING)
    ]
    assert watch.sees(failure(300, outcome)) == [
        (AlertName.UNKNOWN, WARNING),
        (AlertName.UNKNOWN, CRITICAL),
    ]
    alert = watch.alert(AlertName.UNKNOWN)
    assert alert is not None
    assert f"No sample of db for 5 min: {outcome} (why)." in alert.description
    assert "Last known, at 2026-01-01 00:00:00 UTC: 87 of 97 slots" in alert.description
    watch.sees(calm(301))
    assert watch.alert(AlertName.UNKNOWN)
    assert watch.sees(calm(301 + RESOLVE)) == []


def test_a_server_that_never_answered_is_unknown_too() -> None:
    watch = Watch()
    watch.sees(failure(0, Outcome.HOST_UNKNOWN))
    assert watch.sees(failure(60, Outcome.HOST_UNKNOWN)) == [(AlertName.UNKNOWN, WARNING)]
    alert = watch.alert(AlertName.UNKNOWN, WARNING)
    assert alert is not None
    assert "Last known" not in alert.description


def test_a_full_server_is_not_unknown() -> None:
    watch = Watch()
    watch.sees(held(0, 97))
    fires = watch.over(failure(second, FULL) for second in range(1, 1000))
    assert fires == [(AlertName.EXHAUSTED, CRITICAL)]


def test_blind_time_keeps_what_only_samples_can_tell() -> None:
    watch = Watch()
    watch.over(held(second, 90) for second in range(601))
    assert watch.alert(AlertName.LOW, WARNING)
    watch.over(failure(float(601 + second), Outcome.TIMEOUT) for second in range(3000))
    low = watch.alert(AlertName.LOW, WARNING)
    assert low is not None
    assert low.since == START + 600
    watch.over(calm(4000 + second) for second in range(int(RESOLVE)))
    assert watch.alert(AlertName.LOW, WARNING)
    watch.sees(calm(4000 + RESOLVE))
    assert watch.state.alerts == ()


def test_blind_time_ends_exhausted_only_by_the_clock_of_what_was_seen() -> None:
    """That a server is down is another alert's news."""
    watch = Watch()
    watch.sees(held(0, 97))
    watch.over(failure(float(second), Outcome.UNREACHABLE) for second in range(1, 302))
    assert watch.alert(AlertName.EXHAUSTED) is None
    assert watch.alert(AlertName.UNKNOWN)


def test_a_hold_of_nothing_means_at_once() -> None:
    policy = replace(POLICY, thresholds=Thresholds(low_hold_seconds=0, resolve_hold_seconds=0))
    watch = Watch(policy)
    assert watch.sees(held(0, 90)) == [(AlertName.LOW, WARNING)]
    assert watch.sees(held(1, 20)) == []


def test_a_server_without_an_ordinary_slot_is_exhausted_and_nothing_breaks() -> None:
    watch = Watch()
    none = Limits(max_connections=5, superuser_reserved=3, reserved=2)
    assert (AlertName.EXHAUSTED, CRITICAL) in watch.sees(reading(START, {}, none))
    assert watch.alert(AlertName.RESERVE) is None
