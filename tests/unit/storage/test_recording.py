"""Tests that a line is the same reading again, and that other lines are refused in words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.readings import POLICY, database_limit, pooler_sample, role_limit, sample

from pgheadroom.backtest.replay import Replay
from pgheadroom.backtest.text import facts
from pgheadroom.model.activity import Activity, Younger
from pgheadroom.model.blockers import Blocker, Blockers
from pgheadroom.model.capacity import Capacity, CapacityKind
from pgheadroom.model.pooler import Database, Pool
from pgheadroom.model.reading import FAILURES, Failure, Group, Outcome, Probe, ProbeKind, Sample
from pgheadroom.model.recorded import recorded_sample
from pgheadroom.model.slots import Limits
from pgheadroom.state import State
from pgheadroom.step import step
from pgheadroom.storage.recording import RecordingError, line_of, parse

PLAIN = {
    "time": 1767225600.25,
    "max_connections": 100,
    "superuser_reserved_connections": 3,
    "reserved_connections": 5,
    "connections": [["api", "idle", 37], ["api", "active", 3]],
}

names = st.text(max_size=63)
counts = st.integers(0, 5000)
times = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
role_limits, database_limits = (
    st.lists(st.builds(limit, names, counts, counts), max_size=3).map(tuple)
    for limit in (role_limit, database_limit)
)


def line(**changed: object) -> str:
    return json.dumps(PLAIN | changed)


def test_the_plain_format() -> None:
    found = parse(line())
    assert isinstance(found, Sample)
    assert found.at == 1767225600.25
    assert found.full
    assert found.postgres.slots.limits == Limits(100, 3, 5)
    assert (found.postgres.slots.visible, found.postgres.slots.hidden) == (40, 0)
    assert [(g.application_name, g.state, g.count) for g in found.holders.groups] == [
        ("api", "idle", 37),
        ("api", "active", 3),
    ]


def test_a_reader_of_the_plain_format_finds_its_keys() -> None:
    groups = (Group("api", "idle", 4, 10.0), Group("api", "idle", 2, 3.0))
    found = json.loads(line_of(sample(groups=groups)))
    assert set(PLAIN) <= set(found)
    assert found["connections"] == [["api", "idle", 6]]


def test_before_16_nothing_was_reserved() -> None:
    plain = {key: value for key, value in PLAIN.items() if key != "reserved_connections"}
    found = parse(json.dumps(plain))
    assert isinstance(found, Sample)
    assert found.postgres.slots.limits.reserved == 0


@given(
    at=times,
    since=st.integers(0, 20_000),
    limits=st.builds(Limits, counts, counts, counts, counts),
    groups=st.dictionaries(st.tuples(names, names), counts, max_size=5),
    hidden=counts,
    more=st.integers(-3, 3),
    roles=role_limits,
    databases=database_limits,
    started_at=times,
    reserve=st.booleans(),
    complete=st.booleans(),
)
def test_a_sample_survives_the_file(
    *,
    at: float,
    since: int,
    limits: Limits,
    groups: dict[tuple[str, str], int],
    hidden: int,
    more: int,
    roles: tuple[Capacity, ...],
    databases: tuple[Capacity, ...],
    started_at: float,
    reserve: bool,
    complete: bool,
) -> None:
    counted = sum(groups.values())
    told_apart_at = round(max(0.0, at - since / 1000), 3)
    taken = recorded_sample(
        at,
        limits,
        tuple(Group(name, state, count, None) for (name, state), count in groups.items()),
        hidden=hidden,
        # Between two breakdowns only the number of backends is followed.
        visible=counted if told_apart_at == at else max(0, counted + more),
        told_apart_at=told_apart_at,
        others=(*roles, *databases),
        started_at=started_at,
        reserve=reserve,
        complete=complete,
    )
    written = line_of(taken)
    assert written.isascii()
    assert "\n" not in written
    assert parse(written) == taken


seconds = st.integers(0, 4_000_000_000).map(lambda ms: ms / 1000)
blockers = st.builds(
    Blockers,
    at=times,
    waiting=counts,
    looked_at=counts,
    roots=st.lists(
        st.builds(
            Blocker,
            pid=st.integers(0, 4_194_304),
            kind=names,
            application_name=names,
            role=names,
            database=names,
            state=names,
            transaction_seconds=st.none() | seconds,
            blocks=counts,
            longest_wait_seconds=seconds,
            applications=st.lists(st.tuples(names, counts), max_size=3).map(tuple),
        ),
        max_size=5,
    ).map(tuple),
)


@given(at=times, waiting=counts, found=blockers)
def test_who_blocks_whom_survives_the_file(at: float, waiting: int, found: Blockers) -> None:
    taken = recorded_sample(at, Limits(100, 3), (), waiting=waiting, blockers=found)
    assert parse(line_of(taken)) == taken


counters = st.none() | st.integers(0, 2**63 - 1)


@st.composite
def young(draw: st.DrawFn) -> tuple[tuple[Group, ...], Younger]:
    """Return groups, some of one application, and how many of their connections are young."""
    groups, younger = [], {}
    for name in draw(st.lists(names, max_size=4, unique=True)):
        oldest, *ages = sorted(draw(st.lists(counts, min_size=4, max_size=4)), reverse=True)
        idle = draw(st.integers(0, oldest))
        states = {"idle": idle, "active": oldest - idle}
        groups += [Group(name, state, count, None) for state, count in states.items()]
        if draw(st.booleans()):
            younger[name] = ages[2], ages[1], ages[0]
    return tuple(groups), younger


@given(
    at=times,
    who=young(),
    known=st.booleans(),
    activity=st.builds(Activity, counters, counters, st.none() | seconds),
)
def test_what_sessions_do_survives_the_file(
    *, at: float, who: tuple[tuple[Group, ...], Younger], known: bool, activity: Activity
) -> None:
    """A counter of 0 and an empty list are said: they are not the same as not known."""
    groups, younger = who
    taken = recorded_sample(
        at, Limits(100, 3), groups, activity=activity, younger=younger if known else None
    )
    found = parse(line_of(taken))
    assert isinstance(found, Sample)
    assert found.holders == taken.holders
    assert found.postgres.activity == (None if activity == Activity() else activity)
    written = json.loads(line_of(taken))
    assert ("young" in written) == known
    assert ("commits" in written) == (activity.commits is not None)


def test_what_an_older_version_wrote_knows_nothing_of_it() -> None:
    found = parse(line())
    assert isinstance(found, Sample)
    assert (found.postgres.activity, found.holders.younger) == (None, None)


def test_each_sign_of_activity_may_stand_alone() -> None:
    """As where another program writes recordings, or a Prometheus has only some of them."""
    found = parse(line(opened=3))
    assert isinstance(found, Sample)
    assert found.postgres.activity == Activity(None, 3, None)
    found = parse(line(idle_transaction=0))
    assert isinstance(found, Sample)
    assert found.postgres.activity == Activity(None, None, 0.0)


ROOT = [4711, "client backend", "report", "app", "shop", "active", 60.5, 2, 9.1, [["api", 2]]]
QUEUE = {"time": 1767225600.0, "waiting": 2, "looked_at": 2, "roots": [ROOT]}


def test_a_recorded_incident_plays_back_with_who_blocked() -> None:
    state = State("db")
    seen = []
    lines: list[dict[str, object]] = [
        {"waiting": 2},
        {"waiting": 3, "blockers": QUEUE},
        {"waiting": 3},
        {"waiting": 1},
    ]
    for second, more in enumerate(lines):
        state = step(state, parse(line(time=1767225600.5 + second, **more)), POLICY)
        seen.append(None if state.blockers is None else state.blockers.roots[0].pid)
    assert seen == [None, 4711, 4711, None]


@pytest.mark.parametrize(
    "wrong",
    [
        3,
        [],
        {},
        QUEUE | {"time": None},
        QUEUE | {"waiting": -1},
        QUEUE | {"roots": 3},
        QUEUE | {"roots": [ROOT[:-1]]},
        QUEUE | {"roots": [[-1, *ROOT[1:]]]},
        QUEUE | {"roots": [[True, *ROOT[1:]]]},
        QUEUE | {"roots": [[*ROOT[:-1], [["api"]]]]},
        QUEUE | {"roots": [[*ROOT[:2], "x" * 1001, *ROOT[3:]]]},
    ],
)
def test_blockers_that_are_none_are_refused(wrong: object) -> None:
    with pytest.raises(RecordingError) as refused:
        parse(line(blockers=wrong))
    assert str(refused.value).isprintable()


@given(at=times, outcome=st.sampled_from(FAILURES), detail=st.just("no route to host"))
def test_a_failure_survives_the_file(at: float, outcome: Outcome, detail: str) -> None:
    failure = Failure(at, outcome, detail)
    assert parse(line_of(failure)) == failure


@given(at=times, seconds=st.integers(0, 5000), outcome=st.sampled_from(list(Outcome)))
def test_a_knock_survives_the_file(at: float, seconds: int, outcome: Outcome) -> None:
    knock = Probe(
        ProbeKind.KNOCK, at, seconds / 1000, outcome, "" if outcome is Outcome.OK else "refused"
    )
    assert parse(line_of(knock)) == knock


@given(
    at=times,
    seconds=st.integers(0, 5000),
    outcome=st.sampled_from(list(Outcome)),
    privilege=st.sampled_from(["", "a superuser"]),
)
def test_a_login_of_the_canary_survives_the_file(
    at: float, seconds: int, outcome: Outcome, privilege: str
) -> None:
    detail = "" if outcome is Outcome.OK else "refused"
    login = Probe(ProbeKind.CANARY, at, seconds / 1000, outcome, detail, privilege)
    assert parse(line_of(login)) == login


def test_times_are_written_to_the_millisecond() -> None:
    assert parse(line_of(Failure(1.23456, Outcome.FULL, ""))).at == 1.235
    pulse = sample(at=20.00049)._replace(holders=sample(at=15.0004).holders)
    found = parse(line_of(pulse))
    assert isinstance(found, Sample)
    assert (found.at, found.holders.at, found.full) == (20.0, 15.0, False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON: Expecting value at column 1"),
        ('{"time": 1', "not JSON: Expecting ',' delimiter at column 11"),
        ("[" * 100_000, "nested too deeply"),
        ('{"time": ' + "9" * 5000 + "}", "a number of thousands of digits"),
        (line(time=float("nan")), "NaN"),
        (line(time=float("-inf")), "Infinity"),
        (line().replace("1767225600.25", "1e999"), "time must be a number of seconds"),
        (line(time=-1), "time must be a number of seconds from 0"),
        (line(time="now"), 'time must be a number of seconds from 0 to 253402300799; it is "now"'),
        (line(time=True), "it is true"),
        (line(time=None), "it is missing"),
        ("[1, 2]", "should be an object with a time, not list"),
        (line(max_connections=None), "max_connections must be a whole number"),
        (line(max_connections=100.5), "it is 100.5"),
        (line(max_connections=10**18), "from 0 to 262143"),
        (line(max_connections=[]), "max_connections and the reserves must be whole numbers"),
        (line(superuser_reserved_connections=-1), "superuser_reserved_connections must be"),
        (line(reserved_connections="5"), "reserved_connections must be a whole number"),
        (line(connections=None), "connections must be a list of"),
        (line(connections="idle"), "connections must be a list of"),
        (line(connections=[["api", "idle"]]), "connections must be a list of"),
        (line(connections=[["api", "idle", 1, 2]]), "connections must be a list of"),
        (line(connections=[[["api"], "idle", 1]]), "connections must be a list of"),
        (line(connections=[["api", "idle", -1]]), "a count of connections must be a whole number"),
        (line(connections=[["api", "idle", True]]), "it is true"),
        (line(connections=[["api", "idle", 1.0]]), "it is 1.0"),
        (line(connections=[["a" * 1001, "idle", 1]]), "an application_name must be text of at"),
        (line(connections=[[None, "idle", 1]]), "an application_name must be text"),
        (line(connections=[["a", "idle", 1], ["a", "idle", 2]]), 'has "a", "idle" twice'),
        (line(hidden=-2), "hidden must be"),
        (line(pulse=[3]), "pulse must be"),
        (line(pulse=[3, 1767225601]), "the time of a pulse must be"),
        (
            line(commits=-1),
            "commits must be a whole number from 0 to 9223372036854775807; it is -1",
        ),
        (
            line(commits=2**63),
            "commits must be a whole number from 0 to 9223372036854775807; it is",
        ),
        (line(commits=None), "commits must be a whole number"),
        (line(commits=True), "it is true"),
        (line(opened=1.5), "opened must be a whole number"),
        (line(opened=[]), "opened must be a whole number"),
        (line(idle_transaction=-0.1), "idle_transaction must be a number of seconds from 0"),
        (line(idle_transaction="long"), 'it is "long"'),
        (line(young=None), "young must be a list of [application_name, younger than 60 s, "),
        (line(young={"api": [1, 2, 3]}), "young must be a list of"),
        (line(young=["api"]), "young must be a list of [application_name, younger than 60 s, 300"),
        (line(young=[["api", 1, 2]]), "young must be a list of"),
        (line(young=[["api", 1, 2, 3, 4]]), "young must be a list of"),
        (line(young=[[None, 1, 2, 3]]), "an application_name in young must be text"),
        (line(young=[["api", 1, 2.5, 3]]), "a count in young must be a whole number"),
        (line(young=[["api", -1, 2, 3]]), "a count in young must be a whole number"),
        (line(young=[["api", 2, 1, 3]]), "each count in young must be part of the next"),
        (
            line(young=[["api", 1, 2, 10**5]]),
            "a count in young must be at most 40, as in connections",
        ),
        (line(young=[["nobody", 0, 0, 1]]), "a count in young must be at most 0, as in connec"),
        (line(young=[["api", 0, 1, 1]] * 2), "young must be a list that has each application once"),
        (line(young=[[["api"], 0, 1, 1]]), "young must be a list of [application_name, younger"),
        (line(young=[5]), "young must be a list of [application_name, younger"),
        (line(roles=[["app", 3]]), "roles must be a list of [name, limit, used]"),
        (line(databases={"shop": 3}), "databases must be a list of"),
        ('{"time": 1, "failure": "sad"}', "failure must be one of full, reserved_only"),
        ('{"time": 1, "failure": "ok"}', "failure must be one of"),
        ('{"time": 1, "knock": ["ok"]}', "knock must be one of ok, full"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str) -> None:
    # Twice: what was seen before is remembered, and must not pass for something else.
    for _ in range(2):
        with pytest.raises(RecordingError) as caught:
            parse(text)
        assert words in str(caught.value)
        assert len(str(caught.value)) < 300
        assert str(caught.value).isprintable()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = [*PLAIN, "hidden", "provider_reserved", "pulse", "roles", "databases", "started_at"]
KEYS += ["commits", "opened", "idle_transaction", "young"]
KEYS += ["failure", "knock", "seconds", "detail"]


@given(st.dictionaries(st.sampled_from(KEYS), json_values))
def test_whatever_stands_there_it_is_a_reading_or_refused(changed: dict[str, object]) -> None:
    try:
        found = parse(line(**changed))
    except RecordingError as error:
        assert str(error).isprintable()  # noqa: PT017 - both ways are right
    else:
        assert found.at >= 0
        assert parse(line_of(found)).at == round(found.at, 3)


@given(st.text())
def test_whatever_the_text(text: str) -> None:
    with pytest.raises(RecordingError):
        parse(text)


def test_a_poolers_sample_comes_back() -> None:
    """What forecasts and rules need of it: places, who holds them, queues, pauses."""
    pools = (
        Pool(
            "shop", "app", waiting=3, wait_seconds=0.5, servers=(("all", 12),), size=20, reserve=5
        ),
        Pool("bill", "app", size=None),
    )
    before = pooler_sample(
        used=40,
        pools=pools,
        databases=(Database("shop", paused=True), Database("bill")),
        groups=(Group("web", "waiting", 3, None), Group("web", "active", 30, None)),
        paused=True,
    )
    again = parse(line_of(before))
    assert isinstance(again, Sample)
    assert again.main == before.main
    assert [
        (one.scope, one.used, one.limit, one.reserve, one.waiting, one.longest_wait_seconds)
        for one in again.limits_of(CapacityKind.POOL)
    ] == [
        (one.scope, one.used, one.limit, one.reserve, one.waiting, one.longest_wait_seconds)
        for one in before.limits_of(CapacityKind.POOL)
    ]
    assert {(g.application_name, g.state, g.count) for g in again.holders.groups} == {
        ("web", "waiting", 3),
        ("web", "active", 30),
    }
    assert again.pooler.paused
    assert [one.name for one in again.pooler.databases if one.paused] == ["shop"]
    assert again.pooler.config.wait_timeout_seconds == 120.0
    assert line_of(again) == line_of(before)


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_limit": -1},
        {"client_limit": "many"},
        {"clients": None},
        {"pools": [["shop"]]},
        {"pools": 7},
        {"pools": [["shop", "app", 20, 5, 12, -3, 0.5]]},
        {"pools": [[None, "app", 20, 5, 12, 3, 0.5]]},
        {"paused": [7]},
        {"wait_timeout_seconds": "long"},
        {"connections": [["web", "active"]]},
    ],
)
def test_a_wrong_poolers_line_is_refused(wrong: dict[str, object]) -> None:
    right = json.loads(line_of(pooler_sample()))
    with pytest.raises(RecordingError):
        parse(json.dumps(right | wrong))


def test_a_poolers_history_is_judged_as_a_poolers() -> None:
    """A queue that nobody serves pages in a backtest, as it does live."""
    replay = Replay("pool", POLICY)
    for second in range(60):
        pool = Pool("shop", "app", waiting=5 + second, wait_seconds=float(second), size=20)
        replay.add(parse(line_of(pooler_sample(1000.0 + second, pools=(pool,)))))
    assert [str(one.alert.name) for one in replay.account.episodes] == ["PoolerQueueGrowing"]
    assert ("limits", "100 places for clients") in [*facts(replay.account)]
