"""Observes the daemon while its server is in trouble: its pages, its connections."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.support.servers import rawclient
from tests.support.servers.headroom import Headroom
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import QueryError, Refused, Session
from tests.support.servers.wait import until

# Whoever comes by TCP is ours; the clients of these tests use the unix socket. Logins that have
# yet to tell their name count too, and a lock on pg_database does not stop this one.
OURS: Final = "select count(*) from pg_stat_get_activity(null) where client_port > 0"
_PAGE_SECONDS: Final = 0.1
_COUNT_SECONDS: Final = 0.02
_COUNTER_SECONDS: Final = 10.0
_STATE: Final = re.compile(
    r'^pgheadroom_target_state\{server="[^"]*",state="(\w+)",target="faulty"\} 1', re.MULTILINE
)
_SAMPLED: Final = r'^pgheadroom_sample_timestamp_seconds\{server="[^"]*",target="%s"\} (\S+)'
_FAULTY: Final = re.compile(_SAMPLED % "faulty", re.MULTILINE)
_CALM: Final = re.compile(_SAMPLED % "calm", re.MULTILINE)
_MEMORY: Final = re.compile(r"^process_resident_memory_bytes (\S+)", re.MULTILINE)


class Look(NamedTuple):
    """One look at /metrics: when by the monotonic clock, how long it took, what it said."""

    at: float
    took_seconds: float
    state: str
    faulty: float
    """The time of the newest sample of either target, by the daemon's clock; 0 before the first."""
    calm: float
    memory_bytes: float


class Count(NamedTuple):
    """How many connections of ours a server had at a moment of the monotonic clock."""

    at: float
    ours: int


class Observer:
    """Looks at the pages of *daemon*, and counts its connections on *servers*, until it ends.

    The sessions that count are a superuser's, opened before anything happens (*counter*, if even
    that was too late), and opened anew after a server has ended them.
    """

    def __init__(
        self, daemon: Headroom, servers: Sequence[Postgres], counter: Session | None = None
    ) -> None:
        self.looks: list[Look] = []
        self.counts: list[list[Count]] = [[] for _ in servers]
        self._daemon = daemon
        self._ended = threading.Event()
        sessions = [counter or _counter(server) for server in servers]
        works = [(self._watch_pages, ())] + [
            (self._count, (server, session, counts))
            for server, session, counts in zip(servers, sessions, self.counts, strict=True)
        ]
        self._threads = [
            threading.Thread(target=work, args=given, daemon=True) for work, given in works
        ]
        self.complaints: list[BaseException] = []

    def look(self) -> Look:
        """Ask for /metrics once."""
        began = time.monotonic()
        page = self._daemon.page()
        took = time.monotonic() - began
        faulty, calm, memory = (
            float(found[1]) if (found := pattern.search(page)) else 0.0
            for pattern in (_FAULTY, _CALM, _MEMORY)
        )
        state = _STATE.search(page)
        return Look(began, took, state[1] if state else "", faulty, calm, memory)

    def _watch_pages(self) -> None:
        try:
            while not self._ended.wait(_PAGE_SECONDS):
                self.looks.append(self.look())
        except Exception as error:  # noqa: BLE001 - a thread's, raised where the test ends
            self.complaints.append(error)

    def _count(self, server: Postgres, session: Session | None, counts: list[Count]) -> None:
        while not self._ended.wait(_COUNT_SECONDS):
            try:
                if session is None:
                    answer = rawclient.connect(server.unix)
                    session = None if isinstance(answer, Refused) else answer
                else:
                    ours = int(session.query(OURS)[0][0] or 0)
                    counts.append(Count(time.monotonic(), ours))
            except (OSError, QueryError):  # the server is down, frozen, or has ended the session
                if session is not None:
                    session.close(abruptly=True)
                session = None
        if session is not None:
            session.close(abruptly=True)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def states(self) -> list[str]:
        """The states that the pages showed, in order, without repetition."""
        return [state for state, _ in groupby(look.state for look in self.looks)]

    @property
    def most_connections(self) -> int:
        """The most of ours that one server had at once."""
        return max((count.ours for counts in self.counts for count in counts), default=0)

    @property
    def longest_two_seconds(self) -> float:
        """For how long a server had more than one of ours, at the longest."""
        return max((seconds for counts in self.counts for seconds in _crowded(counts)), default=0.0)

    @property
    def longest_calm_gap_seconds(self) -> float:
        """The longest time in which the pages showed no new sample of the calm server."""
        return _longest_pause([(look.at, look.calm) for look in self.looks])

    @property
    def blind_seconds(self) -> float:
        """The longest time in which the pages showed no new sample of the faulty server."""
        return _longest_pause([(look.at, look.faulty) for look in self.looks])


def _crowded(counts: Sequence[Count]) -> Iterator[float]:
    for crowded, group in groupby(counts, key=lambda count: count.ours > 1):
        if crowded:
            times = [count.at for count in group]
            yield times[-1] - times[0]


def _longest_pause(seen: Sequence[tuple[float, float]]) -> float:
    """Return the longest time between two changes of a value, the beginning and end included."""
    news = [seen[0][0]]
    news += [later[0] for earlier, later in pairwise(seen) if earlier[1] != later[1]]
    return max(later - earlier for earlier, later in pairwise([*news, seen[-1][0]]))


def _counter(server: Postgres) -> Session:
    """Return a superuser's session; clients that are about to be refused may hold its slot."""

    def admitted() -> Session | None:
        answer = rawclient.connect(server.unix)
        return None if isinstance(answer, Refused) else answer

    return until(admitted, _COUNTER_SECONDS, "slot for the session that counts")
