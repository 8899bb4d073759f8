"""Defines who blocks the sessions that wait for locks, and finds the roots of their queues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

FEWEST_WAITING = 2
"""From so many on it is asked who blocks them: one session that waits is every server's daily
business and holds one slot; two at the same moment are a queue, and a queue takes slots."""

_MOST_ROOTS = 5

CLIENT = "client backend"
PREPARED = "prepared transaction"
"""Kinds of processes, as ``backend_type`` calls them; the second is no process at all."""

PREPARED_PID = 0
"""What PostgreSQL says where it is a prepared transaction that blocks."""


class Locker(NamedTuple):
    """A session that waits for a lock, or for which another one waits."""

    pid: int
    kind: str
    application_name: str
    role: str
    database: str
    state: str
    transaction_seconds: float | None
    wait_seconds: float | None
    """None where it waits for no lock."""


class Blocker(NamedTuple):
    """A session that waits for nobody's lock, and for which others wait: the root of a queue."""

    pid: int
    """0 for a prepared transaction: it has no process."""
    kind: str
    """``client backend``, ``autovacuum worker``, ``prepared transaction`` and so on, as the server
    calls it; empty where our role may not see it."""
    application_name: str
    """As the client gave it."""
    role: str
    database: str
    """Both empty where there is none, or it is not known."""
    state: str
    """``active``, ``idle in transaction`` and so on; ``prepared`` for a prepared transaction."""
    transaction_seconds: float | None
    """For how long its transaction has been open, or prepared; None where there is none (a lock of
    a session needs none), or where it is not known."""
    blocks: int
    """Sessions that wait for it, directly or through others; of those that were looked at."""
    longest_wait_seconds: float
    """How long the one of them has waited that has waited longest, for whomever."""
    applications: tuple[tuple[str, int], ...]
    """Those sessions by application, those with most first; by kind where it is no client."""


class Blockers(NamedTuple):
    """Who waits for a lock, and on whom, at one moment."""

    at: float
    """When the answer was in, in seconds since the epoch by our clock."""
    waiting: int = 0
    """Processes that wait for a lock."""
    looked_at: int = 0
    """How many of them were looked at; where it is fewer, what *roots* count is the least."""
    roots: tuple[Blocker, ...] = ()
    """At most five, those who block most first. Who waits in a circle has none."""

    def folded(self, fold: Callable[[str], str]) -> Blockers:
        """Return it with the applications that wait called as *fold* calls them."""
        return self._replace(
            roots=tuple(
                root._replace(
                    applications=_counted((fold(name), count) for name, count in root.applications)
                )
                for root in self.roots
            )
        )


def blockers(
    at: float,
    waiting: int,
    edges: Mapping[int, frozenset[int]],
    lockers: Mapping[int, Locker],
) -> Blockers:
    """Return who blocks whom: by *edges*, from each session that was looked at to its blockers.

    *waiting* is how many processes wait in all. A session that is not among *lockers* has left.
    """
    blocking = {pid: found - {pid} for pid, found in edges.items()}
    waits = {pid for pid, found in blocking.items() if found}
    further = {pid: found & waits for pid, found in blocking.items()}
    # One that waits, and was not looked at, is no root: it was not followed to the end.
    ends = {
        pid
        for pid, one in lockers.items()
        if pid not in waits and (pid in edges or one.wait_seconds is None)
    }
    blocked: dict[int, list[Locker]] = {}
    for pid in waits & lockers.keys():
        through = _reached(pid, further)
        for end in set().union(*(blocking[one] for one in through)) & ends:
            blocked.setdefault(end, []).append(lockers[pid])
    roots = [_blocker(lockers[pid], those) for pid, those in blocked.items()]
    roots.sort(key=lambda one: (-one.blocks, -(one.transaction_seconds or 0.0), one.pid))
    return Blockers(at, waiting, len(edges), tuple(roots[:_MOST_ROOTS]))


def _reached(pid: int, further: Mapping[int, AbstractSet[int]]) -> set[int]:
    """Return *pid* and for whom it waits, directly or through others, as far as those wait too."""
    seen, following = {pid}, {pid}
    while following:
        following = set().union(*(further[one] for one in following)) - seen
        seen |= following
    return seen


def _blocker(root: Locker, blocked: list[Locker]) -> Blocker:
    return Blocker(
        root.pid,
        root.kind,
        root.application_name,
        root.role,
        root.database,
        root.state,
        root.transaction_seconds,
        blocks=len(blocked),
        longest_wait_seconds=max(one.wait_seconds or 0.0 for one in blocked),
        applications=_counted((_called(one), 1) for one in blocked),
    )


def _called(locker: Locker) -> str:
    return locker.application_name if locker.kind in (CLIENT, "") else locker.kind


def _counted(found: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for name, count in found:
        counts[name] += count
    return tuple(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
