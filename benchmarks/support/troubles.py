"""Causes trouble on a real server while it is watched, and ends it.

Each trouble is a context: it befalls the server on entry, and on exit the server is well again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

from tests.support.servers import rawclient
from tests.support.servers.postgres import Postgres

_OURS: Final = "from pg_stat_activity where application_name = 'pgheadroom'"
_MOST_CLIENTS: Final = 1000
_MOST_ROUNDS: Final = 20


@contextlib.contextmanager
def stopped(server: Postgres) -> Iterator[None]:
    """Shut *server* down in order."""
    server.stop()
    yield
    server.start()


@contextlib.contextmanager
def killed(server: Postgres) -> Iterator[None]:
    """Have *server* vanish as in a power cut."""
    server.kill()
    yield
    server.start()


@contextlib.contextmanager
def paused(server: Postgres) -> Iterator[None]:
    """Freeze *server*: its sockets stay open and say nothing."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


@contextlib.contextmanager
def full(server: Postgres) -> Iterator[None]:
    """Fill *server* up, our own sessions' slots included."""
    with contextlib.ExitStack() as held:
        for _ in range(_MOST_ROUNDS):  # who is terminated may be back before the slot is taken
            sessions, _ = rawclient.fill(server.unix, _MOST_CLIENTS, user="shop")
            for session in sessions:
                held.enter_context(session)
            if not terminate(server):
                break
        yield


@contextlib.contextmanager
def denied(server: Postgres) -> Iterator[None]:
    """Ask everybody but the superuser for a password that does not exist."""
    server.access[:0] = ["local all postgres trust", "host all all 127.0.0.1/32 scram-sha-256"]
    server.reload()
    terminate(server)
    yield
    server.restore_defaults()
    server.reload()


TROUBLES: Final[tuple[Callable[[Postgres], AbstractContextManager[None]], ...]] = (
    stopped,
    paused,
    full,
    killed,
    denied,
)


def terminate(server: Postgres, user: str | None = None) -> int:
    """Terminate our sessions on *server*, or those of *user* alone; return how many there were."""
    whose = f" and usename = '{user}'" if user else ""
    return len(server.sql(f"select pg_terminate_backend(pid) {_OURS}{whose}"))


def ours(server: Postgres) -> int:
    """Return how many sessions of ours *server* has."""
    return int(server.sql(f"select count(*) {_OURS}")[0][0] or 0)


@contextlib.contextmanager
def terminating(server: Postgres, user: str, pause: float = 1.0) -> Iterator[None]:
    """Terminate the session of *user* on *server* again and again."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(pause):
            terminate(server, user)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
