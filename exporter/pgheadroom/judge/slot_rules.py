"""Finds what is wrong with the slots now: none or few left, reserve or limits used, logins stuck.

Each rule yields what it finds; how long that must hold before anybody is told, and when it is over,
is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pgheadroom.durations import duration
from pgheadroom.forecast.climb import least_rise
from pgheadroom.judge.evaluation import Evaluation
from pgheadroom.judge.finding import Finding, Words
from pgheadroom.judge.wording import blaming, last_known, slots
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.model.capacity import Capacity, CapacityKind
from pgheadroom.model.reading import Outcome
from pgheadroom.model.slots import Slots, Tier
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State

NO_SLOT = (Outcome.FULL, Outcome.RESERVED_ONLY)
_TURNED_AWAY = (Outcome.FULL, Outcome.POOLER_FULL)
_RELEASE = 1.25
"""What was low is not low any more when it is higher by this factor, and the other way round."""
_STILL_SHORT = 2
"""Slots that ran out are still short while fewer are free than so many times the least growth."""
_LEAST_LOGINS = 3
_RESERVE_HOLD_SECONDS = 10.0
"""A look at a full server by somebody who may log in there is no news."""
_UNANSWERED_HOLD_SECONDS = 30.0
"""A login that goes unanswered may be a lost packet; one that is refused is not."""
_OVER_A_LIMIT = (
    *(Outcome.FULL, Outcome.RESERVED_ONLY, Outcome.POOLER_FULL),
    *(Outcome.ROLE_LIMIT, Outcome.DATABASE_LIMIT),
)
_LIMIT_ALERTS = {CapacityKind.ROLE: AlertName.ROLE, CapacityKind.DATABASE: AlertName.DATABASE}
_OF_THE_CANARY = (Outcome.AUTH, Outcome.ERROR, Outcome.HOST_UNKNOWN)
"""What is wrong with the canary's own settings tells nothing of applications."""


def shortage(state: State, limit: int, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    """Yield what is wrong at *now*, as far as *state* tells; *limit* is that of ordinary roles."""
    yield from _refused(state)
    if state.outcome is not Outcome.OK:
        yield from _unknown(state, thresholds, now)
        if state.outcome in NO_SLOT:
            yield _exhausted(state)
    elif state.sample is not None:
        known = state.sample.facts.slots
        free = limit - known.used
        if free <= _STILL_SHORT * least_rise(limit):
            # A few slots that come free for a moment are no end of it.
            yield _exhausted(state, hysteresis=free > 0)
        if free <= 0:
            yield from _reserve(state, known)
        if free <= _RELEASE * thresholds.low_free_ratio * limit:
            yield _low(Evaluation(state, state.sample, limit), free)
        if known.hidden:
            yield from _logins(state, known.hidden, limit, thresholds)
        for use in state.sample.others:
            yield from _limits(state, use, thresholds)


def least_share(thresholds: Thresholds) -> float:
    """Return the share in use of a CONNECTION LIMIT below which no alert speaks of it."""
    return min(thresholds.limit_warning_ratio, thresholds.limit_critical_ratio) / _RELEASE


def _exhausted(state: State, *, hysteresis: bool = False) -> Finding:
    return Finding(
        AlertName.EXHAUSTED,
        Severity.CRITICAL,
        partial(_exhausted_words, state, "Hardly any slot" if hysteresis else "No slot"),
        hysteresis=hysteresis,
    )


def _exhausted_words(state: State, none: str) -> Words:
    words = f"{none} is free for an ordinary role on {state.target}"
    known = None if state.sample is None else state.sample.facts.slots
    if state.outcome in NO_SLOT:
        words += f": the server refuses us ({state.detail})."
        words += "" if state.sample is None else last_known(state.sample)
    elif known is not None:
        words += f": {known.used} are in use, {known.limits.of(Tier.ORDINARY)} is the limit."
    return blaming(state, words)


def _refused(state: State) -> Iterator[Finding]:
    """Yield that newcomers are refused: first what fires first, for all of it is one alert."""
    found = [*_refused_canary(state), *_refused_knock(state)]
    yield from sorted(found, key=lambda one: one.for_seconds)


def _refused_canary(state: State) -> Iterator[Finding]:
    login = state.canary.newest
    if login is None or login.outcome in (Outcome.OK, *_OF_THE_CANARY):
        return
    over_a_limit = login.outcome in _OVER_A_LIMIT
    if not over_a_limit and state.outcome is not Outcome.OK:
        return  # the server is not there at all; that is another alert's news
    words = f"The canary, which logs in as applications do, was not let in on {state.target}"
    words += f": {login.outcome}" + (f" ({login.detail})" if login.detail else "")
    words += ", whatever SQL says." if state.outcome is Outcome.OK else "."
    hold = 0.0 if over_a_limit else _UNANSWERED_HOLD_SECONDS
    yield Finding(AlertName.REFUSED, Severity.CRITICAL, lambda: (words, None), for_seconds=hold)


def _refused_knock(state: State) -> Iterator[Finding]:
    knock = state.knocks.newest
    if knock is None or knock.outcome is Outcome.OK:
        return
    turned_away = knock.outcome in _TURNED_AWAY
    if not turned_away and state.outcome is not Outcome.OK:
        return  # the server is not there at all; that is another alert's news
    words = f"A login that has just been tried on {state.target} was turned away"
    words += f" ({knock.detail or knock.outcome})"
    words += ", whatever SQL says." if state.outcome is Outcome.OK else "."
    hold = 0.0 if turned_away else _UNANSWERED_HOLD_SECONDS
    yield Finding(AlertName.REFUSED, Severity.CRITICAL, lambda: (words, None), for_seconds=hold)


def _unknown(state: State, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    if state.outcome in (None, *NO_SLOT):
        return
    # What was seen before a restart is no measure of how long nothing has been seen since.
    known = state.since if state.sample is None or state.restored else state.sample.at
    if known is None:
        return
    blind = now - known
    for severity, seconds in (
        (Severity.WARNING, thresholds.blind_warning_seconds),
        (Severity.CRITICAL, thresholds.blind_critical_seconds),
    ):
        if blind >= seconds:
            yield Finding(AlertName.UNKNOWN, severity, partial(_unknown_words, state, blind))


def _unknown_words(state: State, blind: float) -> Words:
    words = f"No sample of {state.target} for {duration(blind)}: {state.outcome}"
    words += f" ({state.detail})." if state.detail else "."
    if state.sample is not None:
        words += last_known(state.sample)
    return words, None


def _reserve(state: State, known: Slots) -> Iterator[Finding]:
    # An ordinary role's login holds a slot too until it is refused, and those who try again and
    # again do so in every sample. Only a session that has got in uses the reserve.
    if known.visible > known.limits.of(Tier.ORDINARY):
        yield Finding(
            AlertName.RESERVE,
            Severity.CRITICAL,
            partial(_reserve_words, state, known),
            for_seconds=_RESERVE_HOLD_SECONDS,
        )


def _reserve_words(state: State, known: Slots) -> Words:
    reserve = known.limits.of(Tier.SUPERUSER) - known.limits.of(Tier.ORDINARY)
    words = (
        f"{state.target}: {known.reserved_used} of {reserve} reserved slots are in use; ordinary"
        f" roles are refused already, and {known.free(Tier.SUPERUSER)} slots are left to log in"
        " with."
    )
    return blaming(state, words)


def _low(one: Evaluation, free: int) -> Finding:
    thresholds = one.thresholds
    return Finding(
        AlertName.LOW,
        Severity.WARNING,
        partial(_low_words, one),
        for_seconds=thresholds.low_hold_seconds,
        hysteresis=free > thresholds.low_free_ratio * one.limit,
    )


def _low_words(one: Evaluation) -> Words:
    return blaming(one.state, f"{one.state.target}: {slots(one.sample.facts.slots)}.")


def _logins(state: State, hidden: int, limit: int, thresholds: Thresholds) -> Iterator[Finding]:
    words = (
        f"{state.target}: {hidden} logins are under way; each holds one of the {limit} ordinary"
        " slots already."
    )
    for severity, ratio in (
        (Severity.WARNING, thresholds.logins_warning_ratio),
        (Severity.CRITICAL, thresholds.logins_critical_ratio),
    ):
        many = max(_LEAST_LOGINS, ratio * limit)
        if hidden * _RELEASE >= many:
            yield Finding(
                AlertName.LOGINS,
                severity,
                lambda: (words, None),
                for_seconds=thresholds.logins_hold_seconds,
                hysteresis=hidden < many,
            )


def _limits(state: State, use: Capacity, thresholds: Thresholds) -> Iterator[Finding]:
    name = _LIMIT_ALERTS.get(use.scope.kind)
    if name is None or not use.limit or not use.used:
        return  # at a limit of 0 nobody is meant to get in
    for severity, ratio in (
        (Severity.WARNING, thresholds.limit_warning_ratio),
        (Severity.CRITICAL, thresholds.limit_critical_ratio),
    ):
        if use.used * _RELEASE >= ratio * use.limit:
            yield Finding(
                name,
                severity,
                partial(_limit_words, state, use),
                about=((str(use.scope.kind), use.name),),
                for_seconds=thresholds.limit_hold_seconds,
                hysteresis=use.used < ratio * use.limit,
            )


def _limit_words(state: State, use: Capacity) -> Words:
    words = (
        f"{state.target}: {use.scope.kind} {use.name} has {use.used} of the {use.limit}"
        " connections that it may have."
    )
    return words, None
