"""Tests the daemon when its own machine fails it: descriptors, disk, port, log."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom, clean_environment, without_server
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.process import send
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(18)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")

MOST_DESCRIPTORS = 48


@contextmanager
def wrapped(folder: Path, config: str, *wrapper: str, **environment: str) -> Iterator[Headroom]:
    """Run a daemon under *wrapper*, a command that runs another."""
    folder.mkdir()
    with Headroom(folder, config, wrapper=wrapper, **environment) as daemon:
        yield daemon


def in_shell(script: str) -> tuple[str, ...]:
    """Return the wrapper that does *script* first, in a mount namespace of its own."""
    return "unshare", "--mount", "sh", "-c", f'{script}; exec "$@"', "sh"


def test_out_of_descriptors(pg: Postgres, tmp_path: Path) -> None:
    """One line, not one for each connection in vain; what is connected goes on, then all does."""
    limit = f"--nofile={MOST_DESCRIPTORS}:{MOST_DESCRIPTORS}"
    config = f'knock_interval_seconds: 0.2\ninterval_seconds: 0.2\ntargets: {{db: "{pg.dsn()}"}}'
    with ExitStack() as idle:
        systemd = idle.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        systemd.bind(f"\0pgheadroom-{tmp_path}")
        systemd.settimeout(0)
        heard: list[bytes] = []
        daemon = idle.enter_context(
            wrapped(
                *(tmp_path / "daemon", config, "prlimit", limit),
                NOTIFY_SOCKET=f"@pgheadroom-{tmp_path}",
                WATCHDOG_USEC="1000000",
            )
        )
        daemon.ready()
        kept = http.client.HTTPConnection(LOOPBACK, daemon.port, timeout=20)
        idle.callback(kept.close)

        def figure(line: str) -> float:
            with suppress(BlockingIOError):
                while True:
                    heard.append(systemd.recv(4096))
            kept.request("GET", "/metrics")
            page = without_server(kept.getresponse().read().decode())
            (value,) = (row.split()[-1] for row in page.splitlines() if row.startswith(f"{line} "))
            return float(value)

        assert figure('pgheadroom_up{target="db"}') == 1
        sockets = [
            idle.enter_context(socket.create_connection((LOOPBACK, daemon.port)))
            for _ in range(2 * MOST_DESCRIPTORS)
        ]
        said = "out of file descriptors: no new connection is accepted"
        until(lambda: said in daemon.log.read(), 10, "line that says so")
        (line,) = (line for line in daemon.log.read().splitlines() if said in line)
        assert f'reason="Too many open files" most_descriptors={MOST_DESCRIPTORS}' in line
        before = daemon.log.read().splitlines()
        sampled = 'pgheadroom_sample_timestamp_seconds{target="db"}'
        began, beats = figure(sampled), heard.count(b"WATCHDOG=1")
        until(lambda: figure(sampled) > began + 2.5, 10, "two seconds of samples")
        assert figure('pgheadroom_up{target="db"}') == 1
        assert figure('pgheadroom_knock_up{target="db"}') == 1, "the server is not to blame"
        assert daemon.log.read().splitlines() == before
        assert heard.count(b"WATCHDOG=1") > beats, "it still gives signs of life"
        for one in sockets:
            one.close()
        until(lambda: "new connections are accepted again" in daemon.log.read(), 10, "its end")
        assert daemon.metric('pgheadroom_up{target="db"}') == 1
        assert daemon.log.read().count(said) == 1
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read()


@as_root
def test_a_full_disk_is_told_once_and_saving_goes_on(
    pg: Postgres, tmp_path: Path, clients: Clients
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    config = f'state_directory: {state}\nresolve_hold_seconds: 0\ntargets: {{db: "{pg.dsn()}"}}'
    mount = in_shell(f"mount -t tmpfs -o size=64k none {state}")
    with wrapped(tmp_path / "daemon", config, *mount) as daemon:
        daemon.ready()
        inside = Path(f"/proc/{daemon.pid}/root{state}")
        filler = inside / "filler"
        with filler.open("wb", buffering=0) as file:
            assert 0 < file.write(bytes(1 << 20)) <= 1 << 16, "as much as there was room for"
        held, _ = clients.fill(pg.tcp)
        said = 'event="cannot save state: a restart would lose it"'
        until(lambda: said in daemon.log.read(), 10, "line that says so")
        assert 'reason="No space left on device"' in daemon.log.read()
        filler.unlink()
        for session in held:
            session.close()
        until(lambda: 'event="state saved again"' in daemon.log.read(), 15, "its end")
        assert (inside / "db.json.gz").stat().st_size > 0
        assert daemon.log.read().count(said) == 1
        assert daemon.stop() == 0


@as_root
def test_a_read_only_machine_is_told_once(pg: Postgres, tmp_path: Path) -> None:
    """Nothing but the state is ever written."""
    config = f'state_directory: {tmp_path}/state\ntargets: {{db: "{pg.dsn()}"}}'
    root = "for at in / /tmp; do mount -o remount,bind,ro $at 2>/dev/null; done; ! touch /tmp/x.$$"
    with wrapped(tmp_path / "daemon", config, *in_shell(root)) as daemon:
        daemon.ready()
        assert daemon.metric('pgheadroom_up{target="db"}') == 1
        assert daemon.stop() == 0
        told = [line for line in daemon.log.read().splitlines() if "level=warning" in line]
        assert len(told) == 1
        assert 'reason="Read-only file system"' in told[0]


@as_root
def test_a_port_that_only_root_may_have(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *("setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"),
            *(sys.executable, "-m", "pgheadroom", "--listen", f"{LOOPBACK}:81"),
            *("--dsn", f"host={LOOPBACK} port={free_port()}"),
        ],
        env=clean_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot listen at 127.0.0.1:81: " in done.stderr
    assert "permission denied" in done.stderr


LOGS = {
    "closed": 'exec "$@" <&- >&- 2>&-',
    "broken": 'exec "$@" > >(read -r line) 2>&1',
    "full": 'exec "$@" > /dev/full 2>&1',
}


@pytest.mark.parametrize("how", LOGS)
def test_a_log_that_nobody_takes_stops_nothing(pg: Postgres, tmp_path: Path, how: str) -> None:
    """Neither the samples nor an orderly end; and no descriptor of a log becomes a server's."""
    config = f'interval_seconds: 0.2\ntargets: {{db: "{pg.dsn()}"}}'
    shell = ("bash", "-c", LOGS[how], "bash")
    with wrapped(tmp_path / "daemon", config, *shell, LC_ALL="C") as daemon:
        daemon.ready()
        folder = Path(f"/proc/{daemon.pid}/fd")
        for number in ("0", "1", "2"):
            assert not (folder / number).readlink().name.startswith("socket:"), number
        cpu = daemon.metric("process_cpu_seconds_total")
        for _ in range(20):
            send(daemon.pid, signal.SIGHUP)  # each has a line of log
        line = 'pgheadroom_sample_timestamp_seconds{target="db"}'
        at = daemon.metric(line) or 0
        until(lambda: (daemon.metric(line) or 0) > at + 1, 10, "a second of samples")
        assert (daemon.metric("process_cpu_seconds_total") or 0) < (cpu or 0) + 2
        assert daemon.stop() == 0
