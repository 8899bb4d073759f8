"""Tests that all outputs of one moment agree: slots, time left, severity, culprit.

Incidents are played reading by reading, and everything that is shown of the states in between is
read: the API, the words of the page, the screen of `top`, what an alert says, the metrics.
"""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from tests.support.histories import (
    LIMITS,
    START,
    Shape,
    climb,
    let_in,
    mountains,
    pile_up,
    pool,
    ramp,
    reading,
    samples,
    staircase,
    together,
)
from tests.support.readings import POLICY

import pgheadroom
from pgheadroom.board import Board
from pgheadroom.demo.load import Script
from pgheadroom.demo.scripts import LEAK, ROLLING, STORM
from pgheadroom.durations import about
from pgheadroom.metrics.exposition import Exposition, Format
from pgheadroom.model.alert import SEVERITIES, Alert, AlertName
from pgheadroom.model.reading import Failure, Outcome, Probe, ProbeKind, Reading, Sample
from pgheadroom.model.slots import Limits, Tier
from pgheadroom.notify.notification import Notification, NotificationOptions, message
from pgheadroom.state import State
from pgheadroom.status.advice import by_urgency
from pgheadroom.status.condition import Condition
from pgheadroom.status.figures import free_for
from pgheadroom.status.standing import Standing, standing
from pgheadroom.status.titles import superseded_by
from pgheadroom.step import step
from pgheadroom.storage.snapshot import restored, taken
from pgheadroom.storage.snapshot_file import pack, unpack
from pgheadroom.terminal.screen import Look, screen
from pgheadroom.web.view import target_view

RESERVE: Final = Limits(max_connections=100, superuser_reserved=3, reserved=2)
CALM: Final = pool("checkout-api", 12, noise=2)
TALL: Final = Look(width=220, height=200)
OF_NOW: Final = {AlertName.EXHAUSTED, AlertName.IMMINENT, AlertName.LOW, AlertName.RESERVE}
NODE: Final = Path(sys.executable).parent / "node"
WORDS: Final = Path(pgheadroom.__file__).parent / "web" / "static" / "words.js"


def scripted(script: Script, every: float = 1.0) -> Iterator[Reading]:
    """Yield what a demo does to a server, as the daemon would read it: our own session stays."""
    most = LIMITS.of(Tier.ORDINARY)
    for number in range(int(script.round_seconds / every)):
        after = number * every
        wanted = {"pgheadroom": 1, **script.wanted(after, seed=1)}
        folded: dict[str, int] = {}
        for name, count in let_in(wanted, most).items():
            shown = POLICY.fold(name)
            folded[shown] = folded.get(shown, 0) + count
        refused = sum(wanted.values()) > most
        yield reading(START + after, folded, hidden=2 if refused and number % 2 else 0)
        if number % 15 == 14:
            outcome = Outcome.RESERVED_ONLY if refused else Outcome.OK
            yield Probe(
                ProbeKind.KNOCK, START + after + 0.1, 0.003, outcome, "sorry" if refused else ""
            )


def refused(shape: Shape, seconds: float, blind: float, outcome: Outcome) -> Iterator[Reading]:
    """Yield *shape*, then failures, then *shape* again."""
    yield from samples(shape, seconds, limits=RESERVE)
    for second in range(int(blind)):
        yield Failure(START + seconds + second, outcome, "why")
    yield from samples(shape, 20, limits=RESERVE, start=seconds + blind)


LEAKY: Final = together(CALM, climb("nest-api", 0, 0.5, begins=30))
STORMY: Final = together(CALM, pile_up("launch-fn", 2, 4, 60, most=20))
INCIDENTS: Final[dict[str, list[Reading]]] = {
    "calm": [*samples(CALM, 120)],
    "leak": [*scripted(LEAK)],
    "storm": [*scripted(STORM)],
    "rolling": [*scripted(ROLLING)],
    "a storm that fits": [*samples(STORMY, 400)],
    "two at once": [*samples(together(LEAKY, climb("jobs", 0, 1.5, begins=150)), 260)],
    "a storm upon a leak": [
        *samples(together(climb("slow", 5, 1 / 300), CALM), 3 * 3600, 15.0),
        *samples(
            together(climb("slow", 5, 1 / 300), CALM, climb("burst", 0, 1.0, begins=10830)),
            90,
            start=10800.0,
        ),
    ],
    "deploys": [*samples(together(CALM, staircase("pods", 12, 120.0, 60)), 900)],
    "mountains": [*samples(together(CALM, mountains("batch", 30, 9, 600)), 5 * 600, 2.0)],
    "goes back": [
        *samples(together(CALM, ramp("x", 0, 80, 60, 200), ramp("x", 0, -60, 260, 280)), 700)
    ],
    "refuses us": [*refused(LEAKY, 260, 30, Outcome.FULL)],
    "refused as an ordinary role": [*refused(LEAKY, 210, 30, Outcome.RESERVED_ONLY)],
    "lost": [*refused(LEAKY, 200, 70, Outcome.TIMEOUT)],
    "full from the start": [Failure(START + at, Outcome.FULL, "sorry") for at in range(9)],
    "absent from the start": [Failure(START + at, Outcome.AUTH, "no") for at in range(70)],
}


class Outputs:
    """Everything that is shown of one state."""

    def __init__(self, state: State, now: float) -> None:
        self.state = state
        self.view: Any = json.loads(json.dumps(target_view(state), allow_nan=False))
        self.screen = _drawn(state, now)
        self.metrics = _metrics(state)
        self.posts = {alert: _posted(state, alert, now) for alert in state.alerts}

    def metric(self, name: str, **labels: str) -> float | None:
        """Return the value of a metric; None if it has no such series."""
        key = (f"pgheadroom_{name}", *sorted({"target": "db", **labels}.items()))
        return self.metrics.get(key)


def _drawn(state: State, now: float) -> str:
    output = io.StringIO()
    console = Console(file=output, width=TALL.width, height=TALL.height, legacy_windows=False)
    console.print(screen(state, now, TALL))
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def _metrics(state: State) -> dict[tuple[object, ...], float]:
    board = Board(["db"])
    board.publish(state)
    text = Exposition(board).page(Format.TEXT).decode()
    return {
        (
            sample.name,
            *sorted((name, value) for name, value in sample.labels.items() if name != "server"),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _posted(state: State, alert: Alert, now: float) -> str:
    annotations = message(Notification(state.target, alert), now, NotificationOptions())[
        "annotations"
    ]
    assert isinstance(annotations, dict)
    return annotations["description"]


def played(found: Iterable[Reading], state: State | None = None) -> Iterator[Outputs]:
    """Yield what is shown after each reading at which something may have changed."""
    state = state or State("db")
    for number, one in enumerate(found):
        state = step(state, one, POLICY)
        if number % (61 if standing(state) is Standing.WELL else 7) == 0:
            yield Outputs(state, one.at)


@cache
def seen_of(incident: str) -> list[Outputs]:
    """Return what is shown during one of the incidents."""
    return [*played(INCIDENTS[incident])]


def agree(seen: Outputs) -> None:
    """Check that no two outputs of a state disagree."""
    _slots_agree(seen)
    _time_agrees(seen)
    _severity_agrees(seen)
    _condition_agrees(seen)
    _titles_agree(seen)
    _names_agree(seen)


def _slots_agree(seen: Outputs) -> None:
    state, view = seen.state, seen.view
    for tier in Tier:
        assert seen.metric("slots_free", tier=str(tier)) == free_for(state, tier)
        if view["slots"]:
            assert view["slots"]["free"][str(tier)] == free_for(state, tier)
    free = state.free
    head = seen.screen.splitlines()[1]
    if view["standing"] == "full":
        assert free == 0
        assert "FULL" in head
    elif view["slots"]:
        limit = view["slots"]["limit"]["ordinary"]
        assert f"{free} of {limit} slots free" in head
        assert view["status"]["left"] == f"{free} of {limit} slots free"
    for alert, posted in seen.posts.items():
        told = re.search(r"(\d+) of (\d+) slots free", alert.description)
        if told is None:
            continue
        if _of_this_moment(state, alert) and "Last known" not in alert.description:
            assert int(told[1]) == free, alert.description
        else:
            assert re.search(r"[Aa]t \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: ", posted)
            if _outdated(state, alert) and superseded_by(state, alert) is None:
                assert re.search(
                    rf"At \d\d:\d\d:\d\d: {re.escape(alert.description[:40])}", seen.screen
                )


def _of_this_moment(state: State, alert: Alert) -> bool:
    return state.outcome is Outcome.OK and not _outdated(state, alert)


def _outdated(state: State, alert: Alert) -> bool:
    assert alert.told_at is not None
    return state.sample is not None and alert.told_at < state.sample.at


def _time_agrees(seen: Outputs) -> None:
    state, view = seen.state, seen.view
    head = seen.screen.splitlines()[1]
    seconds = seen.metric("exhaustion_seconds", tier="ordinary")
    if view["forecast"]:
        told = view["forecast"]["exhaustion_seconds"]["ordinary"]
        assert (math.inf if told is None else told) == seconds
    _words_of_time_agree(seen, seconds)
    says = view["status"]
    if says["when"] not in ("full", "recovered", "unknown"):
        assert says["when"] in head
        assert says["when"] in says["sentence"]
    for alert in state.alerts:
        told = re.search(r"At this rate it is full in ([^.]*)\.", alert.description)
        if told is not None and _of_this_moment(state, alert) and seconds != math.inf:
            assert seconds is not None
            assert told[1] == about(seconds), alert.description


def _words_of_time_agree(seen: Outputs, seconds: float | None) -> None:
    state, view = seen.state, seen.view
    head, says = seen.screen.splitlines()[1], view["status"]
    assert says["advice"] == view["to_do"]
    match view["standing"]:
        case "full":
            assert seconds == 0
            assert says["when"] == "full"
        case "running_out":
            assert seconds is not None
            if says["when"] == "almost full":
                assert says["because"] == "it was full just now"
            else:
                assert says["when"].removesuffix(", at the next peak") == (
                    f"full in {about(seconds)}"
                )
                assert f"{says['when']}, at " in head
            assert says["advice"] != "No action needed."
        case "alarmed":
            assert seconds == math.inf
            assert says["when"] != "not filling up" or not _short(view)
        case "recovering":
            assert all(one["over"] for one in view["alerts"])
            assert view["resolves_at"] is not None
            assert view["cause_gone_at"] is not None
            assert says["advice"].startswith("No action needed")
            assert says["sentence"].startswith("recovered: ")
            assert "PAGE" not in seen.screen
            assert (state.free or 0) > 0.1 * view["capacity"]["limit"]
        case "climbing":
            assert seconds == math.inf
            assert says["when"].endswith("at this rate") or says["when"] == "rising"
            assert says["advice"].startswith("Watch ")
        case "well":
            assert seconds == math.inf
            assert (says["when"], says["advice"]) == ("not filling up", "No action needed.")
            assert not view["alerts"]
            verdicts = {one["verdict"] for one in view["applications"]}
            assert not verdicts & {"storm", "climbing"}
        case _:
            assert "current number unknown" in head or not view["slots"]


def _short(view: Any) -> bool:  # noqa: ANN401 - as a program sees it
    """Say whether an alert fires of which it would be wrong to say that nothing fills up."""
    urgent = {"PostgresConnectionsExhausted", "PostgresConnectionsExhaustionImminent"}
    return bool(urgent & {one["alertname"] for one in view["alerts"] if not one["over"]})


RANK: Final = {"steady": 0, "recovering": 0, "rising": 1, "unknown": 1, "warning": 1, "critical": 2}


def _condition_agrees(seen: Outputs) -> None:
    """No less than what fires, and the same in every output."""
    view = seen.view
    is_now = view["status"]["condition"]
    for name in Condition:
        value = seen.metric("condition", condition=str(name))
        assert value == (None if view["state"] == "waiting" else float(name == is_now))
    assert f"  {is_now}" in seen.screen.splitlines()[0]
    fires = [one["severity"] for one in view["alerts"] if not one["over"]]
    least = 2 if "critical" in fires else 1 if fires else 0
    assert RANK[is_now] >= least
    if view["standing"] == "full":
        assert is_now == "critical"
    assert (is_now == "recovering") == (view["standing"] == "recovering")


def _titles_agree(seen: Outputs) -> None:
    """Check that the line of a pager begins with the target and says what the headline says."""
    for alert, one in zip(by_urgency(seen.state), seen.view["alerts"], strict=True):
        assert one["alertname"] == alert.name
        assert one["title"].startswith("db: ")
        assert len(one["title"]) > len("db: ")
        if alert.name in OF_NOW - {AlertName.RESERVE} and _of_this_moment(seen.state, alert):
            assert one["title"] == f"db: {seen.view['status']['sentence']}"
    shown = [one for one in seen.view["alerts"] if one["superseded_by"] is None]
    assert bool(shown) == bool(seen.view["alerts"])
    names = {one["alertname"] for one in shown}
    assert not {AlertName.EXHAUSTED, AlertName.IMMINENT} <= names


def _severity_agrees(seen: Outputs) -> None:
    firing = {(str(alert.name), str(alert.severity)) for alert in seen.state.alerts}
    worst = "critical" if any(s == "critical" for _, s in firing) else "warning" if firing else None
    blind = seen.view["state"] != "ok"
    assert seen.view["severity"] == (worst or ("unknown" if blind else "ok"))
    assert {(one["alertname"], one["severity"]) for one in seen.view["alerts"]} == firing
    told = {
        (str(name), str(severity))
        for name, severities in SEVERITIES.items()
        for severity in severities
        if seen.metric("alert", alertname=str(name), severity=str(severity))
    }
    assert told == firing
    drawn = re.findall(r"^ ?(PAGE|warn|over) +(\w+)", seen.screen, re.MULTILINE)
    assert {name for _, name in drawn} == {
        one["alertname"] for one in seen.view["alerts"] if one["superseded_by"] is None
    }
    over = {one["alertname"] for one in seen.view["alerts"] if one["over"]}
    assert {name for kind, name in drawn if kind == "over"} <= over
    if any(kind == "PAGE" for kind, _ in drawn):
        assert worst == "critical"


def _names_agree(seen: Outputs) -> None:
    state, view, head = seen.state, seen.view, "\n".join(seen.screen.splitlines()[1:3])
    who = view["taker"]
    if who is None:
        assert view["forecast"] is None or view["forecast"]["application_name"] is None
        return
    name = who["application_name"]
    assert view["status"]["who"] == name
    assert f"{name} {view['status']['change']}" in head
    rates = {one["application_name"]: one["growth_per_second"] for one in view["applications"]}
    verdicts = {one["application_name"]: one["verdict"] for one in view["applications"]}
    if who["took"] and view["standing"] in ("running_out", "climbing"):
        # Growth, verdict and forecast are of the same stretch of time.
        assert rates.get(name) in (None, who["rate"])
        assert verdicts.get(name) in (None, "climbing", "storm", "sawtooth", "new")
    blamed = view["forecast"]["application_name"]
    assert blamed in (None, name)
    for alert in state.alerts:
        if alert.name in OF_NOW and not _outdated(state, alert) and alert.application_name:
            assert alert.application_name == name, alert.description
    worst = view["alerts"][0] if view["alerts"] else None
    now = view["state"] == "ok" and view["standing"] != "recovering"
    if worst and worst["alertname"] in OF_NOW and who["took"] and now:
        assert name in view["to_do"]


@pytest.mark.parametrize("name", INCIDENTS)
def test_no_two_outputs_of_a_moment_disagree(name: str) -> None:
    found = seen_of(name)
    assert found
    for seen in found:
        agree(seen)


def test_the_incidents_are_such() -> None:
    """All that there is to disagree about happens in them."""
    standings, names, outdated = set[str](), set[AlertName](), 0
    for name in INCIDENTS:
        for seen in seen_of(name):
            standings.add(seen.view["standing"])
            names |= {alert.name for alert in seen.state.alerts}
            outdated += any(_outdated(seen.state, alert) for alert in seen.state.alerts)
    assert standings == {*Standing} - {Standing.WAITING, Standing.QUEUEING}
    assert names >= {*OF_NOW - {AlertName.LOW, AlertName.RESERVE}, AlertName.REFUSED}
    assert names >= {AlertName.EXPECTED, AlertName.LEAKING, AlertName.UNKNOWN}
    assert outdated > 20


def test_it_recovers_within_seconds_of_the_cure() -> None:
    """Past tense, nothing to stop, and when it resolves; not five minutes of red."""
    cured = START + 200.0
    shape = together(pool("web", 8), climb("nest-api", 0, 0.5, begins=20))

    def mended(at: float) -> Mapping[str, int]:
        held = shape(at)
        return held if at < cured - START else {**held, "nest-api": 0}

    state, recovering = State("db"), []
    for one in samples(mended, 900, limits=LIMITS):
        state = step(state, one, POLICY)
        seen = target_view(state)
        if seen["standing"] == "recovering":
            recovering.append(one.at)
            assert "nest-api" not in str(seen["to_do"])
    assert state.alerts == ()
    assert recovering
    assert recovering[0] - cured <= 10.0
    assert recovering[-1] - recovering[0] > 250.0


def test_a_storm_is_never_well() -> None:
    """Nothing is foreseen of it, and it took a quarter of the slots within a minute."""
    seen = [seen for seen in seen_of("a storm that fits") if _storms(seen.view)]
    assert seen
    assert {one.view["standing"] for one in seen} <= {"climbing", "running_out", "alarmed"}
    assert all("launch-fn" in one.view["to_do"] for one in seen)


def _storms(view: Any) -> bool:  # noqa: ANN401 - as a program sees it
    return any(one["verdict"] == "storm" for one in view["applications"])


def test_after_a_restart_all_tell_the_same_of_what_is_remembered() -> None:
    for outcome in (Outcome.FULL, Outcome.TIMEOUT):
        for seconds in (100, 200, 240):
            found = [*samples(LEAKY, seconds, limits=RESERVE)]
            state = State("db")
            for one in found:
                state = step(state, one, POLICY)
            now = found[-1].at + 40
            memory = unpack(pack(taken(state, now), "db"), "db", now)
            anew = restored(State("db"), memory, now)
            agree(Outputs(anew, now))
            failures = [Failure(now + at, outcome, "why") for at in range(3)]
            for seen in played([*failures, *samples(LEAKY, 9, start=seconds + 60)], anew):
                agree(seen)


lives = st.lists(
    st.tuples(
        st.sampled_from([1.0, 1.0, 1.0, 2.0, 15.0, 700.0]),
        st.integers(-12, 14),
        st.integers(-3, 6),
        st.sampled_from("ssssssssfukK"),
    ),
    max_size=80,
)


@settings(deadline=None, max_examples=40)
@given(lives)
def test_whatever_happens_all_tell_the_same(steps: list[tuple[float, int, int, str]]) -> None:
    at, held, state = START, {"web": 20, "jobs": 5}, State("db")
    for number, (pause, more, other, kind) in enumerate(steps):
        at += pause
        held = {
            "web": max(0, min(80, held["web"] + more)),
            "jobs": max(0, min(18, held["jobs"] + other)),
        }
        found: Reading = _life(at, held, kind)
        state = step(state, found, POLICY)
        if number % 5 == 4:
            agree(Outputs(state, at))


def _life(at: float, held: dict[str, int], kind: str) -> Sample | Failure | Probe:
    match kind:
        case "f":
            return Failure(at, Outcome.FULL, "sorry")
        case "u":
            return Failure(at, Outcome.UNREACHABLE, "why")
        case "k":
            return Probe(ProbeKind.KNOCK, at, 0.01, Outcome.OK)
        case "K":
            return Probe(ProbeKind.KNOCK, at, 0.01, Outcome.FULL, "sorry")
    return reading(at, held)


SCRIPT: Final = """
import { readFileSync } from "node:fs";
const { until, title, colour, told, description } = await import(process.argv[1]);
const views = JSON.parse(readFileSync(0, "utf8"));
const said = (view) => ({
  until: until(view), title: title(view), colour: colour(view),
  shown: told(view).map((alert) => alert.alertname),
  alerts: view.alerts.map((alert) => description(view, alert)),
});
console.log(JSON.stringify(views.map(said)));
"""


def page_words(views: list[Any]) -> list[dict[str, Any]]:
    """Return what the page says of each of *views*, by its own script."""
    done = subprocess.run(
        [NODE, "--input-type=module", "--eval", SCRIPT, WORDS.as_uri()],
        input=json.dumps(views),
        capture_output=True,
        check=False,
        text=True,
        env={"TZ": "UTC"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


COLOURS: Final = {"steady": "ok", "recovering": "warning"}


def test_the_page_says_what_the_screen_says() -> None:
    every = [seen for name in INCIDENTS for seen in seen_of(name)]
    for seen, told in zip(every, page_words([seen.view for seen in every]), strict=True):
        view, says = seen.view, seen.view["status"]
        until, because = told["until"]
        assert until == says["when"]
        assert says["because"] in because
        assert told["colour"] == COLOURS.get(says["condition"], says["condition"])
        assert told["title"].startswith("FULL ") == (view["standing"] == "full")
        pages = view["state"] == "ok" and says["condition"] == "critical"
        assert told["title"].startswith("PAGE · ") == (pages and view["standing"] != "full")
        if view["standing"] == "running_out" and pages:
            assert says["when"] in told["title"]
        shown = {one["alertname"] for one in view["alerts"] if one["superseded_by"] is None}
        assert {*told["shown"]} == shown
        _alerts_in_words(view, told["alerts"])


def _alerts_in_words(view: dict[str, Any], told: list[str]) -> None:
    for alert, words in zip(view["alerts"], told, strict=True):
        old = view["sample"] is not None and alert["told_at"] < view["sample"]["time"]
        assert words.startswith("At ") == old or alert["description"].startswith("At ")
        assert words.endswith(alert["description"])
