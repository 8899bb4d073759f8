"""Tests that targets are added, removed and changed without a restart or an effect on others."""

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.integration.conftest import MakeHeadroom
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers import http as web
from tests.support.servers.alertmanager import Alertmanager
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom, clean_environment
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.process import send
from tests.support.servers.wait import auntil, until

from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.daemon import running

pytestmark = pytest.mark.majors(18)

OURS = "select pid from pg_stat_activity where application_name = 'pgheadroom'"
NOBODY = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def config(targets: dict[str, str], **more: object) -> str:
    lines = [f"{name}: {value}" for name, value in more.items()]
    lines += ["enable_reload: true", "interval_seconds: 0.2", "targets:"]
    return "\n".join([*lines, *(f"  {name}: {given}" for name, given in targets.items())])


def reload(
    daemon: Headroom, method: str = "POST", headers: dict[str, str] | None = None
) -> tuple[int, str]:
    connection = http.client.HTTPConnection(LOOPBACK, daemon.port, timeout=20)
    try:
        connection.request(method, "/-/reload", headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def applied(daemon: Headroom, text: str) -> str:
    """Reload with *text* as the configuration, and return the answer."""
    daemon.config.write_text(text)
    status, words = reload(daemon)
    assert status == 200, words
    return words


def up(daemon: Headroom, target: str, value: float | None = 1) -> None:
    until(
        lambda: daemon.metric(f'pgheadroom_up{{target="{target}"}}') == value,
        10,
        f"{target} with pgheadroom_up {value}",
    )


def newest(daemon: Headroom, value: float) -> None:
    """Wait until the page tells so; what is about the daemon itself may be a second old."""
    line = "pgheadroom_config_last_reload_successful"
    until(lambda: daemon.metric(line) == value, 5, f"{line} {value}")


def sessions(server: Postgres) -> list[str]:
    """Return the backends that serve us."""
    return [str(pid) for (pid,) in server.sql(OURS)]


@contextmanager
def watched(daemon: Headroom, target: str) -> Iterator[list[float]]:
    """Look all the time at when *target* was sampled; the list has every moment in the end."""
    line = f'pgheadroom_sample_timestamp_seconds{{target="{target}"}}'
    moments: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.03):
            at = daemon.metric(line)
            if at is not None and at not in moments[-1:]:
                moments.append(at)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield moments
    finally:
        over.set()
        looker.join()


def gone(daemon: Headroom, target: str) -> bool:
    """Tell whether nothing that the daemon shows names *target*."""
    pages = map(daemon.page, ("/metrics", "/api/v1/targets"))
    return not any(f'"{target}"' in page for page in pages)


def test_targets_come_and_go_and_the_others_do_not_notice(
    pg: Postgres, make_postgres: MakePostgres, make_headroom: MakeHeadroom
) -> None:
    other = make_postgres(18)
    stays, comes, goes = f'"{pg.dsn()}"', f'"{other.dsn()}"', f'"{other.dsn(tcp=False)}"'
    daemon = make_headroom(config({"goes": goes, "stays": stays}))
    daemon.ready()
    up(daemon, "stays")
    (backend,) = sessions(pg)
    with (
        watched(daemon, "stays") as moments,
        urlopen(f"{daemon.url}/api/v1/stream?target=goes", timeout=10) as stream,  # noqa: S310 - our own daemon
    ):
        assert stream.readline() == b"event: history\n"
        assert applied(daemon, config({"stays": stays, "comes": comes})) == (
            "added: comes\nremoved: goes\n"
        )
        assert stream.read(), "and then its end"
        assert gone(daemon, "goes")
        assert '"comes"' in daemon.page("/api/v1/targets")
        with pytest.raises(OSError, match="404"):
            daemon.page("/api/v1/targets/goes")
        up(daemon, "comes")
        until(lambda: len(sessions(other)) == 1, 5, "end of the session of what was removed")
        assert applied(daemon, config({"stays": stays})) == "removed: comes\n"
        until(lambda: not sessions(other), 5, "end of all sessions")
        assert applied(daemon, config({"stays": stays})) == "nothing has changed\n"
        seen = len(moments)
        until(lambda: len(moments) > seen + 5, 5, "more samples")
    assert sessions(pg) == [backend]
    assert max(after - before for before, after in pairwise(moments)) < 2
    newest(daemon, 1)
    text = daemon.log.read()
    assert "event=reloaded targets=2 added=comes removed=goes" in text
    assert "Traceback" not in text


def test_a_changed_target_goes_on_through_a_new_connection(
    pg: Postgres, make_headroom: MakeHeadroom
) -> None:
    """And what it knew stays: here its failures, and how much was in use."""
    wrong = f'"{pg.dsn(user="nobody_of_that_name")}"'
    daemon = make_headroom(config({"db": wrong}))
    failures = 'pgheadroom_failures_total{state="auth",target="db"}'
    until(lambda: daemon.metric(failures), 10, "failure")
    assert applied(daemon, config({"db": f'"{pg.dsn()}"'})) == "changed: db\n"
    up(daemon, "db")
    assert daemon.metric(failures)
    free = 'pgheadroom_slots_free{target="db",tier="ordinary"}'
    before, (backend,) = daemon.metric(free), sessions(pg)
    assert before is not None
    history = web.get_json(f"{daemon.url}/api/v1/targets/db")["history"]["points"][0]["time"]
    changed = config({"db": f'{{dsn: "{pg.dsn()}", extra_reserved: 2}}'})
    assert applied(daemon, changed) == "changed: db\n"
    until(lambda: daemon.metric(free) == before - 2, 10, "two slots fewer")
    until(lambda: len(sessions(pg)) == 1, 5, "end of the old session")
    assert sessions(pg) != [backend]
    found = web.get_json(f"{daemon.url}/api/v1/targets/db")["history"]["points"][0]["time"]
    assert found == history


def test_what_is_not_about_targets_counts_after_a_restart(make_headroom: MakeHeadroom) -> None:
    dsn = f"host={LOOPBACK} port={free_port()} user=x"
    daemon = make_headroom(config({"a": dsn}))
    text = config({"a": dsn, "b": dsn}, low_free_ratio=0.2, log_format="json")
    assert applied(daemon, text) == ("added: b\nrestart to apply: log_format, low_free_ratio\n")
    assert 'settings="log_format, low_free_ratio"' in daemon.log.read()
    ratio = 'pgheadroom_policy_ratio{name="low_free",target="a"}'
    until(lambda: daemon.metric(ratio) == 0.1, 5, "threshold of the start")


SECRET = "gar-nicht-geheim-4712"  # noqa: S105 - planted, to be looked for


BAD: tuple[tuple[bytes | None, list[str]], ...] = (
    (
        b"targets: {a: 'nonsense %b'}\nfoo: 1\ninterval_seconds: 0" % SECRET.encode(),
        ["foo: ", "targets.a.dsn: ", "interval_seconds: "],
    ),
    (b"targets: {a: 'postgresql://u:%b@h/d?x=1'}" % SECRET.encode(), ["targets.a.dsn: "]),
    (b"targets: {a: {dsn: host=h, pasword: %b}}" % SECRET.encode(), ["targets.a.pasword: "]),
    (b"targets: {a: [%b" % SECRET.encode(), ["expected ',' or ']'"]),
    (b"\xff\xfe", ["config: "]),
    (b"", ["no target is configured"]),
    (None, ["config: cannot read "]),
)


def test_a_bad_configuration_changes_nothing(make_headroom: MakeHeadroom) -> None:
    """Each problem is in the answer and in the log, without what was given for a secret."""
    good = config({"a": f"host={LOOPBACK} port={free_port()} user=x"})
    daemon = make_headroom(good)
    up(daemon, "a", 0)
    refused = 'event="reload failed, the old configuration stays in use"'
    lines = 0
    for text, problems in BAD:
        if text is None:
            daemon.config.unlink()
        else:
            daemon.config.write_bytes(text)
        status, words = reload(daemon)
        assert status == 500, text
        first, *told = words.splitlines()
        assert first == "the configuration was refused; the old one stays in force"
        told = [re.sub(rf"^{re.escape(str(daemon.config))}:\d+: ", "", line) for line in told]
        assert [line[: len(begin)] for line, begin in zip(told, problems, strict=True)] == problems
        assert SECRET not in words
        lines += len(problems)
        assert daemon.log.read().count(refused) == lines
    newest(daemon, 0)
    send(daemon.pid, signal.SIGHUP)
    until(lambda: daemon.log.read().count(refused) == lines + 1, 5, "the same by signal")
    up(daemon, "a", 0)
    assert SECRET not in daemon.log.read() + daemon.page()
    assert applied(daemon, good) == "nothing has changed\n"
    newest(daemon, 1)


def test_by_http_only_where_that_is_allowed(make_headroom: MakeHeadroom) -> None:
    text = f"targets: {{a: host={LOOPBACK} port={free_port()} user=x}}"
    daemon = make_headroom(text)
    daemon.config.write_text("foo: 1")
    assert reload(daemon) == (403, "enable_reload is off; SIGHUP does the same\n")
    assert reload(daemon, "GET")[0] == 405
    newest(daemon, 1)


def test_no_page_in_a_browser_may_ask_for_it(make_headroom: MakeHeadroom) -> None:
    """Whatever a page may send is refused, also where it was made to look like our own."""
    daemon = make_headroom(config({"a": f"host={LOOPBACK} port={free_port()} user=x"}))
    daemon.config.write_text(config({"b": f"host={LOOPBACK} port={free_port()} user=x"}))
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://{LOOPBACK}:{daemon.port}"},  # as after a rebinding of evil.example
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-origin"},
    ):
        status, words = reload(daemon, headers=headers)
        assert status == 403, headers
        assert "a page in a browser" in words
        assert "curl -X POST" in words
    assert "reloaded" not in daemon.log.read()
    assert reload(daemon, headers={"Sec-Fetch-Site": "none"})[0] == 200
    assert reload(daemon) == (200, "nothing has changed\n")


def test_many_at_once_come_one_after_the_other(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    """By HTTP and by signal, while the file changes: in the end it is as the file says."""
    texts = [
        config({"a": f'"{pg.dsn()}"'}),
        config({"a": f'"{pg.dsn(connect_timeout=9)}"', "b": f'"{pg.dsn()}"'}),
    ]
    daemon = make_headroom(texts[0])
    answers: list[int] = []

    def ask() -> None:
        answers.extend(reload(daemon)[0] for _ in range(5))

    askers = [threading.Thread(target=ask) for _ in range(6)]
    for asker in askers:
        asker.start()
    beside = daemon.folder / "new.yaml"
    while any(asker.is_alive() for asker in askers):
        beside.write_text(texts[0])
        beside.replace(daemon.config)
        send(daemon.pid, signal.SIGHUP)
        texts.reverse()
    for asker in askers:
        asker.join()
    assert answers == [200] * 30
    applied(daemon, config({"a": f'"{pg.dsn()}"', "b": f'"{pg.dsn()}"'}))
    up(daemon, "a")
    up(daemon, "b")
    until(lambda: len(sessions(pg)) == 2, 10, "one session for each target")
    log = daemon.log.read()
    assert "level=error" not in log
    assert "Traceback" not in log


def test_a_target_that_hangs_in_its_connect_holds_nothing_up(
    pg: Postgres, make_headroom: MakeHeadroom
) -> None:
    with socket.create_server((LOOPBACK, 0)) as deaf:
        hangs = f"host={LOOPBACK} port={deaf.getsockname()[1]} user=x"
        good = f'"{pg.dsn()}"'
        daemon = make_headroom(config({"a": good, "hangs": hangs}, connect_timeout_seconds=60))
        up(daemon, "a")
        deaf.settimeout(10)
        held, _ = deaf.accept()
        began = time.monotonic()
        text = config({"a": good}, connect_timeout_seconds=60)
        assert applied(daemon, text) == "removed: hangs\n"
        assert time.monotonic() - began < 5
        held.settimeout(5)
        while held.recv(4096):
            pass  # its attempt is closed
        held.close()
        assert gone(daemon, "hangs")


def test_a_signal_at_once_after_the_start_is_not_lost(tmp_path: Path) -> None:
    """It must neither end the daemon before that can reload, nor be forgotten."""
    file = tmp_path / "pgheadroom.yaml"
    file.write_text(f"targets: {{a: host={LOOPBACK} port={free_port()} user=x}}\nlisten: :0")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pgheadroom", "serve", "--config", file, "--listen", ":0"],
            env=clean_environment(),
            stdout=log,
            stderr=log,
        )
    try:
        until(partial(_blocks, process.pid, signal.SIGHUP), 20, "handling of signals")
        process.send_signal(signal.SIGHUP)
        text = (tmp_path / "log").read_text
        until(lambda: "event=reloaded" in text(), 20, "reload")
        assert text().index("event=started") < text().index("event=reloaded")
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def _blocks(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(line.split()[1], 16) >> (number - 1) & 1)


def test_a_terminal_that_closes_still_ends_the_other_commands(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as deaf:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pgheadroom", "once", "--connect-timeout-seconds", "60"),
                *("--dsn", f"host={LOOPBACK} port={deaf.getsockname()[1]} user=x"),
            ],
            env=clean_environment(),
            cwd=tmp_path,
        )
        try:
            deaf.settimeout(20)
            held, _ = deaf.accept()
            with held:
                process.send_signal(signal.SIGHUP)
                assert process.wait(10) == -signal.SIGHUP
        finally:
            process.kill()
            process.wait()


def test_a_target_that_comes_back_recalls_what_it_knew(
    pg: Postgres, make_headroom: MakeHeadroom, tmp_path: Path
) -> None:
    both = {"a": f'"{pg.dsn()}"', "b": f'"{pg.dsn()}"'}
    kept = tmp_path / "state"
    daemon = make_headroom(config(both, state_directory=kept))
    up(daemon, "b")
    url = f"{daemon.url}/api/v1/targets/b"
    until(lambda: web.get_json(url)["history"]["points"], 10, "history")
    began = web.get_json(url)["history"]["points"][0]["time"]
    applied(daemon, config({"a": both["a"]}, state_directory=kept))
    assert (kept / "b.json.gz").exists()
    applied(daemon, config(both, state_directory=kept))
    until(lambda: web.get_json(url)["history"]["points"], 10, "history")
    assert web.get_json(url)["history"]["points"][0]["time"] == began
    assert 'event="state restored"' in daemon.log.read()


def test_the_alerts_of_a_removed_target_are_resolved(
    pg: Postgres,
    make_headroom: MakeHeadroom,
    make_alertmanager: Callable[[str], Alertmanager],
    clients: Clients,
) -> None:
    server = make_alertmanager(NOBODY)
    urls = f'["{server.url}"]'
    targets = {"a": f'"{pg.dsn()}"', "b": f'"{pg.dsn(tcp=False)}"'}
    daemon = make_headroom(config(targets, alertmanager_urls=urls))
    daemon.ready()
    clients.fill(pg.tcp)

    def firing() -> set[str]:
        return {alert["labels"]["target"] for alert in server.alerts()}

    until(lambda: firing() == {"a", "b"}, 10, "alert of each")
    applied(daemon, config({"b": targets["b"]}, alertmanager_urls=urls))
    until(lambda: firing() == {"b"}, 10, "end of the alerts of what was removed")


async def test_a_hundred_reloads_leave_nothing_behind(pg: Postgres) -> None:
    """No task, no descriptor, no thread, no session; also of one that hangs and one unknown."""
    port = free_port()
    settings = Settings(listen=f"{LOOPBACK}:{port}", interval_seconds=0.1)
    with socket.create_server((LOOPBACK, 0)) as deaf:
        hangs = f"host={LOOPBACK} port={deaf.getsockname()[1]} user=x"
        dsns = {"hangs": hangs, "down": f"host={LOOPBACK} port={free_port()} user=x"}
        dsns |= {f"t{number}": pg.dsn() for number in range(3)}
        stays = {"stays": TargetSettings.model_validate({"dsn": pg.dsn()})}
        all_ = stays | {
            name: TargetSettings.model_validate({"dsn": dsn}) for name, dsn in dsns.items()
        }
        configured = stays

        def reread() -> tuple[Settings, dict[str, TargetSettings]]:
            return settings, configured

        async with running(settings, stays, reread) as (address, reloader):

            async def settled() -> tuple[int, int, int]:
                await auntil(lambda: len(sessions(pg)) == 1, 10, "one session")
                tasks, threads = len(asyncio.all_tasks()), threading.active_count()
                return tasks, len(os.listdir("/proc/self/fd")), threads  # noqa: PTH208 - counted only

            before = (0, 0, 0)
            for number in range(100):
                configured = all_ if number % 2 == 0 else stays
                assert not (await reloader.reload()).problems
                if number % 20 == 0:
                    await auntil(lambda: len(sessions(pg)) == 4, 10, "session of each")
                if number == 21:
                    before = await settled()
            after = await settled()
            page = (await asyncio.to_thread(web.get, f"{address}/metrics")).decode()
    assert {name for name in all_ if f'target="{name}"' in page} == {"stays"}
    # What differs is a turn that is under way, or not.
    assert all(now - then <= 3 for then, now in zip(before, after, strict=True)), (before, after)


async def test_a_demo_has_nothing_to_read_again() -> None:
    settings = Settings(listen=f"{LOOPBACK}:0")
    target = TargetSettings.model_validate({"dsn": f"host={LOOPBACK} port={free_port()} user=x"})
    async with running(settings, {"demo": target}) as (_, reloader):
        (problem,) = (await reloader.reload()).problems
    assert "demo" in problem


async def test_what_is_wrong_is_told_and_the_next_one_may_be_right() -> None:
    settings = Settings(listen=f"{LOOPBACK}:0")
    target = TargetSettings.model_validate({"dsn": f"host={LOOPBACK} port={free_port()} user=x"})
    wrong = ["a", "b"]

    def reread() -> tuple[Settings, dict[str, TargetSettings]]:
        if wrong:
            raise ConfigurationError(wrong)
        return settings, {"one": target, "two": target}

    async with running(settings, {"one": target}, reread) as (_, reloader):
        assert (await reloader.reload()).problems == ("a", "b")
        wrong.clear()
        assert (await reloader.reload()).difference.added == ("two",)
