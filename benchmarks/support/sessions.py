"""Fills a server with idle sessions of many applications, and with sessions that work."""

from __future__ import annotations

import contextlib
import itertools
import resource
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tests.support.servers import rawclient
from tests.support.servers.datadir import Setting
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session

_SPARE_FILES: Final = 200
_CHURNERS: Final = 8
_TABLES: Final = 8
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


Work = Callable[[Postgres, threading.Event], None]


def _log_in_and_leave(server: Postgres, stop: threading.Event) -> None:
    """Do as `pgbench -C` does, eight clients at a time."""

    def client() -> None:
        while not stop.is_set():
            rawclient.admitted(server.unix, user="shop", application_name="churn").close()

    clients = [threading.Thread(target=client) for _ in range(_CHURNERS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()


def _query_in_parallel(server: Postgres, stop: threading.Event) -> None:
    with rawclient.admitted(server.unix, application_name="report") as session:
        while not stop.is_set():
            session.query("select count(*) from big where md5(repeat(t, 20)) <> ''")


def _have_vacuumed(server: Postgres, stop: threading.Event) -> None:
    with rawclient.admitted(server.unix, application_name="writer") as session:
        while not stop.is_set():
            for number in range(_TABLES):
                session.query(f"update t{number} set id = id")  # noqa: S608
            stop.wait(0.5)


WORK: Final[Mapping[str, tuple[Work, ...]]] = {
    "churn": (_log_in_and_leave,),
    "parallel": (_query_in_parallel, _query_in_parallel),
    "autovacuum": (_have_vacuumed,),
}
"""Kinds of work, and the threads that do it."""

WORK_SETTINGS: Final[Mapping[str, Setting]] = {
    "max_worker_processes": 64,
    "max_parallel_workers": 60,
    "max_parallel_workers_per_gather": 24,
    "min_parallel_table_scan_size": 0,
    "parallel_setup_cost": 0,
    "autovacuum": True,
    "autovacuum_naptime": 1,
    "autovacuum_max_workers": 6,
}
"""What a server needs to be set to for any of them."""


@contextlib.contextmanager
def working(server: Postgres, kind: str) -> Iterator[None]:
    """Have sessions of *server* do the work of one *kind*, for as long as the context lasts."""
    server.sql("create table big as select g, repeat('x', 200) t from generate_series(1, 20000) g")
    server.sql("alter table big set (parallel_workers = 24)")
    for number in range(_TABLES):
        server.sql(f"create table t{number} as select generate_series(1, 1000) as id")
        server.sql(
            f"alter table t{number} set (autovacuum_vacuum_threshold = 10,"
            " autovacuum_vacuum_scale_factor = 0)"
        )
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(server, stop)) for work in WORK[kind]]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _session(server: Postgres, application: int) -> Session:
    name = f"app{application:03}-service"
    return rawclient.admitted(server.unix, user="shop", application_name=name)


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))
