"""Tests that SIGTERM ends the daemon with status 0 within three seconds, whatever hangs."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.integration.conftest import MakeHeadroom
from tests.support.servers.headroom import Headroom
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.postgres import Postgres
from tests.support.servers.process import send
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(18)

MOST_SECONDS = 3.0

# Nobody answers on these: a name server, for a resolver that waits long.
NAME_SERVER = "127.0.0.153"
RESOLV_CONF = f"nameserver {NAME_SERVER}\noptions timeout:30 attempts:5\n"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Return what closes sockets when the test ends."""
    with ExitStack() as opened:
        yield opened


def deaf(stack: ExitStack) -> socket.socket:
    """Return a socket that lets clients connect and never says a word."""
    listener = stack.enter_context(socket.create_server((LOOPBACK, 0)))
    listener.settimeout(20)
    return listener


def dropping(stack: ExitStack) -> int:
    """Return a port whose queue is full: the kernel drops what else wants to connect."""
    listener = stack.enter_context(socket.socket())
    listener.bind((LOOPBACK, 0))
    listener.listen(0)
    port: int = listener.getsockname()[1]
    for _ in range(4):
        client = stack.enter_context(socket.socket())
        client.settimeout(0)
        client.connect_ex((LOOPBACK, port))
    probe = stack.enter_context(socket.socket())
    probe.settimeout(0.3)
    with pytest.raises(TimeoutError):
        probe.connect((LOOPBACK, port))
    return port


def ends(daemon: Headroom) -> None:
    """Send SIGTERM and see that it ends in time; how long it took is shown by pytest's -rP."""
    began = time.monotonic()
    assert daemon.stop(signal.SIGTERM) == 0
    seconds = time.monotonic() - began
    assert seconds < MOST_SECONDS
    log = daemon.log.read()
    assert "event=stopped" in log
    assert "level=error" not in log
    assert "Traceback" not in log
    sys.stdout.write(f"ended within {seconds:.2f} s\n")


def waits_in_connect(daemon: Headroom, port: int) -> bool:
    """Tell whether the daemon has sent a SYN to *port* that nobody answers."""
    wanted = f":{port:04X} 02 "
    return wanted in Path(f"/proc/{daemon.pid}/net/tcp").read_text()


Case = Callable[[Postgres, MakeHeadroom, ExitStack], Headroom]


def in_a_connect_that_is_not_answered(
    _pg: Postgres, make: MakeHeadroom, stack: ExitStack
) -> Headroom:
    listener = deaf(stack)
    port = listener.getsockname()[1]
    daemon = make(f"targets: {{db: host={LOOPBACK} port={port} user=x connect_timeout=60}}")
    stack.enter_context(listener.accept()[0])
    return daemon


def in_a_connect_whose_packets_are_dropped(
    _pg: Postgres, make: MakeHeadroom, stack: ExitStack
) -> Headroom:
    port = dropping(stack)
    daemon = make(
        f"connect_timeout_seconds: 60\ntargets: {{db: host={LOOPBACK} port={port} user=x}}"
    )
    until(lambda: waits_in_connect(daemon, port), 10, "a SYN that is not answered")
    return daemon


def in_a_reading_of_a_stopped_server(
    pg: Postgres, make: MakeHeadroom, _stack: ExitStack
) -> Headroom:
    daemon = make(f'read_timeout_seconds: 60\ninterval_seconds: 0.1\ntargets: {{db: "{pg.dsn()}"}}')
    up = 'pgheadroom_up{target="db"}'
    until(lambda: daemon.metric(up), 10, "sample")
    pg.pause()
    line = 'pgheadroom_sample_timestamp_seconds{target="db"}'
    until(lambda: time.time() - (daemon.metric(line) or 0) > 0.5, 10, "reading that hangs")
    return daemon


def beside_an_alertmanager_that_never_answers(
    _pg: Postgres, make: MakeHeadroom, stack: ExitStack
) -> Headroom:
    listener = deaf(stack)
    url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    closed = dropping(stack)
    daemon = make(
        f'alertmanager_urls: ["{url}", "http://{LOOPBACK}:{closed}"]\nblind_warning_seconds: 1\n'
        f"targets: {{db: host={LOOPBACK} port={closed} user=x}}\nconnect_timeout_seconds: 1"
    )
    fires = 'pgheadroom_alert{alertname="PostgresHeadroomUnknown",severity="warning",target="db"}'
    until(lambda: daemon.metric(fires), 20, "alert to tell of")
    stack.enter_context(listener.accept()[0])
    return daemon


def with_pages_that_are_read_slowly(pg: Postgres, make: MakeHeadroom, stack: ExitStack) -> Headroom:
    """Scrapes of which nothing is taken, a request that is not finished, and streams."""
    targets = "".join(f'  t{number}: "{pg.dsn(tcp=False)}"\n' for number in range(8))
    daemon = make(f"targets:\n{targets}")
    daemon.ready()
    asked = [b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 200, b"GET /metrics HTTP/1.1\r\nHo"]
    asked += [b"GET /api/v1/stream HTTP/1.1\r\nHost: a\r\n\r\n"] * 2
    for words in asked:
        client = stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect((LOOPBACK, daemon.port))
        client.sendall(words)
    assert client.recv(100).startswith(b"HTTP/1.1 200"), "the last of the streams"
    return daemon


@pytest.mark.parametrize(
    "case",
    [
        in_a_connect_that_is_not_answered,
        in_a_connect_whose_packets_are_dropped,
        in_a_reading_of_a_stopped_server,
        beside_an_alertmanager_that_never_answers,
        with_pages_that_are_read_slowly,
    ],
    ids=lambda case: case.__name__,
)
def test_it_ends_in_time(
    pg: Postgres,
    make_headroom: MakeHeadroom,
    stack: ExitStack,
    case: Case,
) -> None:
    ends(case(pg, make_headroom, stack))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a process a resolv.conf")
def test_it_ends_in_time_in_a_look_up_that_hangs(stack: ExitStack, tmp_path: Path) -> None:
    """By a name server that never answers, in a mount namespace of its own."""
    server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind((NAME_SERVER, 53))
    server.settimeout(20)
    (tmp_path / "resolv.conf").write_text(RESOLV_CONF)
    bind = f'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"'
    folder = tmp_path / "daemon"
    folder.mkdir()
    daemon = Headroom(
        folder,
        "targets: {db: host=db.example user=x}\nconnect_timeout_seconds: 60\n"
        "alertmanager_urls: ['http://am.example']",
        wrapper=("unshare", "--mount", "sh", "-c", bind, "sh"),
    )
    with daemon:
        asked = b""
        while not (b"\2db\7example" in asked and b"\2am\7example" in asked):
            asked += server.recv(512)
        ends(daemon)


def test_a_second_signal_ends_it_at_once(
    pg: Postgres, make_headroom: MakeHeadroom, stack: ExitStack
) -> None:
    daemon = beside_an_alertmanager_that_never_answers(pg, make_headroom, stack)
    send(daemon.pid, signal.SIGTERM)
    until(lambda: "event=stopping" in daemon.log.read(), 5, "beginning of the end")
    assert daemon.stop(signal.SIGINT) == 128 + signal.SIGINT
    assert "event=stopped" not in daemon.log.read()
