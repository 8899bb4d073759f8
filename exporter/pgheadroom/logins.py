"""Tells logins under way from other processes that are starting, on PostgreSQL 14 to 16.

A process that starts holds the lock of its virtual transaction before it has a row in
``pg_stat_activity``. Up to PostgreSQL 16 nothing says then whether it is a login, which holds a
connection slot, or a parallel worker, an autovacuum worker or a walsender, which do not. A moment
later it is known: the process has a row that names its kind, or it is gone, or it is still
starting, and then it is a login: only a login waits for somebody.

So whoever is starting is looked at again, after a few milliseconds first and then less often,
until one look is explained in full. Pure: time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_LEAST_PATIENCE_SECONDS = 0.25
_MOST_PATIENCE_SECONDS = 1.5
_LOOKS_PATIENCE = 20
"""A process that takes longer to start than so many of our looks is a login: on a server that is
short of processors, both our looks and the start of a worker take longer."""
_FIRST_PAUSE_SECONDS = 0.004
_SLOTS_PER_FIRST_PAUSE = 250
"""A look at a server of this many slots costs a quarter of a millisecond. Larger servers are looked
at again after a longer pause, and so less often."""


class Starting(NamedTuple):
    """What one look tells of the processes that have no row in ``pg_stat_activity`` yet."""

    pids: frozenset[int] = frozenset()
    """Those that are starting."""
    clients: frozenset[int] = frozenset()
    """Of the pids that were asked about: those that have the row of a client backend now."""
    listed: frozenset[int] = frozenset()
    """Of the pids that were asked about: those that have a row of any kind now."""


class Answer(NamedTuple):
    """What the looks have told."""

    look: int
    """The number of the look, from 0, that is explained."""
    logins: int
    """How many of those that were starting then were logins."""


class Logins:
    """What is known of the processes that are starting, from one sample to the next."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._looks: list[frozenset[int]] = []
        self._began = 0.0
        self._patience = 0.0
        self._most_patience = _MOST_PATIENCE_SECONDS
        self._verdicts: dict[int, bool | None] = {}

    @property
    def unexplained(self) -> tuple[int, ...]:
        """The pids to ask about in the next look, in order."""
        return tuple(sorted(pid for pid in self._since if pid not in self._verdicts))

    def begin(self, starting: Starting, now: float, most_seconds: float) -> None:
        """Take the first look of a sample at *now*, in seconds of a clock that never steps back.

        *most_seconds* is how long the looks of this sample may go on.
        """
        self._looks = []
        self._verdicts = {}
        self._began = now
        self._most_patience = min(_MOST_PATIENCE_SECONDS, most_seconds)
        self._patience = min(_LEAST_PATIENCE_SECONDS, self._most_patience)
        self._since = {pid: since for pid, since in self._since.items() if pid in starting.pids}
        self._take(starting.pids, now)

    def again(self, starting: Starting, now: float, duration_seconds: float) -> None:
        """Take one more look, which took *duration_seconds*."""
        patience = max(self._patience, _LOOKS_PATIENCE * duration_seconds)
        self._patience = min(self._most_patience, patience)
        for pid in [*self._since]:
            if pid in starting.pids:
                continue
            del self._since[pid]
            if pid not in self._verdicts:
                self._verdicts[pid] = (pid in starting.clients) if pid in starting.listed else None
        self._take(starting.pids, now)

    def answer(self, now: float) -> Answer | None:
        """Return the newest look that is explained, or None while another look is worthwhile.

        A process that was gone before it had a row leaves its look unexplained. When there is no
        better look in the end, what is gone is not counted: its slot is free again, if it had one.
        """
        explained: Answer | None = None
        for number in range(len(self._looks) - 1, -1, -1):
            verdicts = [self._verdicts.get(pid, ...) for pid in self._looks[number]]
            if ... in verdicts:
                continue
            answer = Answer(number, verdicts.count(True))
            if None not in verdicts:
                return answer
            explained = explained or answer
        return explained if now - self._began >= self._patience else None

    def pauses(self, max_connections: int) -> Iterator[float]:
        """Yield how many seconds to wait before each further look, each twice the one before.

        The last of them ends when the first look must be explained.
        """
        pause = _FIRST_PAUSE_SECONDS * max(1.0, max_connections / _SLOTS_PER_FIRST_PAUSE)
        while True:
            yield min(pause, self._patience)
            pause *= 2

    def _take(self, pids: frozenset[int], now: float) -> None:
        self._looks.append(pids)
        for pid in pids:
            since = self._since.setdefault(pid, now)
            if now - since >= self._patience:
                self._verdicts[pid] = True
