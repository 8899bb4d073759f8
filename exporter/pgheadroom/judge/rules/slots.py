"""Finds what a sample shows: no or few slots left, reserve or limits used, logins stuck.

Each rule returns what it finds; how long that must hold before anybody is told, and when it is
over, is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from pgheadroom.forecast.climb import least_rise
from pgheadroom.judge.evaluation import Evaluation
from pgheadroom.judge.finding import Finding, Words
from pgheadroom.judge.wording import blaming, slots, through
from pgheadroom.model.alert import AlertName, Label, Severity
from pgheadroom.model.capacity import Capacity, CapacityKind
from pgheadroom.model.slots import Tier
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State

_RELEASE = 1.25
"""What was low is not low any more when it is higher by this factor, and the other way round."""
_STILL_SHORT = 2
"""Slots that ran out are still short while fewer are free than this many times the least growth."""
_LEAST_LOGINS = 3
_REFUSED = " New connections are being refused."
_RESERVE_HOLD_SECONDS = 10.0
"""A short login to a full server by a person who may use the reserve does not page."""
_LIMIT_ALERTS = {
    CapacityKind.ROLE: (AlertName.ROLE, AlertName.ROLE),
    CapacityKind.DATABASE: (AlertName.DATABASE, AlertName.DATABASE),
    CapacityKind.CLIENTS: (AlertName.CLIENTS_LOW, AlertName.CLIENTS_EXHAUSTED),
}
"""The warning and the page about a limit of each kind."""


def least_share(thresholds: Thresholds) -> float:
    """Return the share in use of a CONNECTION LIMIT below which no alert speaks of it."""
    return min(thresholds.limit_warning_ratio, thresholds.limit_critical_ratio) / _RELEASE


def exhausted(evaluation: Evaluation) -> Sequence[Finding]:
    """Return that no slot is left; a few that come free for a moment are no end of it."""
    free = evaluation.free
    if free > _STILL_SHORT * least_rise(evaluation.limit):
        return ()
    words = partial(_exhausted_words, evaluation)
    return (Finding(evaluation.names.exhausted, Severity.CRITICAL, words, hysteresis=free > 0),)


def _exhausted_words(evaluation: Evaluation) -> Words:
    words = f"{evaluation.state.target}: {slots(evaluation.sample.main)},"
    words += f" {evaluation.used} in use."
    words += " It was full just now." if evaluation.free > 0 else _REFUSED
    words += through(evaluation.state)
    return blaming(evaluation.state, words)


def reserve(evaluation: Evaluation) -> Sequence[Finding]:
    """Return that sessions hold reserved slots.

    An ordinary role's login holds a slot too until it is refused, and those who try again and
    again do so in every sample. Only a session that has got in uses the reserve.
    """
    if evaluation.free > 0 or evaluation.sample.postgres.slots.visible <= evaluation.limit:
        return ()
    words = partial(_reserve_words, evaluation)
    hold = _RESERVE_HOLD_SECONDS
    return (Finding(AlertName.RESERVE, Severity.CRITICAL, words, for_seconds=hold),)


def _reserve_words(evaluation: Evaluation) -> Words:
    counts = evaluation.sample.postgres.slots
    words = (
        f"{evaluation.state.target}: {counts.reserved_used} of"
        f" {evaluation.sample.main.reserve} reserved slots are in use. New connections of"
        f" applications are being refused; {counts.free(Tier.SUPERUSER)} slots are left for"
        " superusers to log in."
    )
    return blaming(evaluation.state, words)


def low(evaluation: Evaluation) -> Sequence[Finding]:
    """Return that few slots are left."""
    thresholds, free = evaluation.thresholds, evaluation.free
    if free > _RELEASE * thresholds.low_free_ratio * evaluation.limit:
        return ()
    found = Finding(
        evaluation.names.low,
        Severity.WARNING,
        partial(_low_words, evaluation),
        for_seconds=thresholds.low_hold_seconds,
        hysteresis=free > thresholds.low_free_ratio * evaluation.limit,
    )
    return (found,)


def _low_words(evaluation: Evaluation) -> Words:
    return blaming(evaluation.state, f"{evaluation.state.target}: {slots(evaluation.sample.main)}.")


def logins(evaluation: Evaluation) -> Iterable[Finding]:
    """Return that many slots are held by logins in progress."""
    under_way = evaluation.sample.main.logins
    return _logins(evaluation, under_way) if under_way else ()


def _logins(evaluation: Evaluation, under_way: int) -> Iterator[Finding]:
    thresholds = evaluation.thresholds
    words = (
        f"{evaluation.state.target}: {under_way} logins are in progress. Each already holds one of"
        f" the {evaluation.limit} slots."
    )
    for severity, ratio in (
        (Severity.WARNING, thresholds.logins_warning_ratio),
        (Severity.CRITICAL, thresholds.logins_critical_ratio),
    ):
        many = max(_LEAST_LOGINS, ratio * evaluation.limit)
        if under_way * _RELEASE >= many:
            yield Finding(
                AlertName.LOGINS,
                severity,
                lambda: (words, None),
                for_seconds=thresholds.logins_hold_seconds,
                hysteresis=under_way < many,
            )


def limits(evaluation: Evaluation) -> Sequence[Finding]:
    """Return the roles and databases that have used most of their CONNECTION LIMIT.

    Of a pooler, those that have used most of the clients that they may have.
    """
    state, thresholds = evaluation.state, evaluation.thresholds
    return [one for use in evaluation.sample.others for one in _limit(state, use, thresholds)]


def _limit(state: State, use: Capacity, thresholds: Thresholds) -> Iterator[Finding]:
    names = _LIMIT_ALERTS.get(use.scope.kind)
    if names is None or not use.limit or not use.used:
        return  # a limit of 0 locks the role or database
    for name, severity, ratio in (
        (names[0], Severity.WARNING, thresholds.limit_warning_ratio),
        (names[1], Severity.CRITICAL, thresholds.limit_critical_ratio),
    ):
        if use.used * _RELEASE >= ratio * use.limit:
            yield Finding(
                name,
                severity,
                partial(_limit_words, state, use),
                about=(_whose(use),),
                for_seconds=thresholds.limit_hold_seconds,
                hysteresis=use.used < ratio * use.limit,
            )


def _whose(use: Capacity) -> Label:
    """Return of whom *use* is: a role and its name, say."""
    if use.scope.kind is CapacityKind.CLIENTS:
        what, name = use.scope.name
        return what, name
    return str(use.scope.kind), use.name


def _limit_words(state: State, use: Capacity) -> Words:
    what, name = _whose(use)
    things = "clients" if use.scope.kind is CapacityKind.CLIENTS else "connections"
    return f"{state.target}: {what} {name} uses {use.used} of {use.limit} allowed {things}.", None
