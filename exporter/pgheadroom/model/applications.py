"""Counts connections by application, and elects which applications get series of their own.

At most N names at a time, and the same ones as long as possible: a page whose members change with
every sample costs Prometheus more than one that is twice as long. The rest is summed in ``other``.
The use of many more is followed, so that one that climbs is known by name; an application that an
alert names always has a place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from functools import partial
from operator import add
from typing import NamedTuple, TypeVar

from pgheadroom.model.names import OTHER, UNNAMED
from pgheadroom.model.reading import Group, Sample

STARTING = "starting"

Holder = tuple[str, str, str]
"""The name of an application, a database and a role."""

_MOST_HOLDERS = 200
_FOLLOWED = 4
"""How many applications are followed for each one that has series of its own."""

Key = TypeVar("Key", bound=Hashable)
Figure = TypeVar("Figure", int, float)


class Applications(NamedTuple):
    """The connections of each application by state, names folded and bounded."""

    counts: Mapping[tuple[str, str], int] = {}
    """Connections by (name, state)."""
    totals: Mapping[str, int] = {}
    """Connections by name."""
    oldest_seconds: Mapping[str, float] = {}
    """Age of the oldest connection by name, where it can be seen."""
    in_other: int = 0
    """Names that are summed in ``other``."""
    rewritten: int = 0
    """Names, as clients gave them, that folding changed."""
    members: Mapping[str, float] = {}
    """Names with series of their own, and when each was last seen, in seconds since the epoch."""
    by_holder: Mapping[Holder, int] = {}
    """Connections by name, database and role, where those are known."""
    tracked: Mapping[str, int] = {}
    """Connections by name of all applications that are followed ..."""
    followed: Mapping[str, float] = {}
    """... and when each was last seen, in seconds since the epoch."""


def count(  # noqa: PLR0913 - the one place where all of it meets
    groups: tuple[Group, ...],
    hidden: int,
    fold: Callable[[str], str],
    *,
    before: Applications,
    at: float,
    most: int,
    named: Callable[[], Collection[str]] = frozenset,
    absence_seconds: float = 600.0,
) -> Applications:
    """Sum *groups* by folded name, at most *most* names beside ``other``; *named* come first.

    Who is *named* is asked for only where places may be short. A login under way has no name yet:
    the *hidden* ones are ``unnamed``, in state ``starting``, so that the counts add up to the slots
    in use.
    """
    totals: dict[str, int] = {}
    counts: dict[tuple[str, str], int] = {}
    oldest: dict[str, float] = {}
    by_holder: dict[Holder, int] = {}
    rewritten: set[str] = set()
    for group in groups:
        raw_name, held, age = group.application_name, group.count, group.oldest_seconds
        name = fold(raw_name)
        totals[name] = totals.get(name, 0) + held
        key = name, group.state
        counts[key] = counts.get(key, 0) + held
        if age is not None and age > oldest.setdefault(name, 0.0):
            oldest[name] = age
        if group.role:
            holder = name, group.database, group.role
            by_holder[holder] = by_holder.get(holder, 0) + held
        if name != raw_name:
            rewritten.add(raw_name)
    choose = partial(elect, totals, at=at, absence_seconds=absence_seconds)
    members = choose(before.members, most=most, named=named)
    followed = choose(before.followed, most=_FOLLOWED * most)
    tracked = totals
    # `unnamed` always has its place: logins in progress are counted there.
    others = {name for name in totals if name not in members and name != UNNAMED}
    if others:
        named_now = followed.keys() | {UNNAMED}
        tracked = _summed(
            ((name if name in named_now else OTHER, n) for name, n in totals.items()), add
        )
        shown_as = {name: OTHER if name in others else name for name in totals}
        counts = _summed((((shown_as[name], state), n) for (name, state), n in counts.items()), add)
        totals = _summed(((shown_as[name], n) for name, n in totals.items()), add)
        oldest = _summed(((shown_as[name], age) for name, age in oldest.items()), max)
        by_holder = _summed(
            (((shown_as[name], d, r), n) for (name, d, r), n in by_holder.items()), add
        )
    if hidden:
        counts[UNNAMED, STARTING] = counts.get((UNNAMED, STARTING), 0) + hidden
        totals[UNNAMED] = totals.get(UNNAMED, 0) + hidden
        if tracked is not totals:
            tracked[UNNAMED] = totals[UNNAMED]
    return Applications(
        counts,
        totals,
        oldest,
        len(others - {OTHER}),
        len(rewritten),
        members,
        _biggest(by_holder, named),
        tracked,
        followed,
    )


def unattributed(sample: Sample, applications: Applications) -> int:
    """Return how many places in use belong to nobody that is known yet.

    Who holds them is as of ``sample.holders.at``, and their number as of ``sample.at``: whoever
    came in between is counted, and not named. *applications* are those of *sample*.
    """
    return max(0, sample.main.used - sum(applications.totals.values()))


def _biggest(
    by_holder: dict[Holder, int], named: Callable[[], Collection[str]]
) -> Mapping[Holder, int]:
    """Return at most 200 of *by_holder*; the smallest of more are summed in ``other``.

    Those of applications that are *named* in an alert come first.
    """
    if len(by_holder) <= _MOST_HOLDERS:
        return by_holder
    first = named()
    ordered = sorted(
        by_holder, key=lambda holder: (holder[0] not in first, -by_holder[holder], holder)
    )
    biggest = {holder: by_holder[holder] for holder in ordered[: _MOST_HOLDERS - 1]}
    rest = sum(by_holder[holder] for holder in ordered[_MOST_HOLDERS - 1 :])
    return _summed([*biggest.items(), ((OTHER, OTHER, OTHER), rest)], add)


def _summed(
    pairs: Iterable[tuple[Key, Figure]], both: Callable[[Figure, Figure], Figure]
) -> dict[Key, Figure]:
    summed: dict[Key, Figure] = {}
    for key, figure in pairs:
        summed[key] = both(summed[key], figure) if key in summed else figure
    return summed


def elect(
    totals: Mapping[str, int],
    before: Mapping[str, float],
    *,
    at: float,
    most: int,
    absence_seconds: float,
    named: Callable[[], Collection[str]] = frozenset,
) -> dict[str, float]:
    """Return who has series of their own now, and when each was last seen.

    Who had them keeps them while it is there and for *absence_seconds* afterwards. When all
    *most* places are taken, a newcomer displaces the smallest member only with more than twice
    its connections; so the page holds who matters, and two of like size do not take turns. Those
    *named* in an alert get a place whatever they hold, and keep it.
    """
    if totals.keys() == before.keys() and all(totals.values()):
        return dict.fromkeys(before, at)
    members = {
        name: at if totals.get(name) else seen_at
        for name, seen_at in before.items()
        if totals.get(name) or 0 <= at - seen_at <= absence_seconds
    }
    newcomers = [name for name in totals if name not in members and name not in (OTHER, UNNAMED)]
    if not newcomers:
        return members
    first = named()
    for name in sorted(newcomers, key=lambda name: (name not in first, -totals[name], name)):
        if len(members) >= most:
            weakest = min(
                (member for member in members if member not in first),
                key=lambda member: (totals.get(member, 0), members[member]),
                default=None,
            )
            if weakest is None:
                break
            if name not in first and totals[name] <= 2 * totals.get(weakest, 0) + 1:
                break
            del members[weakest]
        members[name] = at
    return members
