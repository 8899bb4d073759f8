"""Tests the messages to systemd: ready, status, watchdog, stopping."""

import asyncio
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.integration.conftest import MakeHeadroom
from tests.support.servers.clients import Clients
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.process import send
from tests.support.servers.wait import auntil, until

from pgheadroom.board import Board
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.model.reading import Outcome
from pgheadroom.notify.systemd import SystemdNotifier, beat_seconds, status
from pgheadroom.state import State
from pgheadroom.watch.jobs import Jobs

WATCHDOG_USEC = "600000"
BEAT_SECONDS = 0.3


class Systemd:
    """Its end of the socket, and all that came out of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name.replace("@", "\0", 1))
        self._socket.settimeout(0)

    def listen(self) -> list[str]:
        """Return all lines that have come so far."""
        while True:
            try:
                self.heard += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.heard

    def hears(self, line: str, deadline_seconds: float = 10) -> None:
        """Wait for *line*."""
        until(lambda: line in self.listen(), deadline_seconds, f"{line} from the daemon")

    def status(self) -> list[str]:
        """Return every status that has come so far."""
        return [line for line in self.listen() if line.startswith("STATUS=")]

    def beats(self) -> int:
        """Return how many signs of life have come so far."""
        return self.listen().count("WATCHDOG=1")

    def hears_nothing(self, seconds: float) -> None:
        """Fail if anything comes within *seconds*."""
        before = len(self.listen())
        end = time.monotonic() + seconds
        until(lambda: time.monotonic() >= end or len(self.listen()) > before, 60, "end of the wait")
        assert self.heard[before:] == []

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest) -> Iterator[Systemd]:
    """Return one that listens at a path, and one at an abstract name."""
    # Not in pytest's folder: a socket's path may have 107 characters only.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "notify"
        listener = Systemd(str(path) if request.param == "path" else f"@{path}")
        yield listener
        listener.close()


only_at_a_path = pytest.mark.parametrize("systemd", ["path"], indirect=True)


ALLOWED = {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": WATCHDOG_USEC}


@pytest.mark.majors(17)
def test_it_hears_of_a_whole_life(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, systemd: Systemd
) -> None:
    daemon = make_headroom(
        f'targets: {{db: "{pg.dsn()}"}}\nresolve_hold_seconds: 1',
        NOTIFY_SOCKET=systemd.name,
        WATCHDOG_USEC=WATCHDOG_USEC,
    )
    systemd.hears("READY=1")
    systemd.hears("STATUS=1 target")
    held, _ = clients.fill(pg.tcp)
    systemd.hears("STATUS=1 target, 1 critical")
    for session in held:
        session.close()
    until(lambda: "critical" not in systemd.status()[-1], 20, "end of the alert")
    beats = systemd.beats()
    until(lambda: systemd.beats() >= beats + 5, 5, "five more signs of life")
    assert daemon.stop() == 0
    assert systemd.listen()[-1] == "STOPPING=1"
    assert systemd.heard.count("READY=1") == systemd.heard.count("STOPPING=1") == 1
    told = systemd.status()
    assert all(before != after for before, after in pairwise(told)), "only what has changed"
    assert "cannot be told" not in daemon.log.read()


@only_at_a_path
def test_it_hears_of_a_reload(make_headroom: MakeHeadroom, systemd: Systemd) -> None:
    """That it begins, when, and that it is over: also if the configuration was refused."""
    daemon = make_headroom(
        f"targets: {{down: host={LOOPBACK} port={free_port()} user=x}}", NOTIFY_SOCKET=systemd.name
    )
    systemd.hears("READY=1")
    for number, config in enumerate((daemon.config.read_text(), "listen: nowhere"), 2):
        daemon.config.write_text(config)
        began = time.monotonic_ns() // 1000
        send(daemon.pid, signal.SIGHUP)
        until(lambda: systemd.listen().count("READY=1") == number, 10, "end of the reload")  # noqa: B023 - called here only
        lines = [line for line in systemd.heard if not line.startswith("STATUS=")]
        reloading, at, ready = lines[-3:]
        assert (reloading, ready) == ("RELOADING=1", "READY=1")
        assert began <= int(at.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


@only_at_a_path
def test_servers_that_do_not_answer_do_not_keep_it_from_being_ready(
    make_headroom: MakeHeadroom, systemd: Systemd
) -> None:
    with socket.create_server((LOOPBACK, 0)) as deaf:
        port = deaf.getsockname()[1]
        began = time.monotonic()
        daemon = make_headroom(
            f"targets: {{deaf: host={LOOPBACK} port={port} user=x}}\nconnect_timeout_seconds: 60",
            NOTIFY_SOCKET=systemd.name,
        )
        systemd.hears("STATUS=1 target, 1 not read yet")
        assert "READY=1" not in systemd.heard
        systemd.hears("READY=1")
        assert time.monotonic() - began >= 5
        assert daemon.stop() == 0
    assert systemd.beats() == 0, "nobody asked for signs of life"


@only_at_a_path
def test_a_stopped_process_gives_no_sign_of_life(
    make_headroom: MakeHeadroom, systemd: Systemd
) -> None:
    daemon = make_headroom(nowhere(), NOTIFY_SOCKET=systemd.name, WATCHDOG_USEC=WATCHDOG_USEC)
    until(lambda: systemd.beats() >= 2, 10, "signs of life")
    send(daemon.pid, signal.SIGSTOP)
    wait_for_state(daemon.pid, "T")
    systemd.listen()
    systemd.hears_nothing(5 * BEAT_SECONDS)
    beats = systemd.beats()
    send(daemon.pid, signal.SIGCONT)
    until(lambda: systemd.beats() > beats, 10, "sign of life")
    assert daemon.stop() == 0


@only_at_a_path
@pytest.mark.majors(17)
def test_a_loop_that_is_stuck_gives_no_sign_of_life(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, systemd: Systemd
) -> None:
    """By a rule that takes forever on the name of an application, say."""
    daemon = make_headroom(
        f'targets: {{db: "{pg.dsn()}"}}\nfold_rules: [{{pattern: "^(a+)+$"}}]',
        NOTIFY_SOCKET=systemd.name,
        WATCHDOG_USEC=WATCHDOG_USEC,
    )
    systemd.hears("READY=1")
    until(lambda: systemd.beats() >= 2, 10, "signs of life")
    clients.admitted(pg.tcp, application_name="a" * 50 + "!")

    def silent() -> bool:
        beats = systemd.beats()
        pause = time.monotonic() + 5 * BEAT_SECONDS
        until(lambda: time.monotonic() >= pause, 60, "end of the pause")
        return systemd.beats() == beats

    until(silent, 20, "silence")
    daemon.stop(signal.SIGKILL)


@only_at_a_path
async def test_a_sampler_that_is_stuck_alone_ends_the_signs_of_life(systemd: Systemd) -> None:
    """What the schedule cannot see: it goes on, but the turn of a sampler never ends."""
    jobs = Jobs(SelfMetrics())
    notifier = SystemdNotifier(
        Board(["db"]),
        lambda: jobs.longest_seconds("sample") < BEAT_SECONDS,
        ALLOWED | {"NOTIFY_SOCKET": systemd.name},
    )
    jobs.repeat("page", never)  # posts have turns of their own
    await notifier.beat()
    assert systemd.beats() == 1
    jobs.repeat("sample", never)
    await auntil(lambda: jobs.longest_seconds("sample") > BEAT_SECONDS, 10, "long turn")
    await notifier.beat()
    assert systemd.beats() == 1
    await jobs.end()
    assert jobs.longest_seconds("sample") == 0
    await notifier.beat()
    assert systemd.beats() == 2
    notifier.stopping()


@only_at_a_path
def test_what_was_not_heard_is_said_again_and_logged_once(systemd: Systemd) -> None:
    notifier = SystemdNotifier(Board([]), lambda: True, {"NOTIFY_SOCKET": systemd.name + ".gone"})
    with capture_logs() as lines:
        asyncio.run(notifier.look())
        asyncio.run(notifier.look())
    assert [line["event"] for line in lines] == ["cannot notify systemd"]
    Path(systemd.name).rename(systemd.name + ".gone")
    asyncio.run(notifier.look())
    asyncio.run(notifier.look())
    assert systemd.listen() == ["READY=1", "STATUS=0 targets"]
    notifier.stopping()


def test_without_a_socket_there_is_nothing_to_do() -> None:
    notifier = SystemdNotifier(Board(["db"]), lambda: True, ALLOWED)
    assert list(notifier.turns()) == []
    notifier.stopping()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_a_sign_of_life_is_given_at_half_of_what_is_allowed(
    environment: dict[str, str], expected: float | None
) -> None:
    assert beat_seconds(environment) == expected


def test_each_target_counts_once_by_the_worst_of_it() -> None:
    def alert(name: AlertName, severity: Severity) -> Alert:
        return Alert(name, severity, 0.0, "")

    low = alert(AlertName.LOW, Severity.WARNING)
    full = alert(AlertName.EXHAUSTED, Severity.CRITICAL)
    reserve = alert(AlertName.RESERVE, Severity.CRITICAL)
    states = [
        State("a", outcome=Outcome.FULL, alerts=(full, low, reserve)),
        State("b", outcome=Outcome.OK, alerts=(low,)),
        State("c", outcome=Outcome.OK),
        State("d"),
    ]
    assert status(states) == "4 targets, 1 critical, 1 warning, 1 not read yet"
    assert status(states[2:3]) == "1 target"


async def never() -> None:
    """Wait for what does not come."""
    await asyncio.Event().wait()


def nowhere() -> str:
    """Return settings with a target that refuses at once."""
    return f"targets: {{down: host={LOOPBACK} port={free_port()} user=x}}"


def wait_for_state(pid: int, letter: str) -> None:
    """Wait until the kernel says *letter* of the process: a signal takes its time."""
    stat = Path(f"/proc/{pid}/stat")
    until(lambda: stat.read_text().rpartition(")")[2].split()[0] == letter, 10, f"state {letter}")
