"""Runs the two programs that watch a server: pgheadroom, and postgres_exporter beside it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from tests.support.parts import find
from tests.support.parts.orphans import follow_parent
from tests.support.servers import http
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until

from benchmarks.support.accounts import of_process
from benchmarks.support.sessions import ROLE

_START_SECONDS: Final = 30.0
_QUIET: Final = "--log.level=error"
_STOP_SECONDS: Final = 10.0
_KIB_PER_MIB: Final = 1024
# What Prometheus 3 sends.
HEADERS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
    "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "Accept-Encoding": "gzip",
    "User-Agent": "Prometheus/3.0.0",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}


@dataclass(frozen=True, slots=True)
class Watcher:
    """A running program that serves /metrics."""

    name: str
    pid: int
    port: int

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{LOOPBACK}:{self.port}"

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        return of_process(self.pid)

    def resident_mib(self) -> float:
        """Return the memory that it holds."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / _KIB_PER_MIB
        raise LookupError


class Scraper:
    """Asks for /metrics through one connection that is kept, with Prometheus' headers."""

    def __init__(self, watcher: Watcher) -> None:
        self._connection = HTTPConnection(LOOPBACK, watcher.port, timeout=30)

    def scrape(self) -> bytes:
        """Return the body, as it came."""
        self._connection.request("GET", "/metrics", headers=HEADERS)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
            raise ConnectionError(answer.status, answer.reason)
        return body

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()


@contextlib.contextmanager
def pgheadroom(dsns: Mapping[str, str], **settings: str) -> Iterator[Watcher]:
    """Run the daemon, which watches *dsns* by name, with defaults but for *settings*."""
    port = free_port()
    targets = {f"PGHEADROOM_TARGETS__{name}__DSN": dsn for name, dsn in dsns.items()}
    env = {
        **targets,
        "PGHEADROOM_LISTEN": f"{LOOPBACK}:{port}",
        **{f"PGHEADROOM_{name.upper()}": value for name, value in settings.items()},
    }
    with _running("pgheadroom", [sys.executable, "-m", "pgheadroom", "serve"], env, port) as it:
        until(lambda: http.is_ready(f"{it.url}/-/ready"), _START_SECONDS, "readiness")
        yield it


@contextlib.contextmanager
def postgres_exporter(dsn: str) -> Iterator[Watcher]:
    """Run postgres_exporter with the collectors that it has by default."""
    program = find("postgres-exporter")
    if program.path is None:
        sys.exit(
            f"postgres-exporter: {program.reason}; python -m tests.support.parts install --peer"
        )
    port = free_port()
    argv: list[str | Path] = [
        program.path,
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=error",
    ]
    with _running("postgres_exporter", argv, {"DATA_SOURCE_NAME": dsn}, port) as it:
        until(lambda: http.is_ready(f"{it.url}/"), _START_SECONDS, "readiness")
        yield it


def dsn(server: Postgres) -> str:
    """Return the connection string for pgheadroom."""
    return server.dsn(user=ROLE, sslmode="disable")


def peer_dsn(server: Postgres) -> str:
    """Return the same, in the form that postgres_exporter wants."""
    return f"postgresql://{ROLE}@{LOOPBACK}:{server.port}/postgres?sslmode=disable"


@contextlib.contextmanager
def _running(
    name: str, argv: Sequence[str | Path], env: Mapping[str, str], port: int
) -> Iterator[Watcher]:
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [str(word) for word in argv],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=follow_parent(),  # noqa: PLW1509 - one libc call, no locks taken
        )
        try:
            yield Watcher(name, child.pid, port)
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-2000:])
            raise
        finally:
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
