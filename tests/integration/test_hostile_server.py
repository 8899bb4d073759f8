"""Tests that a hostile server cannot take the daemon down."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.integration.conftest import MakeHeadroom
from tests.support.parts.orphans import follow_parent
from tests.support.servers.headroom import Headroom
from tests.support.servers.hostile import GREETINGS, WAYS
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until

from pgheadroom.model.reading import Failure, Outcome
from pgheadroom.postgres.login import ConnectOptions
from pgheadroom.postgres.session import Session

pytestmark = pytest.mark.majors(18)

MOST_MEGABYTES = 450
ALL = [*WAYS, *GREETINGS]


@contextmanager
def hostile(*ways: str) -> Iterator[dict[str, int]]:
    """Run hostile servers, one for each of *ways*; the value is their ports."""
    ports = {way: free_port() for way in ways}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.servers.hostile", str(port), way],
            cwd=Path(__file__).parents[2],
            preexec_fn=follow_parent(),  # noqa: PLW1509 - one libc call, no locks taken
        )
        for way, port in ports.items()
    ]
    try:
        for port in ports.values():
            until(partial(listens, port), 20, "hostile server")
        yield ports
    finally:
        for one in running:
            one.kill()
            one.wait()


def listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex((LOOPBACK, port)) == 0


def peak_megabytes(daemon: Headroom) -> int:
    """Return how much memory the daemon had at most."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) // 1024


def test_it_fails_alone(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    """All of them at once; each is news of itself, and the daemon has memory and time left."""
    with hostile(*ALL) as ports:
        fails_alone(pg, ports, make_headroom)


def fails_alone(pg: Postgres, ports: dict[str, int], make_headroom: MakeHeadroom) -> None:
    targets = [f'  calm: "{pg.dsn()}"'] + [
        f'  bad{number}: "host={LOOPBACK} port={port} user=x"'
        for number, port in enumerate(ports.values())
    ]
    daemon = make_headroom("targets:\n" + "\n".join(targets))

    def failed(number: int) -> bool:
        page = daemon.page(f"/probe?target=bad{number}")
        found = re.findall(
            r'^pgheadroom_failures_total\{.*state="(error|timeout)".* (\d+)', page, re.MULTILINE
        )
        return sum(int(count) for _, count in found) >= 1

    for number, way in enumerate(ALL):
        until(partial(failed, number), 60, f"failure: {way}")
    at = 'pgheadroom_sample_timestamp_seconds{target="calm"}'
    newest = daemon.metric(at)
    assert newest is not None
    until(lambda: (daemon.metric(at) or 0) > newest, 5, "next sample of the other server")
    assert daemon.metric('pgheadroom_up{target="calm"}') == 1
    assert daemon.metric('pgheadroom_failures_total{state="timeout",target="calm"}') == 0
    assert daemon.metric('pgheadroom_bugs_total{job="sample"}') == 0
    assert daemon.metric('pgheadroom_bugs_total{job="knock"}') == 0
    assert peak_megabytes(daemon) < MOST_MEGABYTES


@pytest.mark.parametrize(
    ("way", "detail"),
    [
        ("a row of a gigabyte", "cannot allocate memory"),
        ("rows without end", "the server sends more than any statement of ours asks for"),
        ("a row of nonsense", "makes no sense"),
        ("no row at all", "makes no sense"),
    ],
)
async def test_too_much_is_cut_off_before_the_time_is_up(way: str, detail: str) -> None:
    with hostile(way) as ports:
        conninfo = f"host={LOOPBACK} port={ports[way]} user=x"
        session = Session(ConnectOptions("db", conninfo, read_timeout_seconds=60.0))
        reading = await session.read()
        session.close()
    assert isinstance(reading, Failure)
    assert reading.outcome is Outcome.ERROR
    assert detail in reading.detail
