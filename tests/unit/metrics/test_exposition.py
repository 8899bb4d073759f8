"""Tests that /metrics is valid and complete in both formats, whatever bytes are on it."""

import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.support.readings import POLICY, database_limit, role_limit, sample, with_server

from pgheadroom.board import Board
from pgheadroom.metrics.exposition import Exposition, Format, collected, end
from pgheadroom.metrics.metric import Metric
from pgheadroom.metrics.own import NAMES, SelfMetrics
from pgheadroom.metrics.table import TABLE, TABLES
from pgheadroom.model.activity import Activity
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.names import NameFolder
from pgheadroom.model.pooling import PoolerUse, Pooling
from pgheadroom.model.postgres import Sessions
from pgheadroom.model.reading import Failure, Group, Outcome, Probe, ProbeKind
from pgheadroom.state import State
from pgheadroom.step import Policy, step
from pgheadroom.web.site import compress

Key = tuple[str, frozenset[tuple[str, str]]]


def parsed(page: bytes, format_: Format) -> dict[Key, float]:
    """Parse *page* back; no series stands there twice."""
    text = page.decode()
    families = list(
        parse_openmetrics(text + "# EOF\n")  # type: ignore[no-untyped-call] # the library's
        if format_ is Format.OPENMETRICS
        else parse_text(text)
    )
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family's samples stand together"
    found: dict[Key, float] = {}
    for family in families:
        assert family.documentation
        for one in family.samples:
            one.labels.pop("server", None)
            key = (one.name, frozenset(one.labels.items()))
            assert key not in found
            found[key] = one.value
    return found


def value(found: dict[Key, float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def published(*states: State) -> Exposition:
    board = Board(state.target for state in states)
    exposition = Exposition(board)
    for state in states:
        board.publish(state)
    return exposition


def rich_state(target: str = "db") -> State:
    found = sample(
        groups=(Group("api", "idle", 4, 10.0, "shop", "app"), Group("web-1", "active", 2, 3.0))
    )
    whole = found._replace(
        others=(role_limit("reports", 8, 3), database_limit("shop", 36, 5)),
        facts=found.postgres._replace(
            sessions=(Sessions("shop", 100, 1, 2, 3),), activity=Activity(5_000_000_000, 100)
        ),
    )
    earlier = sample(at=found.at - 20)  # growth is told over some seconds at least
    state = step(step(State(target), earlier, POLICY), whole, POLICY)
    state = step(state, Probe(ProbeKind.KNOCK, 1000.5, 0.004, Outcome.OK), POLICY)
    state = step(state, Probe(ProbeKind.CANARY, 1000.6, 0.3, Outcome.ROLE_LIMIT), POLICY)
    state = step(state, Probe(ProbeKind.CANARY, 1000.7, 0.02, Outcome.OK), POLICY)
    return step(state, Pooling(1000.8, (PoolerUse("pool", 3, 40, None),), 3), POLICY)


def names(metric: Metric) -> tuple[str, ...]:
    """Return what the series of *metric* are called."""
    if metric.kind == "histogram":
        return tuple(f"{metric.name}_{part}" for part in ("bucket", "sum", "count"))
    return (metric.name,)


@pytest.mark.parametrize("format_", list(Format))
def test_every_metric_of_the_table_is_on_the_page(format_: Format) -> None:
    found = parsed(published(rich_state()).page(format_), format_)
    table = TABLES[TargetKind.POSTGRES]
    expected = {name: {"target", *metric.labels} for metric in table for name in names(metric)}
    assert {name for name, _ in found} == set(expected)
    for name, labels in found:
        whole = name.endswith(("_seconds_sum", "_seconds_count"))
        assert {label for label, _ in labels} == expected[name] - ({"le"} if whole else set())


def test_the_figures_are_those_of_the_state() -> None:
    found = parsed(published(rich_state()).page(Format.TEXT), Format.TEXT)
    assert value(found, "pgheadroom_slots_free", target="db", tier="ordinary") == 9
    assert value(found, "pgheadroom_slots_used", target="db") == 6
    assert (
        value(
            found, "pgheadroom_connections", target="db", application_name="web-*", state="active"
        )
        == 2
    )
    assert value(found, "pgheadroom_role_connections", target="db", role="reports") == 3
    assert value(found, "pgheadroom_sessions_total", target="db", database="shop", end="fatal") == 2
    assert value(found, "pgheadroom_transactions_total", target="db") == 5_000_000_000


@pytest.mark.parametrize("format_", list(Format))
def test_the_canary_has_a_histogram(format_: Format) -> None:
    found = parsed(published(rich_state()).page(format_), format_)
    name = "pgheadroom_canary_seconds"
    bucket = f"{name}_bucket"
    assert value(found, bucket, target="db", le="0.01") == 0
    assert value(found, bucket, target="db", le="0.025") == 1
    assert value(found, bucket, target="db", le="+Inf") == 1
    assert value(found, f"{name}_count", target="db") == 1
    assert value(found, f"{name}_sum", target="db") == 0.02
    failures = "pgheadroom_canary_failures_total"
    assert value(found, failures, target="db", state="role_limit") == 1
    assert value(found, failures, target="db", state="auth") == 0


@pytest.mark.parametrize("format_", list(Format))
def test_a_target_that_was_never_read_has_no_figures_made_up(format_: Format) -> None:
    found = parsed(published(State("db")).page(format_), format_)
    assert {name for name, _ in found} == {
        "pgheadroom_failures_total",
        "pgheadroom_knock_failures_total",
        "pgheadroom_alert",
        "pgheadroom_policy_seconds",
        "pgheadroom_policy_ratio",
    }


def test_a_refused_target_shows_why_and_the_last_that_was_known() -> None:
    state = step(rich_state(), Failure(1001.0, Outcome.FULL, "sorry"), POLICY)
    found = parsed(published(state).page(Format.TEXT), Format.TEXT)
    assert value(found, "pgheadroom_up", target="db") == 0
    assert value(found, "pgheadroom_target_state", target="db", state="full") == 1
    assert value(found, "pgheadroom_target_state", target="db", state="ok") == 0
    assert value(found, "pgheadroom_slots_used", target="db") == 6
    assert value(found, "pgheadroom_slots_free", target="db", tier="ordinary") == 0
    assert value(found, "pgheadroom_sample_timestamp_seconds", target="db") == 1000
    assert value(found, "pgheadroom_failures_total", target="db", state="full") == 1


def test_what_is_rendered_bit_by_bit_is_what_is_rendered_at_once() -> None:
    """Only changed metrics are rendered anew; the page must not show it."""
    states = [
        rich_state(),
        step(rich_state(), Failure(1001.0, Outcome.FULL, "sorry"), POLICY),
        step(rich_state(), sample(1002.0, (Group("new", "idle", 9, 1.0),)), POLICY),
    ]
    board = Board(["db"])
    exposition = Exposition(board)
    for state in states:
        board.publish(state)
        for format_ in Format:
            assert exposition.page(format_) == published(state).page(format_)


@pytest.mark.parametrize("format_", list(Format))
def test_every_series_says_which_server_it_is_of(format_: Format) -> None:
    """By its address from the beginning, and by its identifier as soon as that is known."""
    board = Board({"db": Identity("db1:5433")})
    exposition = Exposition(board)
    reading = rich_state().sample
    assert reading is not None
    lost = Failure(1001.0, Outcome.UNREACHABLE, "gone")
    servers: list[set[str]] = []
    for one in (
        None,
        reading,
        with_server(reading, identifier="7301234567890123456"),
        reading,
        lost,
    ):
        if one is not None:
            board.publish(step(board.state("db"), one, POLICY))
        lines = exposition.page(format_).decode().splitlines()
        series = [line for line in lines if not line.startswith("#")]
        servers.append(set(re.findall(r'[{,]server="([^"]*)"', "\n".join(series))))
        assert all('server="' in line for line in series)
    whole = "db1:5433#7301234567890123456"
    assert servers == [{"db1:5433"}, {"db1:5433"}, {whole}, {whole}, {whole}]
    board.follow({"db": Identity("db2")})
    board.publish(board.state("db"))
    assert 'server="db2"' in exposition.page(format_).decode()
    assert "db1" not in exposition.page(format_).decode()


def test_a_probe_shows_one_target_and_the_page_all() -> None:
    exposition = published(rich_state("a"), rich_state("b"))
    one = parsed(exposition.page(Format.TEXT, "b"), Format.TEXT)
    assert {dict(labels)["target"] for _, labels in one} == {"b"}
    every = parsed(exposition.page(Format.TEXT), Format.TEXT)
    assert {dict(labels)["target"] for _, labels in every} == {"a", "b"}
    with pytest.raises(KeyError):
        exposition.page(Format.TEXT, "c")


anything = st.text(st.characters(), max_size=80)


@given(st.lists(st.tuples(anything, anything, st.integers(1, 9)), max_size=30))
def test_whatever_clients_call_themselves_the_page_stays_valid(
    rows: list[tuple[str, str, int]],
) -> None:
    """Newlines, quotes, backslashes, controls, lone surrogates, right-to-left marks."""
    groups = tuple(Group(name, "idle", count, 1.0) for name, _, count in rows)
    state = step(State("db"), sample(groups=groups), Policy(NameFolder(()).fold, 10))
    for format_ in Format:
        found = parsed(published(state).page(format_), format_)
        names = {dict(labels).get("application_name") for name, labels in found}
        assert len(names - {None, "other", "unnamed"}) <= 10
        total = sum(v for (name, _), v in found.items() if name == "pgheadroom_connections")
        assert total == sum(count for *_, count in rows)


def test_the_page_is_bounded_by_configuration() -> None:
    groups = tuple(
        Group(f"app{chr(97 + n % 26)}{chr(97 + n // 26)}", "idle", 1, 1.0) for n in range(500)
    )
    state = step(State("db"), sample(groups=groups), POLICY)
    found = parsed(published(state).page(Format.TEXT), Format.TEXT)
    assert sum(name == "pgheadroom_connections" for name, _ in found) == 51


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/html", Format.TEXT),
        ("text/plain;version=0.0.4", Format.TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3", Format.OPENMETRICS),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text;version=latest", Format.TEXT),
        ("text/plain;version=1.x", Format.TEXT),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(accept: str, expected: Format) -> None:
    assert Format.of(accept) is expected


def test_the_daemon_speaks_of_itself_without_a_target() -> None:
    own = SelfMetrics()
    own.configured(1.0)
    own.bug("sample")
    own.posted("am1:9093", accepted=True)
    own.keeps_state()
    own.state_saved(1.0)
    for format_ in Format:
        found = parsed(collected(own.registry, format_), format_)
        assert set(NAMES) <= {name for name, _ in found}
        assert not any("target" in dict(labels) for _, labels in found)
        assert value(found, "pgheadroom_bugs_total", job="sample") == 1
        assert any(name.startswith("process_") for name, _ in found)


def test_the_end_mark_is_openmetrics_only() -> None:
    assert end(Format.OPENMETRICS) == b"# EOF\n"
    assert end(Format.TEXT) == b""


async def test_compressing_gives_back_what_went_in() -> None:
    for size in (10, 1_000_000):
        assert gzip.decompress(await compress(b"x" * size)) == b"x" * size


def test_names_and_helps_follow_prometheus_conventions() -> None:
    assert len({metric.name for metric in TABLE}) == len(TABLE)
    for metric in TABLE:
        assert re.fullmatch(r"pgheadroom_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert not metric.name.endswith(("_count", "_sum", "_bucket"))
        assert metric.help.endswith(".")
