"""Tests that each incident fills a real server and is paged before, as the command says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support.histories import START, fired, replay, samples
from tests.support.needs import need
from tests.support.servers import http
from tests.support.servers.headroom import clean_environment, run, without_server
from tests.support.servers.log import Log
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.wait import auntil, until

from pgheadroom import daemon
from pgheadroom.commands.demo import played_on
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.demo.load import CALM, CHECKOUT, CLEANER, REPORTS, Script, play
from pgheadroom.demo.pooler_script import FUNCTION, INSTANCES, POOLER
from pgheadroom.demo.scripts import LAUNCH, LEAK, NEST, ORDERS, ROLLING, SCRIPTS, STORM
from pgheadroom.demo.server import EmbeddedServer, embedded_server
from pgheadroom.model.alert import AlertName
from pgheadroom.model.slots import Limits, Tier

LIMITS = Limits(max_connections=100, superuser_reserved=3, reserved=2)
ORDINARY = LIMITS.of(Tier.ORDINARY)
CALM_NAMES = {CHECKOUT, REPORTS, CLEANER}
SECONDS = 60.0
ALERT = 'pgheadroom_alert{{alertname="{}",severity="critical",target="demo"}} 1.0'
NONE_LEFT = 'pgheadroom_slots_free{target="demo",tier="ordinary"} 0.0'

LogLines = list[MutableMapping[str, Any]]


@pytest.fixture
def log() -> Iterator[LogLines]:
    """Return the list to which every line of log is added."""
    with structlog.testing.capture_logs() as lines:
        yield lines


incidents = pytest.mark.parametrize("script", [LEAK, STORM, ROLLING], ids=lambda s: s.name)


def wanted(script: Script, seconds: float, seed: int = 0) -> Mapping[str, int]:
    """Return what is wanted, and pgheadroom's own connection, pods folded as it folds them."""
    found = {"pgheadroom": 1}
    for name, count in script.wanted(seconds, seed=seed).items():
        folded = f"{ORDERS}-*" if name.startswith(ORDERS) else name
        found[folded] = found.get(folded, 0) + count
    return found


def act(script: Script, words: str) -> float:
    """Return when it is said to happen."""
    return next(act.seconds for act in script.acts if words in act.words)


@incidents
@pytest.mark.parametrize("seed", range(3))
def test_what_the_screen_says_is_what_happens(script: Script, seed: int) -> None:
    """A page, no slot, and all resolved before the round is over, within seconds of the times."""
    account = replay(
        samples(
            lambda at: wanted(script, at, seed), script.round_seconds, limits=LIMITS, busy=[LAUNCH]
        )
    )
    (imminent,) = fired(account, AlertName.IMMINENT)
    (exhausted,) = fired(account, AlertName.EXHAUSTED)
    assert imminent.start < exhausted.start
    assert imminent.start - START == pytest.approx(act(script, "Imminent"), abs=6)
    assert exhausted.start - START == pytest.approx(act(script, "Exhausted"), abs=6)
    for episode in (imminent, exhausted):
        assert episode.end is not None
        assert episode.end - START <= act(script, "the alerts resolve") + 10


@incidents
def test_it_is_paged_as_early_when_it_happens_again(script: Script) -> None:
    """What has filled the server once is no precedent that makes the next time harmless."""
    found = samples(
        lambda at: wanted(script, at), 3 * script.round_seconds, limits=LIMITS, busy=[LAUNCH]
    )
    pages = fired(replay(found), AlertName.IMMINENT)
    into_the_round = [(page.start - START) % script.round_seconds for page in pages]
    assert into_the_round == pytest.approx([act(script, "Imminent")] * 3, abs=20)


@incidents
def test_a_plan_goes_round_and_keeps_within_bounds(script: Script) -> None:
    """Calm goes on beside it; more than a few who are refused would only cost processor."""
    names = {application.name for application in script.applications}
    totals = []
    for second in range(int(2 * script.round_seconds)):
        plan = script.wanted(float(second), seed=1)
        assert plan.keys() == names
        assert min(plan.values()) >= 0
        calm = CALM.wanted(float(second), seed=1)
        assert {name: plan[name] for name in CALM_NAMES} == dict(calm)
        totals.append(sum(plan.values()) - sum(calm.values()))
    length = len(totals) // 2
    assert totals[:length] == totals[length:]
    assert ORDINARY - 24 < max(totals) <= ORDINARY + 5
    # As many as before it, for longer than an alert takes to resolve.
    assert totals[-180:] == totals[:1] * 180


@incidents
def test_times_are_in_order_and_fit_a_terminal(script: Script) -> None:
    times = [act.seconds for act in script.acts]
    assert times == sorted(times)
    assert times[-1] < script.round_seconds
    assert max(len(act.words) for act in script.acts) <= 80 - len("   0:00  ")


@pytest.mark.parametrize(
    ("script", "speed", "culprit"), [(LEAK, 8.0, NEST), (STORM, 3.0, LAUNCH)], ids=["leak", "storm"]
)
async def test_a_real_server_gets_full_and_that_is_paged_before(
    script: Script, speed: float, culprit: str, log: LogLines
) -> None:
    """As anybody sees it who reads /metrics or the log, several times as fast as in the demo."""
    port = free_port()
    settings = Settings(listen=f"{LOOPBACK}:{port}", interval_seconds=0.2)
    async with embedded_server(script.max_connections) as server:
        playing = asyncio.create_task(play(server, script=script, speed=speed))
        target = TargetSettings.model_validate({"dsn": server.dsn("pgheadroom")})
        seen: list[AlertName] = []
        try:
            async with daemon.running(settings, {"demo": target}) as (address, _):

                async def full_and_told() -> bool:
                    body = await asyncio.to_thread(http.get, f"{address}/metrics")
                    page = without_server(body.decode()).splitlines()
                    seen.extend(
                        name
                        for name in (AlertName.IMMINENT, AlertName.EXHAUSTED)
                        if name not in seen and ALERT.format(name) in page
                    )
                    return AlertName.EXHAUSTED in seen and NONE_LEFT in page

                await auntil(full_and_told, SECONDS, "full server")
                assert seen == [AlertName.IMMINENT, AlertName.EXHAUSTED]
                metrics = (await asyncio.to_thread(http.get, f"{address}/metrics")).decode()
                assert f'application_name="{culprit}"' in metrics
                await auntil(partial(refuses, server), SECONDS, "refusal")
                begun = {line["alertname"]: line for line in log if line["event"] == "alert begins"}
                assert {AlertName.IMMINENT, AlertName.EXHAUSTED} <= begun.keys()
                imminent = begun[AlertName.IMMINENT]
                assert (imminent["target"], imminent["severity"]) == ("demo", "critical")
                assert imminent["application_name"] == culprit
                assert "it is full in" in imminent["reason"]
                assert len([line for line in log if line["event"].startswith("alert ")]) < 12
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing


def refuses(server: EmbeddedServer) -> bool:
    """Say whether, by the server's own log, clients are turned away for want of a slot."""
    log = server.socket_directory.parent / "data" / "server.log"
    return b"remaining connection slots are reserved" in log.read_bytes()


def test_the_poolers_plan_goes_round_beside_a_calm_day() -> None:
    """All instances are somewhere at any time, in one pool or in twelve."""
    names = {application.name for application in POOLER.applications}
    totals = []
    for second in range(int(2 * POOLER.round_seconds)):
        plan = POOLER.wanted(float(second), seed=1)
        assert plan.keys() == names
        calm = CALM.wanted(float(second), seed=1)
        assert {name: plan[name] for name in CALM_NAMES} == dict(calm)
        totals.append(tuple(count for name, count in plan.items() if name not in CALM_NAMES))
    assert {sum(one) for one in totals} == {INSTANCES}
    assert totals[: len(totals) // 2] == totals[len(totals) // 2 :]
    times = [act.seconds for act in POOLER.acts]
    assert times == sorted(times)
    assert times[-1] < POOLER.round_seconds
    assert max(len(act.words) for act in POOLER.acts) <= 80 - len("   0:00  ")


async def test_pools_that_do_not_fit_are_warned_of_and_then_paged(
    log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the screen says, four times as fast; and nothing pages before."""
    monkeypatch.setenv("PATH", str(need("pgbouncer").parent), prepend=os.pathsep)
    port = free_port()
    settings = Settings(
        listen=f"{LOOPBACK}:{port}", interval_seconds=0.2, overcommit_hold_seconds=5.0
    )

    def begun() -> list[str]:
        return [str(line["alertname"]) for line in log if line["event"] == "alert begins"]

    async with played_on(POOLER) as (server, targets):
        playing = asyncio.create_task(play(server, script=POOLER, speed=4.0))
        try:
            async with daemon.running(settings, targets):
                await auntil(lambda: _in(AlertName.QUEUE, begun()), 2 * SECONDS, "all pages")
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
    order = begun()
    assert order[0] == AlertName.OVERCOMMITTED
    assert AlertName.EXHAUSTED in order
    lines = {line["alertname"]: line for line in log if line["event"] == "alert begins"}
    assert lines[AlertName.EXHAUSTED]["application_name"] == FUNCTION
    assert "through pooler" in lines[AlertName.EXHAUSTED]["reason"]
    assert lines[AlertName.QUEUE]["application_name"] == FUNCTION


async def _in(name: AlertName, names: list[str]) -> bool:
    return name in names


def test_without_pgbouncer_it_says_how_to_get_it(tmp_path: Path) -> None:
    done = run("demo", "pooler", PATH=str(tmp_path))
    if "apt install pgbouncer" not in done.stderr:
        pytest.skip("this machine has a PgBouncer where its package puts it")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


# ---- the command


def test_help_tells_every_demo_and_the_settings() -> None:
    done = run("demo", "--help")
    assert done.returncode == 0
    for words in ("[NAME]", *SCRIPTS, "--listen", "--alertmanager-urls", "4 minutes"):
        assert words in done.stdout
    assert "\n  demo " in run("--help").stdout


@pytest.mark.parametrize(
    ("words", "complaints"),
    [
        (["flood"], ["no such demo: flood; there are calm, leak, storm, rolling, pooler"]),
        (
            ["flood", "--interval-seconds", "0"],
            ["no such demo: flood", "--interval-seconds: '0' is not allowed"],
        ),
        (["leek"], ["no such demo: leek; did you mean leak?"]),
        (["postgresql://u:sesame@h/d"], ["no such demo; there are calm, leak,"]),
        (["leak", "--dsn", "host=db1"], ["dsn and targets are not allowed"]),
        (["leak", "storm"], ["unexpected argument"]),
        (["leak", "--web.config.file", "/none"], ["web_config_file: cannot read /none"]),
    ],
)
def test_wrong_arguments(words: list[str], complaints: list[str]) -> None:
    done = run("demo", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == len(complaints)
    for complaint in complaints:
        assert complaint in done.stderr


@pytest.mark.parametrize(("words", "slots"), [([], 40), (["rolling"], 100)])
def test_it_starts_says_what_happens_and_leaves_nothing(
    tmp_path: Path, words: list[str], slots: int
) -> None:
    """Also with a server of one's own in the environment, which is not for demos."""
    log, port = Log(tmp_path / "log"), free_port()
    with log.path.open("ab") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pgheadroom", "demo", *words),
                *("--listen", f"{LOOPBACK}:{port}"),
            ],
            env=clean_environment(PGHOST="db1.invalid", PGUSER="nobody"),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: "Ctrl-C stops it" in log.read(), SECONDS, "screen")
        until(lambda: http.is_ready(f"http://{LOOPBACK}:{port}/-/ready"), SECONDS, "reading")
        page = without_server(http.get(f"http://{LOOPBACK}:{port}/metrics").decode())
        assert f'pgheadroom_max_connections{{target="demo"}} {slots}.0' in page
        said = log.read()
        assert f"http://{LOOPBACK}:{port}/metrics" in said
        script = SCRIPTS[words[0]] if words else CALM
        for each in script.acts:
            assert each.words in said
        folder = Path(said.partition('psql "host=')[2].partition("/socket ")[0])
        assert folder.is_dir()
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
        assert not folder.exists()
    finally:
        process.kill()
        process.wait()
