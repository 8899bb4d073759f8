"""Finds the sessions of one application in a reading, and the conditions that find them in SQL."""

from __future__ import annotations

from typing import NamedTuple

from pgheadroom.model.applications import STARTING
from pgheadroom.model.names import OTHER, UNNAMED
from pgheadroom.model.reading import Group
from pgheadroom.state import State
from pgheadroom.status.quoting import WILD, fits, literal, pattern, tellable
from pgheadroom.text import escaped

_OURS = "pgheadroom"
"""The name of our own session (``postgres/login.py``)."""
_MOST_EXCEPTED = 20
_MOST_LISTED = 5
"""Of roles or databases: more are no help to a reader."""


class Sessions(NamedTuple):
    """The sessions of one application."""

    groups: tuple[Group, ...]
    """As a reading found them; empty where there is none to look into, as after a restart."""
    conditions: tuple[str, ...]
    """What is true of them in ``pg_stat_activity``, and of no others that are known."""
    ending: tuple[str, ...] | None
    """What must be true of one that is ended, too; None where others might be ended with them."""
    anywhere: tuple[str, ...]
    """What the conditions leave open: role, database."""

    def held_by(self, role: str) -> int:
        """Return how many of them are those of *role*."""
        return sum(group.count for group in self.groups if group.role == role)


def sessions_of(state: State, name: str) -> Sessions | None:
    """Return the sessions of the application that is told as *name*; None if SQL can't tell them.

    It can't tell what is summed in ``other``, nor what a rule of the user has given a name that no
    session has. We are no application.
    """
    if name == OTHER or state.sample is None:
        return None
    known = state.sample.holders.groups
    found = fitting = tuple(group for group in known if _is(name, group))
    excepted = list[str]()
    if WILD in name:
        # Not all that fits a pattern was folded into it.
        excepted = _others(state, name)
        found = tuple(one for one in found if not any(_is(other, one) for other in excepted))
    own = own_role(state)
    if known and all(one.role == own and one.application_name == _OURS for one in found):
        return None
    sure = WILD not in name or (
        sum(group.count for group in found) == _total(state, name)
        and len(excepted) <= _MOST_EXCEPTED
    )
    # Spaces at its ends are no part of a name.
    blanks = any(one.application_name != one.application_name.strip(" ") for one in fitting)
    column = "pg_catalog.btrim(application_name)" if blanks or excepted else "application_name"
    conditions = [
        _named(column, name),
        *(_named(column, other, but=True) for other in excepted[:_MOST_EXCEPTED]),
    ]
    anywhere = []
    for word, place, names in (
        ("role", "usename", {group.role for group in found}),
        ("database", "datname", {group.database for group in found}),
    ):
        if 0 < len(names) <= _MOST_LISTED and all(map(tellable, names)):
            conditions.append(_among(place, sorted(names)))
        else:
            anywhere.append(word)
    ours = fits(name, _OURS) and _OURS not in excepted
    ending = _ending(name, own if ours else None) if sure else None
    return Sessions(found, tuple(conditions), ending, tuple(anywhere))


def own_role(state: State) -> str:
    """Return the role that pgheadroom logs in with, as groups tell it; empty when not known."""
    if state.sample is None:
        return ""
    role = state.sample.postgres.server.role
    return escaped(role[1:-1].replace('""', '"') if role.startswith('"') else role)


def _ending(name: str, own: str | None) -> tuple[str, ...] | None:
    """Return what must be true of one of *name* that is ended: that it is not of our role, *own*.

    None if that is not known; *own* is None if ours is not called so.
    """
    if WILD in name and not any(map(str.isalnum, name)):
        return None  # whoever comes next may fit it
    if own is None:
        return ()
    return (f"usename <> {literal(own)}",) if tellable(own) else None


def _is(name: str, group: Group) -> bool:
    own = group.application_name.strip(" ")
    return not own if name == UNNAMED else fits(name, own)


def _named(column: str, name: str, *, but: bool = False) -> str:
    """Return the condition that *column* is the name that is told as *name*, *but* that it is not.

    In a literal a star is one only if it is a wild card.
    """
    if name != UNNAMED and WILD in name:
        return f"{column} {'NOT ' if but else ''}LIKE {pattern(name)}"
    return f"{column} {'<>' if but else '='} {literal('' if name == UNNAMED else name)}"


def _others(state: State, name: str) -> list[str]:
    """Return the applications whose sessions fit the pattern of *name*, and not the other way."""
    known = state.applications.tracked.keys() | state.applications.totals.keys()
    return sorted(
        other
        for other in known - {name, OTHER}
        if fits(name, "" if other == UNNAMED else other) and not fits(other, name)
    )


def _total(state: State, name: str) -> int:
    """Return how many sessions that have logged in were counted for *name*."""
    applications = state.applications
    total = applications.totals.get(name, applications.tracked.get(name, 0))
    return total - applications.counts.get((name, STARTING), 0)


def _among(column: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{column} = {literal(names[0])}"
    return f"{column} IN ({', '.join(map(literal, names))})"
