"""Says what to do where one session blocks many: then no pool is to blame."""

from __future__ import annotations

from pgheadroom.durations import duration
from pgheadroom.model.blockers import CLIENT, PREPARED, Blocker
from pgheadroom.state import State
from pgheadroom.status.remedy import Remedy

_MANY, _MANY_RATIO = 5, 0.1
"""So many sessions, and this share of the ordinary slots, are no everyday queue."""
_FRESH_SECONDS = 60.0
"""What was seen so long ago may be over."""


def blocker(state: State) -> Blocker | None:
    """Return who blocks a good part of the sessions of *state*; None where nobody does."""
    found = state.blockers
    if found is None or state.sample is None or state.sample.at - found.at > _FRESH_SECONDS:
        return None
    root = found.roots[0]
    return root if root.blocks >= max(_MANY, _MANY_RATIO * state.usage.limit) else None


def unblock(root: Blocker) -> str:
    """Return the first thing to do about *root*, in a sentence or two."""
    who = f"{root.application_name or root.kind} (pid {root.pid})"
    how = f"is {root.state}"
    if root.kind == PREPARED:
        who, how = "A prepared transaction", "is neither committed nor rolled back"
    if root.transaction_seconds is not None:
        how += f" for {duration(round(root.transaction_seconds))}"
    cure = "Commit it or roll it back" if root.kind == PREPARED else "End its transaction"
    return (
        f"{who} {how} and blocks {root.blocks} sessions that wait for its locks. {cure} first:"
        " the others then go on by themselves."
    )


def unblocking(state: State) -> list[Remedy]:
    """Return the statement that ends who blocks many sessions of *state*, if that can be said."""
    root = blocker(state)
    if root is None or root.kind != CLIENT or root.transaction_seconds is None:
        return []
    does = (
        f"Ends the session with pid {root.pid}, which blocks {root.blocks} others, if it is still"
        " in the same transaction; that is rolled back."
    )
    lines = [
        "SELECT pid, usename AS role, datname AS database, state, now() - xact_start AS age,",
        "       pg_catalog.pg_terminate_backend(pid) AS ended",
        "FROM pg_catalog.pg_stat_activity",
        "WHERE backend_type = 'client backend'",
        f"  AND pid = {root.pid:d}",
        f"  AND xact_start < now() - interval '{int(root.transaction_seconds):d} seconds';",
    ]
    return [Remedy(f"end what blocks {root.blocks} sessions", does, "\n".join(lines))]
