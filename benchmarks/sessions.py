"""Who fills the server: idle sessions of many applications, and sessions that come and go."""

from __future__ import annotations

import contextlib
import itertools
import resource
import threading
import time
from collections.abc import Iterator
from typing import Final

from tests.servers import rawclient
from tests.servers.postgres import Postgres
from tests.servers.rawclient import Session

_SPARE_FILES: Final = 200
ROLE: Final = "watcher"
"""Who the watchers log in as: as little as both ask for."""


def role(server: Postgres) -> None:
    """Make the role that the watchers log in as, and the one that the sessions belong to."""
    server.sql(f"create role {ROLE} login in role pg_monitor; create role shop login")


@contextlib.contextmanager
def held(server: Postgres, count: int, applications: int) -> Iterator[list[Session]]:
    """Hold *count* idle sessions, which call themselves by *applications* names."""
    _allow_files(count + _SPARE_FILES)
    sessions: list[Session] = []
    try:
        sessions += (_session(server, number % applications) for number in range(count))
        yield sessions
    finally:
        for session in sessions:
            session.close()


@contextlib.contextmanager
def churning(
    server: Postgres, sessions: list[Session], per_second: int, applications: int
) -> Iterator[None]:
    """Replace *per_second* of the *sessions* every second, for as long as the context lasts.

    A session is closed, and another opened half a second later, so that the number moves too.
    """
    stop = threading.Event()

    def churn() -> None:
        places = itertools.cycle(range(len(sessions)))
        while not stop.wait(0.5):
            chosen = [next(places) for _ in range(per_second)]
            for place in chosen:
                sessions[place].close()
            time.sleep(0.5)
            for place in chosen:
                sessions[place] = _session(server, place % applications)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _session(server: Postgres, application: int) -> Session:
    name = f"app{application:03}-service"
    return rawclient.admitted(server.unix, user="shop", application_name=name)


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))
