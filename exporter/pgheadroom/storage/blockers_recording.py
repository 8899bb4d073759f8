"""Converts who blocks whom to a field of a recorded sample's line, and back.

``"blockers": {"time": 1767225599.9, "waiting": 3, "looked_at": 3, "roots": [[4711, "client
backend", "report", "app", "shop", "idle in transaction", 60.5, 3, 9.1, [["api", 3]]]]}``; each root
is ``[pid, kind, application_name, role, database, state, seconds in its transaction or null,
sessions that wait for it, seconds that the first of them has waited, [[application that waits,
sessions]]]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgheadroom.model.blockers import Blocker, Blockers

Checked = Callable[[str, object], Any]
"""Checks a value that is called so, and returns it; raises RecordingError."""

_DIGITS = 3
_LARGEST_PID = 2**31 - 1


def field_of(blockers: Blockers) -> dict[str, Any]:
    """Return what stands for *blockers* in a line."""
    return {
        "time": round(blockers.at, _DIGITS),
        "waiting": blockers.waiting,
        "looked_at": blockers.looked_at,
        "roots": [
            [
                *(root.pid, root.kind, root.application_name, root.role, root.database, root.state),
                None
                if root.transaction_seconds is None
                else round(root.transaction_seconds, _DIGITS),
                root.blocks,
                round(root.longest_wait_seconds, _DIGITS),
                root.applications,
            ]
            for root in blockers.roots
        ],
    }


def blockers_of(field: Any, counted: Checked, worded: Checked, seconds: Checked) -> Blockers:  # noqa: ANN401 - foreign
    """Return what *field* stands for; raises what the checks raise, or TypeError or ValueError."""
    if not isinstance(field, dict):
        raise TypeError
    return Blockers(
        at=seconds("the time of blockers", field.get("time")),
        waiting=counted("waiting in blockers", field.get("waiting")),
        looked_at=counted("looked_at in blockers", field.get("looked_at")),
        roots=tuple(_root(row, counted, worded, seconds) for row in field["roots"]),
    )


def _root(row: Any, counted: Checked, worded: Checked, seconds: Checked) -> Blocker:  # noqa: ANN401 - foreign
    pid, kind, name, role, database, state, in_transaction, blocks, longest, applications = row
    return Blocker(
        pid=_pid(pid),
        kind=worded("a blocker's kind", kind),
        application_name=worded("a blocker's application_name", name),
        role=worded("a blocker's role", role),
        database=worded("a blocker's database", database),
        state=worded("a blocker's state", state),
        transaction_seconds=None
        if in_transaction is None
        else seconds("a blocker's transaction", in_transaction),
        blocks=counted("what a blocker blocks", blocks),
        longest_wait_seconds=seconds("a blocker's longest wait", longest),
        applications=tuple(
            (
                worded("an application that waits", waits),
                counted("sessions of an application that waits", count),
            )
            for waits, count in applications
        ),
    )


def _pid(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST_PID:
        raise ValueError
    return value
