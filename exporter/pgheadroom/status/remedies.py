"""Makes the statements to copy into psql: to see, end or cap what takes the slots."""

from __future__ import annotations

from pgheadroom.judge.blame import taker
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.names import UNNAMED
from pgheadroom.state import State
from pgheadroom.status.cap import cap
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.console import commands
from pgheadroom.status.locks import unblocking
from pgheadroom.status.quoting import WILD
from pgheadroom.status.remedy import Remedy
from pgheadroom.status.sessions import Sessions, sessions_of

_COLUMNS = "pid, usename AS role, datname AS database, client_addr AS address"
_AGE = "date_trunc('second', now() - backend_start) AS age"
_IDLE_TIME = (
    "CASE WHEN state LIKE 'idle%' THEN date_trunc('second', now() - state_change) END AS idle"
)
_IDLE, _IN_TRANSACTION = "state = 'idle'", "state LIKE 'idle in transaction%'"


def remedies(state: State) -> tuple[Remedy, ...]:
    """Return what may be done about the target of *state*; about who blocks many, before all.

    Of a server then, what changes least first: about the application that takes slots, or holds
    most when it is critical. Only names that a reading told are in it.
    """
    if state.kind is TargetKind.PGBOUNCER:
        return tuple(commands(state))
    first, who = unblocking(state), taker(state)
    if who is None or not (who.took or condition(state) is Condition.CRITICAL):
        return tuple(first)
    name = who.application_name
    found = sessions_of(state, name)
    if found is None:
        return tuple(first)
    return (*first, _see(name, found), *_endings(name, found), *cap(state, who, found))


def _see(name: str, found: Sessions) -> Remedy:
    told = ", application_name" if WILD in name else ""
    lines = [
        f"SELECT {_COLUMNS}{told}, state,",
        f"       {_AGE},",
        f"       {_IDLE_TIME}",
        *_where(found.conditions),
        "ORDER BY state <> 'idle', state_change",
        "LIMIT 50;",
    ]
    does = (
        f"Lists up to 50 {_of(name, found)}, the longest idle first; it changes nothing. Ask as a"
        " superuser, or it may find none."
    )
    if found.ending is None:
        does += " The name is too vague to end sessions by: others may bear it, too."
    return Remedy("see its sessions", does, "\n".join(lines))


def _endings(name: str, found: Sessions) -> list[Remedy]:
    if found.ending is None:
        return []
    every = f"Ends all {_of(name, found)} that"
    ended = [
        Remedy(
            "end its idle sessions",
            f"{every} have been idle for more than 10 s; no transaction is lost, but its pools"
            " refill at once unless the application is stopped first.",
            _end(found, found.ending, _IDLE, "10 seconds"),
        )
    ]
    if any(group.state.startswith("idle in transaction") for group in found.groups):
        does = (
            f"{every} have waited for more than a minute within a transaction, which is rolled"
            " back: what it has done is lost."
        )
        statement = _end(found, found.ending, _IN_TRANSACTION, "1 minute")
        ended.append(Remedy("end its forgotten transactions", does, statement))
    return ended


def _end(found: Sessions, ending: tuple[str, ...], idle: str, longest: str) -> str:
    conditions = (
        *found.conditions,
        *ending,
        idle,
        f"state_change < now() - interval '{longest}'",
        "pid <> pg_backend_pid()",
    )
    # By its full name: who may create functions could have one that fits better.
    ends = f"SELECT {_COLUMNS},\n       pg_catalog.pg_terminate_backend(pid) AS ended"
    return "\n".join([ends, *_where(conditions)]) + ";"


def _where(conditions: tuple[str, ...]) -> list[str]:
    return [
        "FROM pg_catalog.pg_stat_activity",
        "WHERE backend_type = 'client backend'",
        *(f"  AND {condition}" for condition in conditions),
    ]


def _of(name: str, found: Sessions) -> str:
    words = "sessions without a name" if name == UNNAMED else f"sessions of {name}"
    if found.anywhere:
        words += f" (of any {' and '.join(found.anywhere)}: not known, or too many)"
    return words
