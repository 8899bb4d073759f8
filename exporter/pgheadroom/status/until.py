"""Says until when something is free, and what that rests on, for each way a target may stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pgheadroom.durations import about, duration
from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.forecast import Pattern
from pgheadroom.judge.blame import rising, taker
from pgheadroom.judge.rules.outgrown import in_short
from pgheadroom.model.alert import Alert, AlertName
from pgheadroom.model.reading import Outcome
from pgheadroom.state import State
from pgheadroom.status.advice import by_urgency
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.standing import Standing, cause_gone_at, pressing, resolving

REFUSED = "new connections are being refused"


class Until(NamedTuple):
    """Short answers about how long it lasts."""

    label: str
    """How it is, in a few words."""
    when: str
    because: str = ""
    """What *when* rests on; may be empty."""


_OUTCOMES = {
    Outcome.FULL: "full: every slot is taken",
    Outcome.RESERVED_ONLY: "full: only reserved slots are left",
    Outcome.ROLE_LIMIT: "pgheadroom's role is at its CONNECTION LIMIT",
    Outcome.DATABASE_LIMIT: "the database is at its CONNECTION LIMIT",
    Outcome.POOLER_FULL: "the pooler in front of it is full",
    Outcome.STARTING: "starting up",
    Outcome.SHUTTING_DOWN: "shutting down",
    Outcome.AUTH: "does not let pgheadroom log in",
    Outcome.ERROR: "answers with an error",
    Outcome.TIMEOUT: "does not answer in time",
    Outcome.HOST_UNKNOWN: "its host is unknown",
    Outcome.UNREACHABLE: "unreachable",
}
_LABELS = {
    AlertName.EXPECTED: "filling up slowly",
    AlertName.LEAKING: "an application leaks",
    AlertName.REFUSED: "new connections are being refused",
    AlertName.LOGINS: "logins pile up",
    AlertName.ROLE: "a role is near its limit",
    AlertName.DATABASE: "a database is near its limit",
    AlertName.QUEUE: "clients queue",
    AlertName.PAUSED: "paused",
    AlertName.OVERCOMMITTED: "over-committed",
    AlertName.OUTGROWN: "peaks grow",
}
"""How a target is of which one of these fires, in a few words."""
_PEAK_SECONDS = 300.0
_NEAR = 0.25
"""A server of which less than this share is free is almost full when it pages."""
_FULL = (AlertName.EXHAUSTED, AlertName.CLIENTS_EXHAUSTED)
_ALMOST_FULL = (
    *(AlertName.EXHAUSTED, AlertName.IMMINENT, AlertName.LOW, AlertName.RESERVE),
    *(AlertName.CLIENTS_EXHAUSTED, AlertName.CLIENTS_IMMINENT, AlertName.CLIENTS_LOW),
)


def until(state: State, stands: Standing) -> Until:
    """Return until when something is free of *state*, which *stands* so."""
    return _BY_STANDING[stands](state)


def _waiting(_state: State) -> Until:
    return Until("waiting for the first reading", "unknown")


def _blind(state: State) -> Until:
    outcome = state.outcome
    return Until("" if outcome is None else _OUTCOMES.get(outcome, str(outcome)), "unknown")


def _full(_state: State) -> Until:
    return Until(f"full: {REFUSED}", "full", REFUSED)


def _running_out(state: State) -> Until:
    if _few(state) and any(alert.name in _FULL for alert in state.alerts):
        # A slot or two come and go: that the last of them is taken again is no forecast.
        return Until("almost full", "almost full", "it was full just now")
    who = taker(state)
    since = "" if who is None or not who.took else f"rising for {duration(round(who.seconds))}"
    if not state.alerts:
        since = f"{since}; no alert yet".removeprefix("; ")
    label = _short_label(state) if condition(state) is Condition.CRITICAL else "rising"
    return Until(label, f"full in {about(state.countdown.seconds)}", since)


def _short_label(state: State) -> str:
    """Return what to call it that a page about the slots themselves fires."""
    near = state.free is not None and state.free <= _NEAR * state.usage.limit
    return "almost full" if near else "filling up"


def _climbing(state: State) -> Until:
    risen = rising(state)
    if risen is None or not risen.rate or state.free is None:
        return Until("rising", "rising")
    since = f"rising for {duration(round(risen.seconds))}"
    early = "" if state.alerts else "; too early to page"
    at_this_rate = about(state.free / risen.rate)
    return Until("rising", f"full in {at_this_rate} at this rate", since + early)


def _alarmed(state: State) -> Until:
    first = by_urgency(state)[0]
    is_now, short = condition(state), first.name in _ALMOST_FULL
    pages = is_now is Condition.CRITICAL
    label = _short_label(state) if pages else "few left"
    label = label if short else _LABELS.get(first.name, f"{first.name} fires")
    if all(resolving(state, alert) for alert in state.alerts):
        label = "rising" if is_now is Condition.RISING else "recovering"
    if _few(state):
        was_full = any(alert.name in _FULL for alert in state.alerts)
        why = "it was full just now" if was_full else "too few are left to tell when"
        return Until(label, "almost full", why)
    if first.name is AlertName.QUEUE:
        return _queueing(state)
    if rising(state) is not None:
        return _climbing(state)._replace(label=label)
    when = "no forecast" if pages else "not filling up"
    peaks = (one.seconds for one in state.usage.forecasts if one.pattern is Pattern.CYCLE)
    peak = next(peaks, None)
    if peak:
        when = f"peaks grow, full in {about(peak)}"
    if first.name is AlertName.OUTGROWN and not resolving(state, first):
        return Until(label, when, in_short(state))
    still = "waits to resolve" if resolving(state, first) else "fires"
    return Until(label, when, f"{first.name} {still}")


def _few(state: State) -> bool:
    return state.free is not None and state.free <= least_rise(state.usage.limit)


def _queueing(state: State) -> Until:
    waits = [queue.newest.longest_seconds for queue in state.queues.values()]
    oldest = f"the oldest for {duration(round(max(waits, default=0.0)))}"
    return Until("clients queue", "clients queue for server connections", oldest)


def _well(state: State) -> Until:
    peak = (
        None
        if state.sample is None
        else state.usage.recent_max.highest(_PEAK_SECONDS, state.sample.at)
    )
    because = "" if peak is None else f"5-min peak: {peak} in use"
    return Until("steady", "not filling up", because)


def _recovering(state: State) -> Until:
    return Until("recovering", "recovered", was(state))


def was(state: State) -> str:
    """Return what *state* recovers from, and how long ago its cause was last seen."""
    worst, gone = pressing(state), cause_gone_at(state)
    alert = next(one for one in by_urgency(state) if one in worst)
    now = 0.0 if state.sample is None else state.sample.at
    ago = "" if gone is None else f" until {duration(round(max(0.0, now - gone)))} ago"
    return f"{_trouble(alert)}{ago}"


def _trouble(alert: Alert) -> str:
    if alert.name in _FULL:
        return "was full"
    return "was almost full" if alert.name in _ALMOST_FULL else f"{alert.name} fired"


_BY_STANDING: Mapping[Standing, Callable[[State], Until]] = {
    Standing.WAITING: _waiting,
    Standing.BLIND: _blind,
    Standing.FULL: _full,
    Standing.RUNNING_OUT: _running_out,
    Standing.CLIMBING: _climbing,
    Standing.ALARMED: _alarmed,
    Standing.QUEUEING: _queueing,
    Standing.WELL: _well,
    Standing.RECOVERING: _recovering,
}
