"""Finds what is wrong with a pooler's queues: one that will not drain, and a forgotten PAUSE."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from pgheadroom.durations import duration
from pgheadroom.forecast.queues import Queue
from pgheadroom.judge.finding import Finding, Words
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.model.capacity import Scope
from pgheadroom.model.names import OTHER
from pgheadroom.model.pooler import Pool, PoolerFacts
from pgheadroom.model.reading import Outcome
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State

_LEAST_CLIENTS = 2
"""One that waits alone may wait for a long statement of its own application."""
_ALONE = 2.0
"""One that waits alone pages when it has waited this many times as long ..."""
_OF_TIMEOUT = 0.9
"""... but before it is cut off: this share of query_wait_timeout is as much as anybody waits."""
_RELEASE = 0.5
"""A queue that paged is over when its oldest client waits for less than this share of that."""
_STANDS = 0.9
"""Seconds that the longest wait grows by in each second while nobody is served, at least."""


def queue(state: State, _now: float) -> Iterator[Finding]:
    """Yield that clients wait in a pool that will not serve them in time; of several, the worst."""
    facts = None if state.sample is None else state.sample.facts
    if state.outcome is not Outcome.OK or not isinstance(facts, PoolerFacts) or not state.queues:
        return
    patience = _patience(facts, state.thresholds)
    bad = {scope: q for scope, q in state.queues.items() if _bad(q, patience, state.thresholds)}
    held = bad or {
        scope: q
        for scope, q in state.queues.items()
        if q.newest.longest_seconds >= _RELEASE * patience.seconds
        and q.newest.clients >= _LEAST_CLIENTS
    }
    if held:
        worst = max(held, key=lambda scope: (held[scope].newest.longest_seconds, scope.name))
        yield Finding(
            AlertName.QUEUE,
            Severity.CRITICAL,
            partial(_queue_words, state, facts, worst, len(held)),
            hysteresis=not bad,
        )


class _Patience(NamedTuple):
    """For how long a client waits before it is disconnected, or as good as refused."""

    seconds: float
    alone_seconds: float
    """The same where it waits alone."""


def _patience(facts: PoolerFacts, thresholds: Thresholds) -> _Patience:
    timeout = facts.config.wait_timeout_seconds
    end = math.inf if timeout is None else _OF_TIMEOUT * timeout
    usual = thresholds.queue_wait_seconds
    # Who is disconnected after a few seconds tells his application himself.
    alone = math.inf if end < thresholds.queue_hold_seconds else min(_ALONE * usual, end)
    return _Patience(min(usual, end), alone)


def _bad(queue: Queue, patience: _Patience, thresholds: Thresholds) -> bool:
    """Say whether *queue* will not drain: arrivals outrun departures, or nobody is served.

    Its oldest client has waited for *patience*, or will have within the horizon at the pace of the
    last seconds; and no fewer clients wait than before, or it is a burst that is being served.
    """
    hold, now = thresholds.queue_hold_seconds, queue.newest
    if now.clients < _LEAST_CLIENTS:
        return now.longest_seconds >= patience.alone_seconds
    if now.at - queue.since < hold and now.longest_seconds < patience.seconds:
        return False
    if now.clients < queue.before(hold).clients:
        # It is being served, or thrown out: then its oldest clients are about to be.
        return now.longest_seconds >= patience.alone_seconds
    if now.longest_seconds >= patience.seconds:
        return True
    # Over the whole time and over its end: a wait that has stopped growing is not extrapolated.
    growth = min(queue.growth(hold), queue.growth(hold / 3))
    left = patience.seconds - now.longest_seconds
    return growth > 0 and left <= growth * thresholds.queue_horizon_seconds


def _queue_words(state: State, facts: PoolerFacts, worst: Scope, number: int) -> Words:
    queue = state.queues[worst]
    now, then = queue.newest, queue.before(state.thresholds.queue_hold_seconds)
    database, role = worst.name
    words = (
        f"{state.target}: {_waits(now.clients)} for a server connection of pool {database}/{role},"
        f" the oldest for {duration(now.longest_seconds)}"
    )
    observed = now.at - then.at
    if observed >= 1:
        grown = now.longest_seconds - then.longest_seconds
        ago = duration(observed)
        stands = grown >= _STANDS * observed and now.clients >= then.clients
        words += f"; nobody was served in the last {ago}" if stands else ""
        words += f"; {then.clients} waited {ago} ago"
    words += f". {_cause(facts, database, role)} {_ending(facts)}"
    if number > 1:
        words += " One more pool queues." if number == 2 else f" {number - 1} more pools queue."  # noqa: PLR2004 - it and another
    return words, _foremost_waiter(state)


def _waits(clients: int) -> str:
    return "1 client waits" if clients == 1 else f"{clients} clients wait"


def _quoted(name: str) -> str:
    """Return *name* as PgBouncer's console takes it in an order."""
    plain = name.isascii() and name.replace("_", "").isalnum()
    return name if plain else '"' + name.replace('"', '""') + '"'


def _cause(facts: PoolerFacts, database: str, role: str) -> str:
    """Return why the queue is not served, as far as the pooler tells."""
    if facts.paused:
        return "The pooler is PAUSEd: RESUME lets clients go on."
    entry = next((one for one in facts.databases if one.name == database), None)
    if entry is not None and entry.paused:
        return f"The database is PAUSEd: RESUME {_quoted(database)} lets its clients go on."
    pool = next((p for p in facts.pools if (p.database, p.role) == (database, role)), Pool("", ""))
    held, size = pool.server_connections, pool.size
    if not held:
        paused = "" if facts.pause_known else ", or all of it is PAUSEd, which this version hides"
        return f"It has no server connection: the server does not let the pooler in{paused}."
    if size is not None and held >= size:
        all_of_it = "Its connection is" if held == 1 else f"All {held} server connections are"
        return f"{all_of_it} in use (pool_size {size})."
    most = "it may open any number" if size is None else f"pool_size is {size}"
    return (
        f"It has {held} server connections, though {most}: the server, max_db_connections or"
        " max_user_connections hold it back."
    )


def _ending(facts: PoolerFacts) -> str:
    timeout = facts.config.wait_timeout_seconds
    if facts.config.from_settings:
        return "Its exporter does not tell when they are disconnected."
    if timeout is None:
        return "Clients wait forever, because query_wait_timeout is 0."
    return f"Clients are disconnected after {duration(timeout)} (query_wait_timeout)."


def _foremost_waiter(state: State) -> str | None:
    """Return the application of which most clients wait; None where none is known to."""
    waiting = {
        name: count
        for (name, kind), count in state.applications.counts.items()
        if kind == "waiting" and name != OTHER
    }
    return max(waiting, key=lambda name: (waiting[name], name), default=None)


def paused(state: State, _now: float) -> Iterator[Finding]:
    """Yield that databases are paused or disabled: to their clients that looks like a hang."""
    facts = None if state.sample is None else state.sample.facts
    if state.outcome is not Outcome.OK or not isinstance(facts, PoolerFacts):
        return
    names = [one.name for one in facts.databases if one.paused or one.disabled]
    if facts.paused or names:
        words = partial(_paused_words, state.target, facts, names)
        hold = state.thresholds.paused_hold_seconds
        yield Finding(AlertName.PAUSED, Severity.WARNING, words, for_seconds=hold)


def _paused_words(target: str, facts: PoolerFacts, names: list[str]) -> Words:
    if facts.paused:
        return f"{target} is PAUSEd: its clients hang until somebody says RESUME.", None
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004 - as many as can be read
    return f"{target}: paused or disabled: {listed}; clients of it hang or are refused.", None
