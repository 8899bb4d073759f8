"""Converts signs of activity to fields of a recorded sample's line, and back.

``"commits": 5120000`` (transactions committed so far, in all databases), ``"opened": 4711``
(sessions opened so far, in all databases), ``"idle_transaction": 12.5`` (for how many seconds the
session that waits longest in the middle of a transaction has been idle), ``"young": [["api", 12,
20, 36]]`` (by application name, how many of its connections are younger than 60 s, 300 s and
1800 s, each count being part of the next; applications without any are left out, and an empty list
says that there is no young connection). Each of the four is left out where it is not known. All are
as of when the connections were told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from pgheadroom.model.activity import MOST_COUNTED, Activity, Young, Younger
from pgheadroom.model.reading import Group

Refuse = Callable[[str, str, object], NoReturn]
"""Raises a RecordingError: what must be what, and what it is."""
Checked = Callable[[str, object], Any]
"""Checks a value that is called so, and returns it; raises RecordingError."""
RowOf = Callable[[object, object, object, object], tuple[str, Young]]
"""Checks one row, as `young_row` does, and perhaps remembers it: most lines repeat the last one."""

_DIGITS = 3
_IDLE = "idle_transaction"
_ROWS = "a list of [application_name, younger than 60 s, 300 s, 1800 s]"


def fields_of(activity: Activity | None, younger: Younger | None) -> dict[str, Any]:
    """Return what stands for *activity* and *younger* in a line; nothing where neither is known."""
    fields: dict[str, Any] = {}
    if activity is not None:
        commits, opened, idle = activity
        fields = {"commits": commits, "opened": opened}
        fields[_IDLE] = None if idle is None else round(idle, _DIGITS)
    if younger is not None:
        fields["young"] = [[name, *young] for name, young in younger.items()]
    return {key: value for key, value in fields.items() if value is not None}


def activity_of(fields: dict[str, Any], seconds: Checked, refuse: Refuse) -> Activity | None:
    """Return what *fields* say of activity, None if nothing; raises what the checks raise."""
    found = Activity(
        commits=_counter("commits", fields["commits"], refuse) if "commits" in fields else None,
        opened=_counter("opened", fields["opened"], refuse) if "opened" in fields else None,
        idle_transaction_seconds=seconds(_IDLE, fields[_IDLE]) if _IDLE in fields else None,
    )
    return None if found == Activity() else found


def younger_of(rows: object, groups: Sequence[Group], row_of: RowOf, refuse: Refuse) -> Younger:
    """Return what *rows* say of the young connections among *groups*; raises RecordingError."""
    if not isinstance(rows, list):
        refuse("young", _ROWS, rows)
    most: dict[str, int] = {}
    if rows:
        for group in groups:
            name = group.application_name
            most[name] = most.get(name, 0) + group.count
    younger: dict[str, Young] = {}
    for row in rows:
        try:
            name, young = row_of(*row)
        except TypeError:  # another number of values, or a list among them, which no cache takes
            refuse("young", _ROWS, row)
        if young[-1] > most.get(name, 0):
            refuse("a count in young", f"at most {most.get(name, 0)}, as in connections", young[-1])
        younger[name] = young
    if len(younger) < len(rows):
        refuse("young", "a list that has each application once", rows)
    return younger


def young_row(
    name: object, counts: tuple[object, ...], counted: Checked, worded: Checked, refuse: Refuse
) -> tuple[str, Young]:
    """Return the application and the *counts* of one row; raises RecordingError."""
    worded("an application_name in young", name)
    least, less, young = (counted("a count in young", count) for count in counts)
    if not least <= less <= young:
        refuse("each count in young", "part of the next", [*counts])
    return str(name), (least, less, young)


def _counter(what: str, value: object, refuse: Refuse) -> int:
    if type(value) is not int or not 0 <= value <= MOST_COUNTED:
        refuse(what, f"a whole number from 0 to {MOST_COUNTED}", value)
    return value
