"""Sets one story up: a server, the daemon, a receiver of its alerts, and a recording beside it."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

from tests.support.parts.command import run
from tests.support.parts.orphans import follow_parent
from tests.support.servers import rawclient
from tests.support.servers.headroom import clean_environment
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

from benchmarks.live import clients, packages, serverlog
from benchmarks.live.clients import Client
from benchmarks.support.sessions import role
from benchmarks.support.watchers import dsn

MAX_CONNECTIONS: Final = 100
RESERVED: Final = 3
ORDINARY: Final = MAX_CONNECTIONS - RESERVED
NAME: Final = "live"
"""What the daemon calls the server."""
_USER: Final = "shop"
_READY_SECONDS: Final = 40.0
_LOOK_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 10.0
_SETTINGS: Final = {
    "max_connections": MAX_CONNECTIONS,
    "superuser_reserved_connections": RESERVED,
    "shared_buffers": "32MB",
    **serverlog.SETTINGS,
}
_RESERVED_SINCE: Final = 16


class SkippedError(Exception):
    """A story that cannot be played here, and why."""


class StoppedError(Exception):
    """The person at the keyboard has had enough."""


class Stage:
    """What a story is played on; its methods are what a story is made of."""

    def __init__(
        self, server: Postgres, log: IO[bytes], rng: random.Random, stop: threading.Event
    ) -> None:
        self.server: Final = server
        self.rng: Final = rng
        self.began: float | None = None
        """When that began which the story is about, in seconds since the epoch."""
        self.cast: Final[dict[str, list[Client]]] = {}
        """All clients that were started, by the name of their application."""
        self._log = log
        self._stop = stop
        self._sessions: list[Session] = []

    def pod(
        self,
        name: str,
        size: int,
        *,
        pause: float = 0.0,
        busy: float = 0.1,
        more: Sequence[str] = (),
    ) -> Client:
        """Start a replica of *name* with *size* connections, *pause* seconds between two of them.

        They run statements for the share *busy* of the time; *more* are options of `pod.py`.
        """
        words = [f"--size={size}", f"--pause={pause}", f"--busy={busy}", *more]
        # Through the loopback interface, as from another machine.
        where = self.server.dsn(user=_USER, sslmode="disable", application_name=name)
        return self._keep(name, clients.pod(where, self._log, *words))

    def pods(self, name: str, count: int, size: int) -> list[Client]:
        """Start *count* replicas at once, and wait until all are up."""
        started = [self.pod(name, size) for _ in range(count)]
        for one in started:
            self.ready(one)
        return started

    def node(self, script: str, name: str, *words: object) -> Client:
        """Start a client on Node.js, which calls itself *name*; raises SkippedError without one."""
        node = packages.node()
        if isinstance(node, str):
            raise SkippedError(node)
        url = (
            f"postgresql://{_USER}@{LOOPBACK}:{self.server.port}/postgres"
            f"?sslmode=disable&application_name={quote(name)}"
        )
        argv: list[str | Path] = [
            node.program,
            packages.FOLDER / script,
            url,
            *(str(word) for word in words),
        ]
        return self._keep(name, Client(argv, self._log, NODE_PATH=str(node.modules)))

    def pgbench(self, name: str, *words: str) -> Client:
        """Start pgbench; raises SkippedError where there is none."""
        where = self.server.dsn(user=_USER, sslmode="disable", application_name=name)
        return self._keep(name, Client([_pgbench(), *words, where], self._log))

    def make_pgbench_tables(self) -> None:
        """Make what pgbench works on; raises SkippedError where there is no pgbench."""
        where = self.server.dsn(user=_USER, sslmode="disable")
        run([_pgbench(), "-i", "-q", where])

    def hold_row(self, name: str) -> None:
        """Have a session of *name* update the hot row, and leave its transaction open."""
        session = rawclient.admitted(self.server.tcp, user=_USER, application_name=name)
        self._sessions.append(session)
        session.query("begin; update hot set n = n + 1 where id = 1")

    def _keep(self, name: str, client: Client) -> Client:
        self.cast.setdefault(name, []).append(client)
        return client

    def ready(self, client: Client) -> None:
        """Wait until *client* is up."""
        client.ready(_READY_SECONDS)

    def begin(self) -> None:
        """Note that what the story is about begins now."""
        self.began = time.time()

    def wait(self, seconds: float) -> None:
        """Let so much time pass."""
        if self._stop.wait(seconds):
            raise StoppedError

    def wait_about(self, seconds: float) -> None:
        """Let so much time pass, or a fifth more or less."""
        self.wait(seconds * self.rng.uniform(0.8, 1.2))

    def goes(self, name: str) -> None:
        """Have the client of *name* that has waited for it take connections; notes when."""
        (client,) = self.cast[name]
        self.begin()
        client.go()

    def until_refused(self, most_seconds: float, more_seconds: float = 10.0) -> None:
        """Go on until a login is refused, for *most_seconds* at most, and a little longer."""
        deadline = time.monotonic() + most_seconds
        while not self.refused() and time.monotonic() < deadline:
            self.wait(_LOOK_SECONDS)
        self.wait(more_seconds)

    def refused(self) -> bool:
        """Tell whether a login has been refused for want of a slot."""
        return bool(serverlog.refusals(self.server.log.read()))

    def close(self) -> None:
        """End all clients, together."""
        for session in self._sessions:
            session.close()
        everyone = [client for clients in self.cast.values() for client in clients]
        for client in everyone:
            client.tell_to_stop()
        for client in everyone:
            client.stop()


def _pgbench() -> str:
    program = shutil.which("pgbench")
    if program is None:
        raise SkippedError("no pgbench on PATH")
    return program


@contextlib.contextmanager
def server(home: Path, major: int) -> Iterator[Postgres]:
    """Run an empty server with the table that stories use."""
    settings = dict(_SETTINGS) | ({"reserved_connections": 0} if major >= _RESERVED_SINCE else {})
    with Postgres(home, tls=False, **settings) as it:
        role(it)
        it.sql("create table hot (id int primary key, n int); insert into hot values (1, 0)")
        it.sql(f"grant all on hot to {_USER}; grant create on schema public to {_USER}")
        yield it


@contextlib.contextmanager
def recorder(where: Postgres, file: Path, log: IO[bytes]) -> Iterator[None]:
    """Have `pgheadroom record` write *file*, as a second watcher of the server."""
    environment = clean_environment()
    environment[f"PGHEADROOM_TARGETS__{NAME}__DSN"] = dsn(where)
    child = subprocess.Popen(
        [sys.executable, "-m", "pgheadroom", "record", file],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=follow_parent(),  # noqa: PLW1509 - one libc call, no locks taken
    )
    try:
        until(lambda: file.exists() and file.stat().st_size, _READY_SECONDS, "first sample")
        yield
    finally:
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
