"""What is wrong with the slots now: none left, few left, reserve in use, logins stuck, limits used.

Each rule yields what it finds; how long that must hold before anybody is told, and when it is over,
is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgheadroom.alert import AlertName, Severity
from pgheadroom.climb import least_rise
from pgheadroom.durations import duration
from pgheadroom.finding import Finding
from pgheadroom.reading import Condition, LimitUse, Sample
from pgheadroom.slots import Tier
from pgheadroom.state import State
from pgheadroom.thresholds import Thresholds
from pgheadroom.wording import biggest, slots

_NO_SLOT = (Condition.FULL, Condition.RESERVED_ONLY)
_TURNED_AWAY = (Condition.FULL, Condition.POOLER_FULL)
_RELEASE = 1.25
"""What was low is not low any more when it is higher by this factor, and the other way round."""
_LEAST_LOGINS = 3
_KNOCKS_HOLD_SECONDS = 30.0
"""A knock that goes unanswered may be a lost packet; one that is refused is not."""


def shortage(state: State, limit: int, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    """Yield what is wrong at *now*, as far as *state* tells; *limit* is that of ordinary roles."""
    yield from _refused(state)
    if state.condition is not Condition.OK:
        yield from _unknown(state, thresholds, now)
        if state.condition in _NO_SLOT:
            yield _exhausted(state)
    elif state.sample is not None:
        known = state.sample.slots
        free = limit - known.used
        if free <= least_rise(limit):
            # A slot or two that come free for a moment are no end of it.
            yield _exhausted(state, only_keeps=free > 0)
        if free <= 0:
            yield from _reserve(state.sample)
        if free <= _RELEASE * thresholds.low_free_ratio * limit:
            yield _low(state, free, limit, thresholds)
        if known.hidden:
            yield from _logins(known.hidden, limit, thresholds)
        uses = state.sample.breakdown
        yield from _limits(AlertName.ROLE, "role", uses.roles, thresholds)
        yield from _limits(AlertName.DATABASE, "database", uses.databases, thresholds)


def _exhausted(state: State, *, only_keeps: bool = False) -> Finding:
    name = biggest(state)
    none = "Hardly any slot" if only_keeps else "No slot"
    words = f"{none} is free for an ordinary role on {state.target}"
    if state.condition in _NO_SLOT:
        words += f": the server refuses us ({state.detail})"
    words += "." if state.sample is None else f"; {slots(state.sample.slots)}."
    if name is not None:
        words += f" {name[0]} holds most: {name[1]}."
    application = None if name is None else name[0]
    return Finding(
        AlertName.EXHAUSTED, Severity.CRITICAL, words, application, only_keeps=only_keeps
    )


def _refused(state: State) -> Iterator[Finding]:
    knock = state.knock
    if knock is None or knock.condition is Condition.OK:
        return
    turned_away = knock.condition in _TURNED_AWAY
    if not turned_away and state.condition is not Condition.OK:
        return  # the server is not there at all; that is another alert's news
    words = f"A login that has just been tried on {state.target} was turned away"
    words += f" ({knock.detail or knock.condition})"
    words += ", whatever SQL says." if state.condition is Condition.OK else "."
    hold = 0.0 if turned_away else _KNOCKS_HOLD_SECONDS
    yield Finding(AlertName.REFUSED, Severity.CRITICAL, words, hold_seconds=hold)


def _unknown(state: State, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    if state.condition in (None, *_NO_SLOT):
        return
    known = state.sample.at if state.sample is not None else state.since
    if known is None:
        return
    blind = now - known
    words = f"No sample of {state.target} for {duration(blind)}: {state.condition}"
    words += f" ({state.detail})." if state.detail else "."
    if state.sample is not None:
        words += f" Last known: {slots(state.sample.slots)}."
    for severity, seconds in (
        (Severity.WARNING, thresholds.blind_warning_seconds),
        (Severity.CRITICAL, thresholds.blind_critical_seconds),
    ):
        if blind >= seconds:
            yield Finding(AlertName.UNKNOWN, severity, words)


def _reserve(sample: Sample) -> Iterator[Finding]:
    used = sample.slots.reserved_used
    if used:
        limits = sample.slots.limits
        reserve = limits.of(Tier.SUPERUSER) - limits.of(Tier.ORDINARY)
        words = (
            f"{used} of {reserve} reserved slots are in use; ordinary roles are refused already,"
            f" and {sample.slots.free(Tier.SUPERUSER)} slots are left to log in with."
        )
        yield Finding(AlertName.RESERVE, Severity.CRITICAL, words)


def _low(state: State, free: int, limit: int, thresholds: Thresholds) -> Finding:
    assert state.sample is not None  # noqa: S101 - shortage() has looked
    name = biggest(state)
    words = f"{state.target}: {slots(state.sample.slots)}."
    if name is not None:
        words += f" {name[0]} holds most: {name[1]}."
    return Finding(
        AlertName.LOW,
        Severity.WARNING,
        words,
        None if name is None else name[0],
        hold_seconds=thresholds.low_hold_seconds,
        only_keeps=free > thresholds.low_free_ratio * limit,
    )


def _logins(hidden: int, limit: int, thresholds: Thresholds) -> Iterator[Finding]:
    words = f"{hidden} logins are under way; each holds one of {limit} ordinary slots already."
    for severity, ratio in (
        (Severity.WARNING, thresholds.logins_warning_ratio),
        (Severity.CRITICAL, thresholds.logins_critical_ratio),
    ):
        many = max(_LEAST_LOGINS, ratio * limit)
        if hidden * _RELEASE >= many:
            yield Finding(
                AlertName.LOGINS,
                severity,
                words,
                hold_seconds=thresholds.logins_hold_seconds,
                only_keeps=hidden < many,
            )


def _limits(
    name: AlertName, kind: str, uses: tuple[LimitUse, ...], thresholds: Thresholds
) -> Iterator[Finding]:
    for use in uses:
        if use.limit <= 0:
            continue  # nobody is meant to get in
        words = f"{use.used} of the {use.limit} connections that {kind} {use.name} may have."
        for severity, ratio in (
            (Severity.WARNING, thresholds.limit_warning_ratio),
            (Severity.CRITICAL, thresholds.limit_critical_ratio),
        ):
            if use.used * _RELEASE >= ratio * use.limit and use.used:
                yield Finding(
                    name,
                    severity,
                    words,
                    about=(kind, use.name),
                    hold_seconds=thresholds.limit_hold_seconds,
                    only_keeps=use.used < ratio * use.limit,
                )
