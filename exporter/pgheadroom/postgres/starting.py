"""Distinguishes logins in progress from other processes that are starting.

A process that starts holds the lock of its virtual transaction before it has a row in
``pg_stat_activity``. Up to PostgreSQL 16 nothing says then whether it is a login, which holds a
connection slot, or a parallel worker, an autovacuum worker or a walsender, which do not. A moment
later it is known: the process has a row that names its kind, or it is gone, or it is still
starting, and then it is a login: only a login waits for a client.

So starting processes are looked at again, after some milliseconds first and then less often, until
one look is explained. Pure: time is an argument.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

_PATIENCE_SECONDS = 0.25
"""What is starting for so long is a login, ..."""
_LONG_PATIENCE_SECONDS = 1.5
"""... or for so long, if something else has been starting lately: two dozen parallel workers that
start at once on a busy server take hundreds of milliseconds."""
_LATELY_SECONDS = 60.0
_SOON_SECONDS = 0.1
"""What was starting for less than this before it was gone is soon forgotten: a login that was
refused, or a worker that had little to do. Its slot, if it had one, is free again."""
_FIRST_PAUSE_SECONDS = 0.01
_CHEAP_SLOTS = 500
"""A look at a server of this many slots costs half a millisecond. One of twice as many is looked at
again only when what was gone soon is forgotten, so that mostly one more look is enough."""


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
    """The number of the look, from 0, that is explained best."""
    logins: int
    """How many of those that were starting then were logins."""
    sure: bool
    """Whether no other process of that look may have been a login."""


class _Was(enum.Enum):
    LOGIN = enum.auto()
    OTHER = enum.auto()
    GONE_SOON = enum.auto()
    GONE_LATE = enum.auto()


class Logins:
    """What is known of the processes that are starting, from one sample to the next."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._seen_at = 0.0
        self._looks: list[frozenset[int]] = []
        self._began = 0.0
        self._most_seconds = _LONG_PATIENCE_SECONDS
        self._other_at = float("-inf")
        self._verdicts: dict[int, _Was] = {}

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
        self._most_seconds = most_seconds
        self._since = {pid: since for pid, since in self._since.items() if pid in starting.pids}
        self._take(starting.pids, now)

    def again(self, starting: Starting, now: float) -> None:
        """Take one more look at *now*."""
        for pid in [*self._since]:
            if pid in starting.pids:
                continue
            since = self._since.pop(pid)
            if pid not in self._verdicts:
                self._verdicts[pid] = self._what_was(pid, since, starting)
                if self._verdicts[pid] is not _Was.LOGIN:
                    self._other_at = now
        self._take(starting.pids, now)

    def answer(self, now: float) -> Answer | None:
        """Return the newest look that is explained, or None while another look is worthwhile.

        A look in which something was starting that is gone now is second best, and good enough
        after a while, if it was gone soon.
        """
        soon: Answer | None = None
        late: Answer | None = None
        for number in range(len(self._looks) - 1, -1, -1):
            verdicts = [self._verdicts.get(pid) for pid in self._looks[number]]
            if None in verdicts:
                continue
            answer = Answer(number, verdicts.count(_Was.LOGIN), _Was.GONE_LATE not in verdicts)
            if answer.sure and _Was.GONE_SOON not in verdicts:
                return answer
            if answer.sure:
                soon = soon or answer
            else:
                late = late or answer
        passed = now - self._began
        if passed >= self._patience(now):
            return soon or late
        return soon if passed >= _SOON_SECONDS else None

    def pauses(self, max_connections: int) -> Iterator[float]:
        """Yield how many seconds to wait before each further look: twice as long each time."""
        pause = _FIRST_PAUSE_SECONDS
        if max_connections > _CHEAP_SLOTS:
            dear = min(1.0, max_connections / _CHEAP_SLOTS - 1.0)
            pause += dear * (_SOON_SECONDS - _FIRST_PAUSE_SECONDS)
        while True:
            yield min(pause, _PATIENCE_SECONDS)
            pause *= 2

    def _take(self, pids: frozenset[int], now: float) -> None:
        patience = self._patience(now)
        self._looks.append(pids)
        self._seen_at = now
        for pid in pids:
            since = self._since.setdefault(pid, now)
            if now - since >= patience:
                self._verdicts[pid] = _Was.LOGIN

    def _what_was(self, pid: int, since: float, starting: Starting) -> _Was:
        if pid in starting.clients:
            return _Was.LOGIN
        if pid in starting.listed:
            return _Was.OTHER
        soon = self._seen_at - since < _SOON_SECONDS
        return _Was.GONE_SOON if soon else _Was.GONE_LATE

    def _patience(self, now: float) -> float:
        lately = now - self._other_at < _LATELY_SECONDS
        return min(_LONG_PATIENCE_SECONDS if lately else _PATIENCE_SECONDS, self._most_seconds)
