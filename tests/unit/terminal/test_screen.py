"""Tests that the screen shows slots left, for whom, until when, who takes them, and fits."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.support.histories import START, Shape, after, climb, pool, reading, samples, together
from tests.support.readings import (
    POLICY,
    database_limit,
    older_server,
    pooler_sample,
    role_limit,
    sample,
)

from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.pooler import Database, Pool
from pgheadroom.model.pooling import PoolerUse, Pooling
from pgheadroom.model.reading import Failure, Outcome, Probe, ProbeKind
from pgheadroom.model.slots import Limits, Slots, Tier
from pgheadroom.state import State
from pgheadroom.step import step
from pgheadroom.terminal import bars
from pgheadroom.terminal.applications import Order
from pgheadroom.terminal.screen import Look, screen

LIMITS = Limits(max_connections=100, superuser_reserved=3, reserved=2)
WIDE = Look(120, 30)
HOSTILE = ["[bold red]x[/]", "\x1b[2J\x1b[31mred", "a\nb\rc", "\u202egnp.exe", "[/]", "日本語" * 9]

CALM = pool("checkout-api", 12, noise=2)
LEAK = together(CALM, climb("nest-api", 0, 0.5, begins=30))


def looked(shape: Shape, seconds: float) -> State:
    return after(samples(shape, seconds, limits=LIMITS))


def lines(state: State, now: float | None = None, look: Look | None = None) -> list[str]:
    """Return what is drawn, in characters."""
    look = look or Look()
    output = io.StringIO()
    console = Console(file=output, width=look.width, height=look.height, legacy_windows=False)
    console.print(screen(state, at(state) + 0.3 if now is None else now, look))
    return output.getvalue().splitlines()


def at(state: State) -> float:
    return state.sample.at if state.sample is not None else START


def shown(state: State, now: float | None = None, look: Look | None = None) -> str:
    return "\n".join(line.rstrip() for line in lines(state, now, look))


def test_a_calm_server() -> None:
    page = shown(looked(CALM, 400))
    assert "steady" in page
    assert "slots free, not filling up" in page
    assert "▶ No action needed." in page
    assert "PAGE" not in page
    assert "sample 0.3 s old (2.0 ms)" in page
    assert page.count("█ used") == page.count("▒ reserve 5  of 100") == 1


def test_a_leak_is_named_with_its_end() -> None:
    """Free for whom, until when, who: within the first lines."""
    page = shown(looked(LEAK, 175))
    head = "\n".join(page.splitlines()[:4])
    assert "of 95 slots free, full in" in head
    assert "nest-api +" in head
    assert "free for applications 1" in head
    assert "pg_use_reserved_connections 1" in head
    assert "superusers 1" in head
    assert "PAGE  PostgresConnectionsExhaustionImminent  for" in page
    assert "▶ Act on nest-api now" in page
    row = next(line for line in page.splitlines() if line.startswith("nest-api  "))
    assert "climbing" in row
    assert "+30" in row or "+31" in row


def test_what_is_not_known_yet_is_told_where_there_is_room() -> None:
    state = looked(CALM, 630)
    words = "history: 10 min; the daily rhythm is known after a day"
    assert words in shown(state, look=WIDE)
    assert words not in shown(state, look=Look(80, 8))


def test_a_full_server() -> None:
    page = shown(looked(LEAK, 260))
    assert "FULL: 0 of 95 slots free, new connections are being refused" in page
    assert "PAGE  PostgresConnectionsExhausted" in page
    assert f"{bars.FREE} free 0" in page
    assert f"{bars.FREE}{bars.FREE}" not in page


def refused(outcome: Outcome, detail: str) -> State:
    known = looked(CALM, 60)
    return step(known, Failure(at(known) + 2, outcome, detail), POLICY)


def test_a_server_that_refuses_us_is_full_with_its_last_figures() -> None:
    state = refused(Outcome.FULL, "sorry, too many clients already")
    page = shown(state, at(state) + 12)
    assert "FULL: 0 of 95 slots free, new connections are being refused" in page
    assert "full: sorry, too many clients already; figures are of 00:00:59, 12 s ago" in page
    assert "free for applications 0, pg_use_reserved_connections 0, superusers 0" in page
    assert f"{bars.FREE}{bars.FREE}" not in page
    assert "checkout-api" in page


def test_a_server_that_is_gone() -> None:
    state = refused(Outcome.UNREACHABLE, "connection refused")
    page = shown(state, at(state) + 90)
    assert "Last known: 8" in page
    assert "current number unknown" in page
    assert "unreachable: connection refused; figures are of 00:00:59, 1 min 30" in page
    assert "sample 1 min 30 s old (2.0 ms)" in page


def test_no_news_although_nothing_failed_is_told_too() -> None:
    """A daemon of ours that hangs must not look like a calm server."""
    state = looked(CALM, 60)
    assert "no new sample; figures are of" in shown(state, at(state) + 6)
    assert "no news" not in shown(state, at(state) + 4)


def test_before_the_first_reading() -> None:
    page = shown(State("orders"))
    assert "orders  unknown" in page
    assert "waiting for the first reading" in page
    state = step(State("orders"), Failure(START, Outcome.AUTH, "no password"), POLICY)
    page = shown(state, START + 9)
    assert "no sample yet" in page
    assert "auth: no password" in page
    assert "pg_hba.conf" in page


def test_roles_databases_knock_and_estimates() -> None:
    known = looked(CALM, 60)
    assert known.sample is not None
    holders = known.sample.holders._replace(complete=False)
    limits = role_limit("app\x1b[5m", 10, 9), database_limit("shop", 50, 3)
    state = known._replace(
        sample=known.sample._replace(holders=holders, others=limits),
    )
    silent = Probe(ProbeKind.KNOCK, START, 0.0021, Outcome.TIMEOUT, "silence")
    state = step(state, silent, POLICY)
    page = shown(state, look=Look())
    assert "limits  role app\\u001b[5m 9 of 10   database shop 3 of 50" in page
    assert "knock timeout (2.1 ms), sample" in page
    assert "states are unknown: GRANT pg_monitor TO pgheadroom;" in page
    older = older_server(state.sample, 150018) if state.sample else None
    estimated = shown(state._replace(sample=older), look=Look())
    assert "these are estimates: GRANT pg_monitor TO pgheadroom;" in estimated
    answered = step(state, replace(silent, outcome=Outcome.OK), POLICY)
    assert "knock ok (2.1 ms)" in shown(answered, look=Look())


def test_reserve_in_use_is_told() -> None:
    state = after([reading(START, {"api": 97}, LIMITS)])
    assert "▒ reserve 5, 2 of it in use" in shown(state)


def test_what_does_not_fit_is_counted() -> None:
    names = {f"svc-{letter}{other}": 2 for letter in "abcdefg" for other in "hijkl"}
    state = after(samples(lambda _: names, 60, limits=LIMITS))
    small = shown(state)
    (more,) = [line for line in small.splitlines() if line.endswith(" more")]
    told = sum(line.startswith("svc-") for line in small.splitlines())
    assert more == f"and {35 - told} more"
    assert told >= 10
    wide = shown(state, look=Look(200, 60))
    assert sum(line.startswith("svc-") for line in wide.splitlines()) == 35
    assert " more" not in wide


def test_orders() -> None:
    state = looked(together(pool("a-big", 30), climb("b-grows", 2, 0.1), pool("c", 1)), 120)

    def first(order: Order) -> list[str]:
        rows = shown(state, look=Look(order=order)).splitlines()
        return [line[0] for line in rows if line.startswith(("a-big  ", "b-grows  ", "c  "))]

    assert first(Order.CONNECTIONS) == ["a", "b", "c"]
    assert first(Order.GROWTH) == ["b", "a", "c"]
    assert first(Order.NAME) == ["a", "b", "c"]
    assert "s by growth" in shown(state, look=Look(order=Order.GROWTH))
    assert "PAUSED" in shown(state, look=Look(paused=True))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text(name: str) -> None:
    """In the table, the headline, the alert, the trouble and the limits: nothing is interpreted."""
    shape = together(CALM, climb(name, 0, 0.5, begins=30))
    state = looked(shape, 175)
    state = step(state, Failure(at(state) + 1, Outcome.ERROR, name), POLICY)
    output = io.StringIO()
    console = Console(file=output, width=160, height=40, force_terminal=True, legacy_windows=False)
    console.print(screen(state, at(state) + 2, Look(160, 40)))
    written = output.getvalue()
    for sequence in ("\x1b[2J", "\r", "\u202e", "\x1b[31mred"):
        assert sequence not in written
    assert len(written.splitlines()) == 40
    page = shown(state, at(state) + 2, Look(160, 40))
    if name.startswith("["):
        assert page.count(name) >= 3


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 16), (132, 43), (40, 8), (20, 5)])
@pytest.mark.parametrize("shape", [CALM, LEAK])
def test_it_fills_the_terminal_and_no_more(size: tuple[int, int], shape: Shape) -> None:
    found = lines(looked(shape, 200), look=Look(*size))
    assert len(found) == size[1]
    assert max(map(len, found)) <= size[0]
    assert any("checkout-a" in line for line in found) or size[1] < 8


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 250),
    st.integers(1, 70),
    st.dictionaries(st.text(min_size=1, max_size=30), st.integers(1, 9), max_size=12),
    st.integers(0, 30),
)
def test_any_names_fit_any_size(
    width: int, height: int, holders: dict[str, int], hidden: int
) -> None:
    state = after([reading(START + n, holders, LIMITS, hidden=hidden) for n in range(3)])
    look = Look(width, height)
    console = Console(width=width, height=height, legacy_windows=False)
    drawn = console.render_lines(screen(state, START + 3, look))
    assert len(drawn) == height
    for line in drawn:
        assert sum(segment.cell_length for segment in line) <= width


@given(st.integers(0, 120), st.integers(0, 40), st.integers(10, 200))
def test_the_bar_is_as_wide_as_said_and_hides_nothing(
    visible: int, hidden: int, width: int
) -> None:
    slots = Slots(LIMITS, visible, hidden)
    free = slots.free(Tier.ORDINARY)
    bar = bars.bar(slots.ordinary, free, width, "green").plain
    assert len(bar) == width
    reserve = LIMITS.max_connections - slots.used - free
    for count, character in (
        (visible, bars.USED),
        (hidden, bars.HIDDEN),
        (free, bars.FREE),
        (max(0, reserve), bars.RESERVE),
    ):
        assert (character in bar) == (count > 0)


def test_the_curve_shows_a_climb_a_gap_and_nothing_before_it_began() -> None:
    state = looked(climb("x", 5, 0.3), 200)
    rows = bars.curve(state.usage.history, at(state), 300.0, 95, (60, 3))
    assert [len(row) for row in rows] == [60] * 3
    bottom = rows[-1]
    assert bottom.startswith(" " * 18)
    assert bottom.endswith("█" * 10)
    levels = [sum(" ▁▂▃▄▅▆▇█".index(row[column]) for row in rows) for column in range(20, 60)]
    assert levels == sorted(levels)
    later = bars.curve(state.usage.history, at(state) + 100, 300.0, 95, (60, 3))
    assert all(row.endswith(" " * 18) for row in later)


def test_the_picture_of_it_loads_nothing_from_elsewhere() -> None:
    picture = (Path(__file__).parents[3] / "docs" / "images" / "top.svg").read_text()
    assert "nest-api" in picture
    for way in ("@font-face", "@import", "href", "src", "<image", "<script"):
        assert way not in picture
    assert set(re.findall(r"url\((.)", picture)) <= {"#"}


def test_a_pooler_shows_its_places_and_its_queues() -> None:
    pools = (
        Pool("shop", "app", waiting=3, wait_seconds=4.0, servers=(("active", 20),), size=20),
        Pool("bill", "app", servers=(("idle", 1),)),
    )
    databases = (Database("shop"), Database("bill", paused=True))
    found = pooler_sample(START, used=40, pools=pools, databases=databases)
    state = step(State("pool").of(Identity("p", TargetKind.PGBOUNCER)), found, POLICY)
    text = "\n".join(lines(state, look=WIDE))
    assert "PgBouncer 1.26.1" in text
    assert "60 of 100 places for clients free" in text
    assert "shop/app 20 of 20, 3 wait, the oldest for 4 s" in text
    assert "bill/app 1 of unlimited PAUSED" in text
    assert "superusers" not in text
    assert "reserve" not in text


def test_a_full_pooler_is_loud() -> None:
    found = pooler_sample(START, used=100)
    state = step(State("pool").of(Identity("p", TargetKind.PGBOUNCER)), found, POLICY)
    assert "FULL: 0 of 100 places for clients free" in "\n".join(lines(state, look=WIDE))


def test_a_server_shows_through_whom_its_slots_are_held() -> None:
    uses = (PoolerUse("pool", 12, 140, None), PoolerUse("other", None, None, None))
    for use, words in zip(uses, ("pool 12 of 140", "other ? of any number"), strict=True):
        state = step(step(State("db"), sample(START), POLICY), Pooling(START, (use,), 3), POLICY)
        assert words in "\n".join(lines(state, look=WIDE))
        assert "no pooler 3" in "\n".join(lines(state, look=WIDE))
