"""Asks a server for its own count, again and again, beside the daemon that is being tested.

Two witnesses. SQL names every client backend that has logged in; the process table names those that
are still logging in, which SQL up to PostgreSQL 17 does not list: a client's process is titled
after its role, every other one after its task. Neither shares any code with the daemon.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.support.servers import rawclient
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import QueryError, Refused, Session
from tests.support.servers.wait import until
from tests.support.servers.wire import HangUpError

_PAUSE_SECONDS: Final = 0.01
_NEXT_SECONDS: Final = 30.0
_CLIENTS: Final = """
    select pid, coalesce(application_name, ''), coalesce(usename::text, ''),
        coalesce(datname::text, ''), coalesce(state, '')
    from pg_stat_activity where backend_type = 'client backend'
"""
# What a process is titled that serves no client, or serves one from another pool of slots.
_NO_CLIENT: Final = re.compile(
    r"postgres: (?!.* (authentication|startup|idle|active)\b)|postgres: ("
    r"archiver|autovacuum |background |checkpointer|io worker|logical replication|"
    r"parallel worker|slotsync|startup|stats collector|wal ?(sender|writer|receiver|summarizer))"
)
_LOGGING_IN: Final = re.compile(r"postgres: .* authentication\b")


class Ask(NamedTuple):
    """What was true between *began* and *ended*, in seconds since the epoch."""

    began: float
    ended: float
    least: int
    """Slots that were certainly in use."""
    most: int
    """... and that may have been: a process that is about to log in, or about to end."""
    by_application: Mapping[str, int]
    by_role: Mapping[str, int]
    by_database: Mapping[str, int]
    """Client backends that had logged in."""


class Oracle:
    """Asks *server* until it ends, through a session of its own that is opened again when lost."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._session: Session | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="oracle")
        self.asks: list[Ask] = []
        self.bug: BaseException | None = None

    def next(self) -> None:
        """Wait until two more asks have ended: whatever was true before has been seen."""
        wanted = len(self.asks) + 2
        until(lambda: self.bug or len(self.asks) >= wanted, _NEXT_SECONDS, "answer of the oracle")
        if self.bug is not None:
            raise self.bug

    def around(self, began: float, ended: float) -> list[Ask]:
        """Return the asks from the last that ended before *began* to the first begun after *ended*.

        Empty where there is none on either side, as at the end of a run.
        """
        asks = self.asks
        first = max((n for n, ask in enumerate(asks) if ask.ended <= began), default=None)
        last = min((n for n, ask in enumerate(asks) if ask.began >= ended), default=None)
        return [] if first is None or last is None else asks[first : last + 1]

    def __enter__(self) -> Self:
        self._thread.start()
        self.next()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._session is not None:
            self._session.close()
        if self.bug is not None and error is None:
            raise self.bug

    def _work(self) -> None:
        try:
            while not self._stop.wait(_PAUSE_SECONDS):
                ask = self._ask()
                if ask is not None:
                    self.asks.append(ask)
        except BaseException as error:  # noqa: BLE001 - whoever waits for us raises it
            self.bug = error

    def _ask(self) -> Ask | None:
        began = time.time()
        try:
            if self._session is None:
                answer = rawclient.connect(self._server.unix)
                if isinstance(answer, Refused):
                    return None
                self._session = answer
            before = dict(_titles(self._server.pid))
            rows = self._session.query(_CLIENTS)
            after = dict(_titles(self._server.pid))
        except (OSError, HangUpError, QueryError):
            # The server is being restarted: the count goes down to nothing and up again.
            if self._session is not None:
                self._session.close(abruptly=True)
            self._session = None
            return Ask(began, time.time(), 0, 0, {}, {}, {})
        listed = {int(pid or 0) for pid, *_ in rows}
        logging_in = {
            pid
            for pid, title in before.items()
            if _LOGGING_IN.match(title) and _LOGGING_IN.match(after.get(pid, ""))
        }
        possible = {pid for pid, title in (before | after).items() if not _NO_CLIENT.match(title)}
        known = [row for row in rows if row[4] != "starting"]
        return Ask(
            began,
            time.time(),
            len(listed | logging_in),
            len(listed | possible),
            Counter(row[1] or "" for row in known),
            Counter(row[2] or "" for row in known),
            Counter(row[3] or "" for row in known),
        )


def _titles(postmaster: int) -> Iterator[tuple[int, str]]:
    """Yield each child of *postmaster* with its title."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
    for pid in children.split():
        try:
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if title:  # else it has ended, and its parent has not noticed yet
            yield int(pid), title.replace(b"\0", b" ").decode(errors="replace").strip()
