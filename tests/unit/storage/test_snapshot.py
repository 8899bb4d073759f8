"""Tests that a snapshot survives a restart, and that a damaged file is refused."""

import copy
import gzip
import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.readings import POLICY, pooler_sample, sample

from pgheadroom.events.changes import changes
from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.history import RUNGS
from pgheadroom.forecast.rhythm.rhythm import Rhythm
from pgheadroom.forecast.rolling_max import RollingMax
from pgheadroom.model.alert import ActiveAlert, Alert, AlertName, Key, Severity
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.pooler import Pool
from pgheadroom.model.reading import (
    FAILURES,
    Failure,
    Group,
    Outcome,
    Probe,
    ProbeKind,
    Reading,
    Sample,
)
from pgheadroom.model.slots import Limits, Tier
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State
from pgheadroom.status.figures import free_for
from pgheadroom.step import step
from pgheadroom.storage.snapshot import Snapshot, restored, taken
from pgheadroom.storage.snapshot_file import FORMAT, DamagedError, pack, unpack

LIMITS = Limits(100, 3)
NAMES = ("web", "worker", 'a "b" \\ \n', "größe \N{PILE OF POO}", "\ud800", "<!here>")
"""What clients may call themselves, lone surrogates and all."""

Stretch = tuple[int, float, int, int, int]
"""So many readings, so many seconds apart, of an application that goes from this count to that."""

stretches = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.sampled_from([-400.0, -1.0, 0.3, 1.0, 20.0, 300.0, 9000.0]),
        st.integers(0, len(NAMES) - 1),
        st.integers(0, 100),
        st.integers(0, 100),
    ),
    min_size=1,
    max_size=6,
)
troubles = st.lists(
    st.one_of(
        st.builds(Failure, st.floats(0, 1e7), st.sampled_from(FAILURES), st.just("why")),
        st.builds(
            Probe,
            st.just(ProbeKind.KNOCK),
            st.floats(0, 1e7),
            st.just(0.01),
            st.sampled_from(list(Outcome)),
        ),
    ),
    max_size=4,
)


def samples(found: list[Stretch], at: float = 1e6) -> Iterator[Sample]:
    counts = dict.fromkeys(range(len(NAMES)), 0)
    for number, seconds, who, first, last in found:
        for nth in range(number):
            at = max(0.0, at + seconds)
            counts[who] = first + round((last - first) * nth / number)
            groups = tuple(Group(NAMES[n], "active", c, 1.0) for n, c in counts.items() if c)
            yield sample(at, groups, limits=LIMITS)


def after(readings: list[Reading], state: State | None = None) -> State:
    state = state or State("db")
    for reading in readings:
        state = step(state, reading, POLICY)
    return state


def leak(days: float = 4.0) -> State:
    """Return a state in which an application has leaked until nothing was left."""
    number = int(days * 86400 / 120)
    return after([*samples([(number, 120.0, 0, 10, 96), (30, 1.0, 0, 97, 97)])])


LEAK = leak()
CYCLE = after(
    [*samples([(20, 30.0, 1, a, b) for a, b in [(5, 60), (60, 5), (5, 70), (70, 5)] * 3])]
)
JUMPS = after([*samples([(30, 1.0, 1, n, n) for n in (10, 30, 50)] + [(2, 1.0, 1, 70, 71)])])


def kept(state: State, at: float = 2e6) -> Snapshot:
    """Return what a file brings back of *state*."""
    return unpack(pack(taken(state, at), "db"), "db", at)


@settings(deadline=None)
@given(stretches, troubles)
def test_whatever_was_read_is_remembered_exactly(
    found: list[Stretch], other: list[Reading]
) -> None:
    state = after([*samples(found), *other])
    assert kept(state) == taken(state, 2e6)


@pytest.mark.parametrize("state", [LEAK, CYCLE, JUMPS], ids=["leak", "cycle", "jumps"])
def test_what_foretells_and_what_fires_is_remembered(state: State) -> None:
    """In the order in which it was known, which decides between equals."""
    snapshot = kept(state)
    assert snapshot == taken(state, 2e6)
    assert list(snapshot.active) == list(state.active)
    for one, other in zip(snapshot.usage.history.rungs, state.usage.history.rungs, strict=True):
        assert [list(b.spans) for b in one] == [list(b.spans) for b in other]


def test_those_three_hold_all_there_is_to_remember() -> None:
    assert {alert.name for alert in LEAK.alerts} >= {AlertName.EXHAUSTED, AlertName.LEAKING}
    assert LEAK.usage.trends.leaks[0].verdict is Verdict.CLIMBING
    assert any(LEAK.usage.climbs)
    assert all(LEAK.usage.history.rungs[:12])
    assert CYCLE.usage.cycles.next is not None
    assert JUMPS.usage.jumps.done
    assert JUMPS.usage.jumps.moving


@settings(deadline=None)
@given(stretches, stretches)
@example([(2000, 120.0, 0, 10, 96)], [(30, 60.0, 0, 96, 97)])
def test_after_a_restart_it_judges_as_if_there_had_been_none(
    before: list[Stretch], later: list[Stretch]
) -> None:
    state = after([*samples(before)])
    assert state.sample is not None
    now = state.sample.at
    anew = restored(State("db"), kept(state, now), now)
    for reading in samples(later, now):
        state, anew = step(state, reading, POLICY), step(anew, reading, POLICY)
        assert (anew.active, anew.alerts, anew.usage.forecasts) == (
            state.active,
            state.alerts,
            state.usage.forecasts,
        )
        assert anew.usage._replace(recent_max=RollingMax()) == state.usage._replace(
            recent_max=RollingMax()
        )


def test_what_fires_is_shown_before_there_is_a_reading() -> None:
    anew = restored(State("db"), kept(LEAK), 2e6 + 5)
    assert anew.alerts == LEAK.alerts
    assert anew.outcome is None


def test_a_server_that_is_full_after_a_restart_is_told_of_as_before_it() -> None:
    """The limits, the last use, who held it and when that was; and nothing as if it were new."""
    assert LEAK.sample is not None
    now = LEAK.sample.at + 1000
    anew = step(
        restored(State("db"), kept(LEAK, now), now), Failure(now, Outcome.FULL, "sorry"), POLICY
    )
    before = step(LEAK, Failure(now, Outcome.FULL, "sorry"), POLICY)
    assert anew.restored
    assert anew.sample is not None
    assert anew.sample.at == LEAK.sample.at
    assert anew.sample.postgres.slots == LEAK.sample.postgres.slots
    assert anew.applications == before.applications
    assert [free_for(anew, tier) for tier in Tier] == [0, 0, 0]
    told = {alert.name: alert.description for alert in anew.alerts}
    assert told[AlertName.EXHAUSTED] == next(
        alert.description for alert in before.alerts if alert.name is AlertName.EXHAUSTED
    )
    assert "Last known, at 1970-01-16" in told[AlertName.EXHAUSTED]


def test_the_first_sample_of_a_new_life_replaces_the_one_that_was_remembered() -> None:
    anew = restored(State("db"), kept(LEAK), 2e6)
    found = sample(2e6 + 1, limits=LIMITS)
    state = step(anew, found, POLICY)
    assert (state.restored, state.sample) == (False, found)
    assert state.applications.totals == {"api": 4}
    assert "server" in [change.event for change in changes(anew, state, 0.0)]


def test_what_was_seen_before_a_restart_does_not_make_one_failure_a_page() -> None:
    state = restored(State("db"), kept(after([sample(1e6, limits=LIMITS)])), 2e6)
    state = after([Failure(2e6 + second, Outcome.TIMEOUT, "why") for second in range(59)], state)
    assert state.alerts == ()
    state = step(state, Failure(2e6 + 60, Outcome.TIMEOUT, "why"), POLICY)
    (alert,) = state.alerts
    assert alert.severity is Severity.WARNING
    assert "Last known, at 1970-01-12 13:46:40 UTC" in alert.description


FORMAT_1 = b64decode(
    "H4sIAAAAAAAEA62T32uDMBDH/5Ujz1lR+wv7OvY2xt7Fh7SmNhATSCJdGfvf902c61bW4qAagxc/d7l873xne+s6"
    "Edgm5ywI10q8smbLOOtkZ92JbaoiS9cs4xWumv9n1MDBB9dLXuUpzgqByjXWBzP/Mk2v9QDvhfagM3zILjHYEeT3"
    "m2oe0+HVQ0zkfhMSjQPPNckSgSPiTlxC2av1oXXSP1pj5C4oa/zT20H0PsgGRdk5FdROaJYUgMtZxGq679mJvVjy"
    "2gZSnvZOSkI7kDBkXaOMcCdyVkuyhprthso1CSdJGepRoGjCKxwkadWpMKOj3NLB6sZTh1NEfoaUsTpmm6p27oIs"
    "yfNX2s/2GD2FM8q0o/ePs57L/ysa4jEjOunRtWlf2K43bbSr0Z3nsd7DgPSxxVI7YvrWs5gCzadAiynQcgq0ugXF"
    "5lmm3+sWxQcm5zhfubiqQQpU3ITifkXi+JwX5SjppZ7AJo364xMlzjzxiQQAAA=="
)
"""What version 1 of the format made of six samples of a full server."""


def test_a_file_of_the_version_before_is_read() -> None:
    snapshot = unpack(FORMAT_1, "db", 2e6)
    anew = restored(State("db"), snapshot, 2e6 + 1)
    (alert,) = anew.alerts
    assert (alert.name, alert.application_name) == (AlertName.EXHAUSTED, "web")
    assert alert.told_at is None
    assert snapshot.usage.limit == 97
    assert anew.sample is None
    assert unpack(pack(snapshot, "db"), "db", 2e6) == snapshot


@pytest.mark.parametrize(
    ("pattern", "before"),
    [(Pattern.CYCLE, "range"), (Pattern.JUMPS, "strokes"), (Pattern.LEAK, "leak")],
)
def test_format_2_had_other_names_for_patterns(pattern: Pattern, before: str) -> None:
    forecast = Forecast(pattern, 600.0, 1e6, 2e6, 12.0, 80)
    state = LEAK._replace(usage=LEAK.usage._replace(forecasts=(forecast,)), sample=None)
    snapshot = taken(state, 2e6)
    document = json.loads(gzip.decompress(pack(snapshot, "db")))
    document["memory"] = as_format_3(document["memory"])
    assert document["memory"][3][0][0] == pattern
    document["memory"][3][0][0] = before
    document["format"] = 2
    read = unpack(gzip.compress(json.dumps(document).encode()), "db", 2e6)
    assert read == replace(snapshot, usage=snapshot.usage._replace(used=0, rhythm=Rhythm()))


def as_format_3(memory: list[Any]) -> list[Any]:
    """Return what a file holds as the third format had it: trends and forecasts apart."""
    at, usage, active, identifier, last, _ = memory
    trends, forecasts = usage[-4:-2]
    usage = [*usage[:5], *usage[6:-5]]

    def one(about: list[Any]) -> list[Any] | None:
        return about[0] if about else None

    labelled = [
        [
            [name, severity, one(about)],
            [since, alert and [*alert[:5], one(alert[5]), *alert[6:]], *rest],
        ]
        for (name, severity, about), (since, alert, *rest) in active
    ]
    return [at, usage, trends, forecasts, labelled, identifier, last]


def test_format_3_had_one_label_and_trends_apart() -> None:
    label = (("role", "app"),)
    alert = Alert(AlertName.ROLE, Severity.WARNING, 1e6, "8 of 10", about=label)
    active = {**LEAK.active, alert.key: ActiveAlert(1e6, alert)}
    snapshot = taken(LEAK._replace(active=active), 2e6)
    document = json.loads(gzip.decompress(pack(snapshot, "db")))
    document |= {"memory": as_format_3(document["memory"]), "format": 3}
    read = unpack(gzip.compress(json.dumps(document).encode()), "db", 2e6)
    # The newest sample of another shape is not read: there is another within a second.
    usage = snapshot.usage._replace(used=0, rhythm=Rhythm())
    assert read == replace(snapshot, last=None, usage=usage)


def test_format_5_had_a_sample_of_another_shape() -> None:
    snapshot = taken(LEAK, 2e6)
    document = json.loads(gzip.decompress(pack(snapshot, "db"))) | {"format": 5}
    facts = document["memory"][4][0][-1]
    assert facts[-3:] == [0, None, None]
    del facts[-3:], document["memory"][1][-2:]
    read = unpack(gzip.compress(json.dumps(document).encode()), "db", 2e6)
    usage = snapshot.usage._replace(rhythm=Rhythm())
    assert read == replace(snapshot, last=None, usage=usage)


def test_format_6_knew_nothing_of_rhythm_young_connections_and_activity() -> None:
    """Its last sample is shown all the same: a full server tells nothing new."""
    snapshot = taken(LEAK, 2e6)
    assert snapshot.usage.rhythm != Rhythm()
    document = json.loads(gzip.decompress(pack(snapshot, "db"))) | {"format": 6}
    *_, holders, facts = document["memory"][4][0]
    assert (holders.pop(), facts.pop()) == (None, None)
    del document["memory"][1][-2:]
    read = unpack(gzip.compress(json.dumps(document).encode()), "db", 2e6)
    assert read == replace(snapshot, usage=snapshot.usage._replace(rhythm=Rhythm()))
    assert read.last is not None
    document["memory"][4] = None
    assert unpack(gzip.compress(json.dumps(document).encode()), "db", 2e6).last is None
    document["memory"][4] = [[1]]
    with pytest.raises(DamagedError, match="wrong type"):
        unpack(gzip.compress(json.dumps(document).encode()), "db", 2e6)


WATCHED: Key = (AlertName.LOW, Severity.WARNING, ())


def low(**changes: Any) -> ActiveAlert:  # noqa: ANN401 - any field
    alert = Alert(AlertName.LOW, Severity.WARNING, 100.0, "9 of 97 are left")
    return ActiveAlert(90.0, alert)._replace(**changes)


@pytest.mark.parametrize(
    ("active", "hold", "seconds", "goes_on"),
    [
        (low(), 300.0, 299.0, True),
        (low(), 300.0, 300.0, False),
        (low(), 0.0, 299.0, True),  # it resolves at once when gone; a restart is no proof of that
        (low(), 900.0, 899.0, True),
        (low(gone_since=900.0), 300.0, 199.0, True),
        (low(gone_since=900.0), 300.0, 200.0, False),
        (low(until=1e5), 300.0, 9e4, True),
        (low(until=1e5), 300.0, 1e5, False),
        (low(alert=None), 300.0, 299.0, True),
        (low(alert=None), 300.0, 300.0, False),
    ],
)
def test_an_alert_outlives_a_restart_but_not_a_holiday(
    active: ActiveAlert,
    hold: float,
    seconds: float,
    goes_on: bool,  # noqa: FBT001 - parametrized
) -> None:
    snapshot = Snapshot(1000.0, State("db").usage, {WATCHED: active})
    fresh = State("db", Thresholds(resolve_hold_seconds=hold))
    anew = restored(fresh, snapshot, 1000.0 + seconds)
    assert (WATCHED in anew.active) is goes_on
    assert anew.alerts == ((active.alert,) if goes_on and active.alert else ())


def firing(*names: AlertName) -> State:
    """Return the state after a restart during which critical alerts of *names* fired."""
    alerts = [Alert(name, Severity.CRITICAL, 100.0, "before") for name in names]
    active = {alert.key: ActiveAlert(90.0, alert) for alert in alerts}
    snapshot = Snapshot(1000.0, State("db").usage, active)
    fresh = State("db", Thresholds(resolve_hold_seconds=0))
    return restored(fresh, snapshot, 1010.0)


def names_of(state: State) -> set[AlertName]:
    return {alert.name for alert in state.alerts}


FIRED = (AlertName.EXHAUSTED, AlertName.IMMINENT, AlertName.UNKNOWN, AlertName.REFUSED)


def test_a_knock_alone_is_no_end_of_what_a_reading_has_found() -> None:
    state = after([Probe(ProbeKind.KNOCK, 1011.0, 0.01, Outcome.OK)], firing(*FIRED))
    assert names_of(state) == {AlertName.EXHAUSTED, AlertName.IMMINENT, AlertName.UNKNOWN}


def test_what_the_canary_found_stands_while_it_is_not_let_in() -> None:
    turned_away = Probe(ProbeKind.CANARY, 1011.0, 0.01, Outcome.ROLE_LIMIT, "too many")
    state = step(firing(AlertName.REFUSED), turned_away, POLICY)
    assert names_of(state) == {AlertName.REFUSED}
    assert state.alerts[0].since < 1010.0
    let_in = Probe(ProbeKind.CANARY, 1012.0, 0.01, Outcome.OK)
    state = step(step(state, let_in, POLICY), let_in, POLICY)
    assert names_of(step(state, sample(1400.0, limits=LIMITS), POLICY)) == set()


def test_who_could_not_see_before_and_cannot_see_now_has_seen_nothing_meanwhile() -> None:
    state = firing(*FIRED)
    for second in range(5):
        state = step(state, Failure(1011.0 + second, Outcome.TIMEOUT, "why"), POLICY)
    assert {AlertName.UNKNOWN, AlertName.IMMINENT} <= names_of(state)
    state = step(state, sample(1020.0, limits=LIMITS), POLICY)
    assert names_of(state) == {AlertName.UNKNOWN, AlertName.IMMINENT}  # gone, and held
    state = step(state, sample(1400.0, limits=LIMITS), POLICY)
    assert names_of(state) == set()


def test_a_full_server_is_still_full_and_since_when() -> None:
    state = after([Failure(1020.0, Outcome.FULL, "sorry")], firing(*FIRED))
    (alert,) = [alert for alert in state.alerts if alert.name is AlertName.EXHAUSTED]
    assert alert.since == 100.0
    assert "sorry" in alert.description


GOOD = pack(taken(LEAK, 2e6), "db")
DOCUMENT = json.loads(gzip.decompress(GOOD))


@given(st.integers(0, len(GOOD) - 1))
def test_a_file_that_was_cut_off_is_told(length: int) -> None:
    with pytest.raises(DamagedError):
        unpack(GOOD[:length], "db", 2e6)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_byte_that_was_changed_is_told_or_changes_nothing(at: int, flip: int) -> None:
    """The latter where gzip notes when it was packed, and in the bits that fill a byte."""
    changed = bytearray(GOOD)
    changed[at] ^= flip
    try:
        snapshot = unpack(bytes(changed), "db", 2e6)
    except DamagedError as error:
        assert str(error)  # noqa: PT017 - one of two that are right
    else:
        assert snapshot == taken(LEAK, 2e6)


@given(st.binary(max_size=200))
def test_junk_is_told(junk: bytes) -> None:
    for data in (junk, gzip.compress(junk), GOOD + (junk or b"\0")):
        with pytest.raises(DamagedError):
            unpack(data, "db", 2e6)


def refused(text: bytes) -> str:
    with pytest.raises(DamagedError) as error:
        unpack(gzip.compress(text), "db", 2e6)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": FORMAT + 1}, "another format"),
        ({"format": [FORMAT]}, "another format"),
        ({"target": "other"}, "another target"),
        ({"target": None}, "another target"),
        ({"rungs": [[]] * (RUNGS - 1)}, "wrong type"),
        ({"names": "ab"}, "wrong type"),
        ({"names": []}, "applications"),
        ({"memory": []}, "wrong type"),
        ({"memory": [10**400, *DOCUMENT["memory"][1:]]}, "wrong type"),
        ({"memory": [2e6 + 61, *DOCUMENT["memory"][1:]]}, "1 min 1 s ahead of our clock"),
        ({"format": 1}, "wrong type"),
        ({"more": 1}, "incomplete"),
    ],
)
def test_what_is_not_ours_is_told(change: dict[str, object], reason: str) -> None:
    assert reason in refused(json.dumps(DOCUMENT | change).encode())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{}", "not a state"),
        (b"[]", "not a state"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 10_000, "not JSON"),
        (b'{"format": NaN}', "not JSON"),
        (b'{"format": 1}', "incomplete"),
        (b'{"format": 1, "target": "db", "memory": 3, "names": [], "rungs": []}', "wrong type"),
        (b'{"format": 1, "target": "db", "memory": [[3]], "names": [], "rungs": []}', "wrong type"),
        (b" " * (65 << 20), "more than 64 MiB"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_is_no_such_document_is_told(text: bytes, reason: str) -> None:
    assert reason in refused(text)


def test_a_clock_that_is_a_little_behind_is_no_matter() -> None:
    assert unpack(GOOD, "db", 2e6 - 60).at == 2e6


paths = st.lists(st.integers(0, 20), min_size=1, max_size=9)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 200),
    st.sampled_from([-1, 2**53, 2**70, 10**400, 1e308, -1e9, "", "climbing", [], [[]], {}]),
)


@settings(deadline=None)
@given(st.sampled_from(["memory", "rungs", "names"]), paths, values)
def test_a_forged_figure_is_told_or_does_no_harm(part: str, path: list[int], value: object) -> None:
    """Gzip's checksum is right here: only what the figures mean can tell."""
    forged = copy.deepcopy(DOCUMENT)
    node: Any = forged
    last: Any = part
    for number in path:
        if not isinstance(node[last], list) or not node[last]:
            break
        node, last = node[last], number % len(node[last])
    node[last] = value
    data = gzip.compress(json.dumps(forged).encode(), 1)
    try:
        snapshot = unpack(data, "db", 2e6)
    except DamagedError as error:
        assert str(error)  # noqa: PT017 - one of two that are right
        return
    state = restored(State("db"), snapshot, 2e6)
    state = after([*samples([(40, 1.0, 0, 60, 97), (5, 9000.0, 1, 1, 1)], 2e6)], state)
    assert kept(state, 3e6) == taken(state, 3e6)


def test_applications_that_come_and_go_for_a_day_do_not_pile_up() -> None:
    """As bounded as what is remembered of one that stays."""
    usage = State("db").usage
    for minute in range(24 * 60):
        totals = {f"job-{minute // 10 * 40 + n}": 1 for n in range(40)}
        usage = usage.add(1e6 + 60.0 * minute, 40, totals, 97)
    most = max(len(bucket.spans) for rung in usage.history.rungs for bucket in rung)
    assert 40 < most <= 128
    data = pack(taken(State("db")._replace(usage=usage), 2e6), "db")
    assert len(data) < 150_000


def test_which_server_it_was_is_remembered() -> None:
    """So that an alert goes on as the same one while a full server keeps us out."""
    state = LEAK._replace(identifier="7301234567890123456")
    snapshot = unpack(pack(taken(state, 1e7), "db"), "db", 1e7)
    assert (
        restored(State("db").of(Identity("db1")), snapshot, 1e7).server == "db1#7301234567890123456"
    )


def test_what_was_kept_before_servers_were_identified_counts() -> None:
    """And what was kept between that and the last sample."""
    document = json.loads(gzip.decompress(FORMAT_1))
    without = unpack(FORMAT_1, "db", 1e7)
    assert (len(document["memory"]), without.identifier) == (5, "")
    document["memory"].append("73")
    snapshot = unpack(gzip.compress(json.dumps(document).encode()), "db", 1e7)
    assert snapshot == replace(without, identifier="73")


def monday() -> Snapshot:
    """Return what is remembered of a server whose peaks grow by four a week, for two months."""
    usage, began = State("db").usage, 1_767_571_200  # a Monday
    for hour in range(57 * 24):
        day = hour // 24
        used = 40 + 4 * (day // 7) + (9 if day % 7 == 0 else day % 7) if hour % 24 == 10 else 20
        usage = usage.add(float(began + 3600 * hour), used, {"web": used}, 97)
    return taken(State("db")._replace(usage=usage), 2e9)


MONDAY = monday()


def test_weeks_are_remembered_and_what_they_foretell() -> None:
    assert MONDAY.usage.rhythm.weeks_known == 8
    assert MONDAY.usage.outgrown is not None
    assert unpack(pack(MONDAY, "db"), "db", 2e9) == MONDAY


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("rhythm", {"low": 98}),
        ("rhythm", {"hour": -2}),
        ("rhythm", {"hour": 1}),
        ("rhythm", {"curve": {"falls": ()}}),
        ("rhythm", {"curve": {"highs": (3,) * 841, "falls": (1,) * 841}}),
        ("rhythm", {"curve": {"highs": (3,), "falls": (4,)}}),
        ("rhythm", {"curve": {"highs": (-2,), "falls": (-2,)}}),
        ("rhythm", {"curve": {"end": 600_000}}),
        ("rhythm", {"peaks": {"hours": ()}}),
        ("rhythm", {"peaks": {"highs": (3,), "hours": (24,), "seen": (9,)}}),
        ("rhythm", {"peaks": {"highs": (3,), "hours": (23,), "seen": (25,)}}),
        ("rhythm", {"peaks": {"highs": (-1,), "hours": (23,), "seen": (9,)}}),
        ("rhythm", {"peaks": {"end": 30_000}}),
        ("outgrown", {"weekday": 7}),
        ("outgrown", {"growth": 0.0}),
        ("outgrown", {"high": -1}),
    ],
)
def test_weeks_that_cannot_be_are_refused(field: str, change: dict[str, Any]) -> None:
    part = getattr(MONDAY.usage, field)
    parts = {
        name: getattr(part, name)._replace(**to) if isinstance(to, dict) else to
        for name, to in change.items()
    }
    usage = MONDAY.usage._replace(**{field: part._replace(**parts)})
    with pytest.raises(DamagedError, match="days and weeks"):
        unpack(pack(replace(MONDAY, usage=usage), "db"), "db", 2e9)


@pytest.mark.parametrize("identifier", ["73x", "7" * 21, '7"', "\u0667", "7\n"])
def test_a_server_that_cannot_be_is_refused(identifier: str) -> None:
    state = LEAK._replace(identifier=identifier)
    with pytest.raises(DamagedError, match="server"):
        unpack(pack(taken(state, 1e7), "db"), "db", 1e7)


def test_of_a_server_nothing_is_restored_to_a_pooler_of_its_name() -> None:
    pooler = State("db").of(Identity("pooler", TargetKind.PGBOUNCER))
    assert LEAK.sample is not None
    assert restored(pooler, taken(LEAK, LEAK.sample.at), LEAK.sample.at + 1) == pooler


def test_a_poolers_history_and_alerts_come_back_and_go_to_no_server() -> None:
    """Not its last sample: who queued then is no news."""
    fresh, start = State("db").of(Identity("pooler", TargetKind.PGBOUNCER)), 1_767_225_600.0
    state = fresh
    for second in range(30):
        pool = Pool("shop", "app", waiting=2 + second, wait_seconds=float(second), size=20)
        state = step(state, pooler_sample(start + second, pools=(pool,)), POLICY)
    assert [alert.name for alert in state.alerts] == [AlertName.QUEUE]
    now = start + 31
    snapshot = unpack(pack(taken(state, now), "db"), "db", now)
    again = restored(fresh, snapshot, now)
    assert [alert.name for alert in again.alerts] == [AlertName.QUEUE]
    assert (again.sample, again.usage.history) == (None, state.usage.history)
    assert restored(State("db"), snapshot, now).alerts == ()
