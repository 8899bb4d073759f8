"""Finds what readings say without a count: refusals, silence, and that the server is full.

Each rule returns what it finds; how long that must hold before anybody is told, and when it is
over, is for others to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pgheadroom.durations import duration
from pgheadroom.judge.finding import Finding, Words
from pgheadroom.judge.wording import blaming, last_known
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.reading import Outcome
from pgheadroom.state import NOTHING_LEFT, State

_NOTHING_LEFT_ALERTS = {
    TargetKind.POSTGRES: AlertName.EXHAUSTED,
    TargetKind.PGBOUNCER: AlertName.CLIENTS_EXHAUSTED,
}
_TURNED_AWAY = (Outcome.FULL, Outcome.POOLER_FULL)
_UNANSWERED_HOLD_SECONDS = 30.0
"""A login that goes unanswered may be a lost packet; one that is refused is not."""
_OVER_A_LIMIT = (
    *(Outcome.FULL, Outcome.RESERVED_ONLY, Outcome.POOLER_FULL),
    *(Outcome.ROLE_LIMIT, Outcome.DATABASE_LIMIT),
)
_OF_THE_CANARY = (Outcome.AUTH, Outcome.ERROR, Outcome.HOST_UNKNOWN)
"""What is wrong with the canary's own settings tells nothing of applications."""


def refused(state: State, _now: float) -> Sequence[Finding]:
    """Return that new clients are refused: first what fires first, for all of it is one alert."""
    if not state.probes:
        return ()
    found = [one for one in (_refused_canary(state), _refused_knock(state)) if one is not None]
    return sorted(found, key=lambda one: one.for_seconds)


def _refused_canary(state: State) -> Finding | None:
    login = state.canary.newest
    if login is None or login.outcome in (Outcome.OK, *_OF_THE_CANARY):
        return None
    over_a_limit = login.outcome in _OVER_A_LIMIT
    if not over_a_limit and state.outcome is not Outcome.OK:
        return None  # the server is not there at all; that is another alert's news
    words = f"{state.target} refused the canary, which logs in as applications do"
    words += f": {login.outcome}" + (f" ({login.detail})" if login.detail else "")
    words += (
        ". The session that pgheadroom keeps open still works."
        if state.outcome is Outcome.OK
        else "."
    )
    hold = 0.0 if over_a_limit else _UNANSWERED_HOLD_SECONDS
    return Finding(AlertName.REFUSED, Severity.CRITICAL, lambda: (words, None), for_seconds=hold)


def _refused_knock(state: State) -> Finding | None:
    knock = state.knocks.newest
    if knock is None or knock.outcome is Outcome.OK:
        return None
    turned_away = knock.outcome in _TURNED_AWAY
    if not turned_away and state.outcome is not Outcome.OK:
        return None  # the server is not there at all; that is another alert's news
    words = f"{state.target} refused a new login"
    words += f" ({knock.detail or knock.outcome})"
    words += (
        ". The session that pgheadroom keeps open still works."
        if state.outcome is Outcome.OK
        else "."
    )
    hold = 0.0 if turned_away else _UNANSWERED_HOLD_SECONDS
    return Finding(AlertName.REFUSED, Severity.CRITICAL, lambda: (words, None), for_seconds=hold)


def unknown(state: State, now: float) -> Sequence[Finding]:
    """Return that there was no sample for long, and no refusal because slots ran out either."""
    if state.outcome in (None, Outcome.OK, *NOTHING_LEFT[state.kind]):
        return ()
    # What was seen before a restart is no measure of how long nothing has been seen since.
    sampled_at = state.since if state.sample is None or state.restored else state.sample.at
    if sampled_at is None:
        return ()
    thresholds, blind = state.thresholds, now - sampled_at
    words = partial(_unknown_words, state, blind)
    return [
        Finding(AlertName.UNKNOWN, severity, words)
        for severity, seconds in (
            (Severity.WARNING, thresholds.blind_warning_seconds),
            (Severity.CRITICAL, thresholds.blind_critical_seconds),
        )
        if blind >= seconds
    ]


def _unknown_words(state: State, blind: float) -> Words:
    words = f"No sample of {state.target} for {duration(blind)}: {state.outcome}"
    words += f" ({state.detail})." if state.detail else "."
    if state.sample is not None:
        words += last_known(state.sample)
    return words, None


def full(state: State, _now: float) -> Sequence[Finding]:
    """Return that nothing is left, when the server or the pooler says so by refusing us."""
    if state.outcome not in NOTHING_LEFT[state.kind]:
        return ()
    name = _NOTHING_LEFT_ALERTS[state.kind]
    return (Finding(name, Severity.CRITICAL, partial(_full_words, state)),)


def _full_words(state: State) -> Words:
    if state.kind is TargetKind.POSTGRES:
        words = f"{state.target}: no slot is free, the server refuses pgheadroom, too"
    else:
        words = f"{state.target}: no place for clients is free, the pooler refuses pgheadroom, too"
    words += f" ({state.detail})."
    words += "" if state.sample is None else last_known(state.sample)
    return blaming(state, words)
