"""Makes the statement that caps the role of an application, and the one that takes it back."""

from __future__ import annotations

from collections import Counter
from math import floor
from operator import itemgetter

from pgheadroom.judge.blame import Taker
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.names import OTHER
from pgheadroom.model.reading import Sample
from pgheadroom.state import State
from pgheadroom.status.quoting import identifier
from pgheadroom.status.remedy import Remedy
from pgheadroom.status.sessions import Sessions, own_role

_NEARLY_ALL = 0.9
_LEAST_FREE = 3
_MOST_LIMITS = 100
"""So many roles with a limit are read (``postgres/queries/full.sql``): of others it is unknown."""
_MOST_NAMED = 3


def cap(state: State, who: Taker, found: Sessions) -> list[Remedy]:
    """Return a cap on the role of *who*, and what takes it back.

    Empty where no single role holds nearly all sessions *found*, where a cap would change nothing
    or bind us, and on a standby, which takes no such order.
    """
    sample, role = state.sample, _role(found)
    if sample is None or sample.postgres.server.in_recovery or role in ("", own_role(state)):
        return []
    name, most = identifier(role), limit_for(state, sample, who, found, role)
    limits = sample.limits_of(CapacityKind.ROLE)
    former = next((one.limit for one in limits if one.scope.name == (role,)), None)
    if former is None and len(limits) >= _MOST_LIMITS:
        return []
    if name is None or most is None or (former is not None and former <= most):
        return []
    undone = -1 if former is None else former
    does = (
        f"Refuses role {role} new sessions while it has {most} or more, so that other roles keep"
        f" the rest; it has {_held_by(sample, role)} now, of which none is ended. It binds no"
        f" superuser.{_shared(state, sample, who, found, role)}"
    )
    before = "any number of" if former is None else former
    back = (
        f"Lets role {role} have {before} sessions, as before. Keep it: it is not shown once capped."
    )
    return [
        Remedy(f"cap its role at {most}", does, f"ALTER ROLE {name} CONNECTION LIMIT {most};"),
        Remedy("take the cap back", back, f"ALTER ROLE {name} CONNECTION LIMIT {undone};"),
    ]


def limit_for(state: State, sample: Sample, who: Taker, found: Sessions, role: str) -> int | None:
    """Return the CONNECTION LIMIT that stops *who* and harms nobody else; None without a budget.

    The budget of *role* is what is left of the ordinary slots when all others have what they hold
    now, logins in progress included, and a few are free: one more than would be called few. With
    that limit the application may grow on, but never so far that another role is refused.

    The role may need more than its budget: those that share it hold their part now, and the
    application had its own before it grew. Less than both would refuse them what is no trouble;
    so it is at least that. Whoever has not grown but holds most keeps at least one session.
    """
    if sample.main.limit is None:
        return None
    held = found.held_by(role)
    shared = _held_by(sample, role) - held
    elsewhere = sample.holders.visible + sample.main.logins - held - shared
    free = max(_LEAST_FREE, floor(state.thresholds.low_free_ratio * sample.main.limit) + 1)
    budget = sample.main.limit - elsewhere - free
    before = held - round(who.took) if who.took else 1
    return max(budget, shared + max(1, before))


def _role(found: Sessions) -> str:
    """Return the role that holds nearly all of what was *found*; empty if none does."""
    held = Counter[str]()
    for group in found.groups:
        held[group.role] += group.count
    role, most = max(held.items(), key=itemgetter(1), default=("", 0))
    return role if most >= _NEARLY_ALL * held.total() else ""


def _held_by(sample: Sample, role: str) -> int:
    return sum(group.count for group in sample.holders.groups if group.role == role)


def _shared(state: State, sample: Sample, who: Taker, found: Sessions, role: str) -> str:
    """Return who else logs in as *role*, as a sentence that follows another."""
    held: dict[str, int] = {}
    for (name, _, of_role), count in state.applications.by_holder.items():
        if of_role == role and name not in (who.application_name, OTHER):
            held[name] = held.get(name, 0) + count
    others = _held_by(sample, role) - found.held_by(role)
    if others <= 0:
        return " No other application has sessions of this role now."
    named = sorted(held.items(), key=lambda one: (-one[1], one[0]))[:_MOST_NAMED]
    words = [f"{name} ({count})" for name, count in named]
    rest = others - sum(count for _, count in named)
    if rest > 0:
        words.append(f"{rest} more" if words else f"others ({rest})")
    listed = " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
    return f" It also binds who else has sessions of this role: {listed}."
