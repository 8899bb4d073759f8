"""Says the first thing to do about a target, by what fires and by why it cannot be read."""

from __future__ import annotations

from pgheadroom.durations import about
from pgheadroom.judge.blame import rising, taker
from pgheadroom.judge.firing import held
from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.reading import Outcome
from pgheadroom.state import State
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.locks import blocker, unblock
from pgheadroom.status.standing import Standing, resolves_at, standing

_NOTHING = "No action needed."
_WATCH = "Watch {who}. No alert yet: most climbs like this stop on their own."
_RECOVERING = "No action needed, if it stays like this. The alert resolves by itself"
_QUEUEING = "Clients wait at the pooler. No alert yet: it pages if the queue does not drain."
_WAITING = "Wait a moment for the first reading."

_OF_ALERT: dict[AlertName, str] = {
    AlertName.EXHAUSTED: "Stop {who} from growing: scale it down or roll back its last deploy, then"
    " end its idle sessions. Do not restart PostgreSQL: the application would refill its pools.",
    AlertName.IMMINENT: "Act on {who} now, while you can still log in: roll back its last deploy,"
    " scale it down, or end its idle sessions.",
    AlertName.EXPECTED: "Not urgent. Find out today why {who} keeps connections open.",
    AlertName.LOW: "See who holds the slots, and shrink the pool of {who} before the next deploy"
    " doubles it.",
    AlertName.REFUSED: "Try to log in yourself, from where the applications run: the answer says"
    " who refuses them.",
    AlertName.RESERVE: "Applications are being refused already. Log in while a reserved slot is"
    " left, and stop {who} from growing.",
    AlertName.LOGINS: "Find out what logins wait for: the lookup of a host or an account, a lock on"
    " the catalog, a busy processor.",
    AlertName.ROLE: "Make the pools that log in as {about} smaller, or raise the role's CONNECTION"
    " LIMIT if the slots allow it.",
    AlertName.DATABASE: "Make the pools that use {about} smaller, or raise the database's"
    " CONNECTION LIMIT if the slots allow it.",
    AlertName.CLIENTS_EXHAUSTED: "Stop {who} from opening more clients, or raise max_client_conn"
    " and RELOAD if the machine has the descriptors: it costs the server no slot.",
    AlertName.CLIENTS_IMMINENT: "Act on {who} now: roll back its last deploy, scale it down, or"
    " raise max_client_conn and RELOAD if the machine has the descriptors.",
    AlertName.CLIENTS_LOW: "Raise max_client_conn before the next deploy doubles the clients, or"
    " shrink the pool of {who}.",
    AlertName.QUEUE: "See what holds the server connections: SHOW SERVERS on the console, then"
    " long transactions and locks on the server. A larger pool helps only while the server has"
    " slots and processors to spare.",
    AlertName.PAUSED: "Find out who said PAUSE or DISABLE and why; RESUME or ENABLE on the console"
    " lets clients go on.",
    AlertName.OVERCOMMITTED: "Not urgent. Lower pool_size or set max_db_connections until all pools"
    " together fit the slots; `pgheadroom check` shows the sum.",
    AlertName.OUTGROWN: "Not urgent. Plan for it: smaller pools, a pooler in front, or a higher"
    " max_connections at the next restart.",
    AlertName.LEAKING: "Not urgent. Count the pools that {who} opens: there should be one per"
    " process, closed when the process ends.",
}

_OF_A_PEAK: dict[AlertName, str] = {
    AlertName.EXPECTED: "Not urgent. Find out today why the peaks of {who} grow. It holds no"
    " connections now.",
    AlertName.IMMINENT: "Be ready: {who} made the last peak, and the next one may not fit.",
}
"""The same where whoever is to blame holds nothing now: it comes and goes."""
_OF_NOW = (
    *(AlertName.EXHAUSTED, AlertName.IMMINENT, AlertName.LOW, AlertName.RESERVE),
    *(AlertName.CLIENTS_EXHAUSTED, AlertName.CLIENTS_IMMINENT, AlertName.CLIENTS_LOW),
)
"""Alerts about what happens now, and so about who takes slots now."""

_REMEDIES: dict[Outcome, str] = {
    Outcome.FULL: "Every slot is taken. Log in as a superuser over the local socket, or stop an"
    " instance of the application that grew.",
    Outcome.RESERVED_ONLY: "Only reserved slots are left. Log in as a superuser and stop the"
    " application that grew; GRANT pg_use_reserved_connections to our role (16 and newer).",
    Outcome.ROLE_LIMIT: "pgheadroom's own role is at its CONNECTION LIMIT: raise it to 3.",
    Outcome.DATABASE_LIMIT: "The database that pgheadroom logs in to is at its CONNECTION LIMIT:"
    " raise it, or log in to another database, such as postgres.",
    Outcome.POOLER_FULL: "The pooler in front is full: look at its clients, or point pgheadroom"
    " at the server itself.",
    Outcome.STARTING: "The server is starting: see its log if that takes long.",
    Outcome.SHUTTING_DOWN: "The server is shutting down: find out who stopped it.",
    Outcome.AUTH: "The server does not let pgheadroom in: check user, password (or password_file,"
    " .pgpass) and pg_hba.conf.",
    Outcome.ERROR: "Read the error: `pgheadroom check` says what works and what is missing.",
    Outcome.TIMEOUT: "The server does not answer: check that its host is up and not overloaded, and"
    " check firewalls.",
    Outcome.HOST_UNKNOWN: "The host's name cannot be resolved: check DNS and the connection"
    " string.",
    Outcome.UNREACHABLE: "Nothing listens there: check host and port, that PostgreSQL runs, and"
    " firewalls.",
}
"""The first thing to do where a server cannot be read, by how the reading ended."""

_REMEDIES_OF_A_POOLER: dict[Outcome, str] = {
    Outcome.POOLER_FULL: "The pooler has no place left, not even for its console: stop an instance"
    " of the application that grew.",
    Outcome.AUTH: "The console does not let pgheadroom in: list its user in stats_users, and check"
    " the password (or password_file, .pgpass).",
    Outcome.TIMEOUT: "PgBouncer does not answer: check whether its process is stopped or busy, and"
    " its log for `kernel file descriptor limit`; out of descriptors it hangs silently.",
    Outcome.UNREACHABLE: "Nothing listens there: check host and port, and that PgBouncer runs.",
}
"""What differs where it is a pooler that cannot be read."""


def remedy(state: State) -> str:
    """Return the first thing to do where the target of *state* cannot be read; empty if it can."""
    if state.outcome in (None, Outcome.OK):
        return ""
    own = {} if state.kind is TargetKind.POSTGRES else _REMEDIES_OF_A_POOLER
    return own.get(state.outcome, _REMEDIES[state.outcome])


def to_do(state: State) -> str:
    """Return the first thing to do about the target of *state*, in a sentence or two."""
    blind = state.outcome not in (Outcome.OK, None)
    stands = standing(state)
    root = None if blind else blocker(state)
    if stands is Standing.RECOVERING or root is not None:
        return _recovering(state) if root is None else unblock(root)
    if stands in (Standing.CLIMBING, Standing.QUEUEING) or condition(state) is Condition.RISING:
        return _without_alert(state)
    alerts = [one for one in by_urgency(state) if one.name is not AlertName.UNKNOWN]
    if alerts and (not blind or alerts[0].severity is Severity.CRITICAL):
        return _of_alert(state, alerts[0])
    if state.outcome is None:
        return _WAITING
    if blind:
        return remedy(state)
    return _without_alert(state)


def _recovering(state: State) -> str:
    at, now = resolves_at(state), 0.0 if state.sample is None else state.sample.at
    return _RECOVERING + ("." if at is None else f" in {about(max(0.0, at - now))}.")


def _without_alert(state: State) -> str:
    if standing(state) is Standing.QUEUEING:
        return _QUEUEING
    if not state.countdown.told and rising(state) is None:
        return _NOTHING
    who = taker(state)
    return _WATCH.format(who=who.application_name if who is not None and who.took else "it")


def by_urgency(state: State) -> list[Alert]:
    """Return what fires of *state*: what pages first, of that what is found now, most telling."""
    order, severities = list(AlertName), list(Severity)

    def urgency(alert: Alert) -> tuple[int, bool, int, float]:
        over = held(state, alert)
        return severities.index(alert.severity), over, order.index(alert.name), alert.since

    return sorted(state.alerts, key=urgency)


def _of_alert(state: State, alert: Alert) -> str:
    about = " ".join(value for _, value in alert.about)
    who = alert.application_name
    if alert.name in _OF_NOW and outdated(state, alert):
        # Its cause is gone for the moment. Who grows now is to be stopped, not who grew then.
        now = taker(state)
        who = now.application_name if now is not None and now.took else who
    if alert.name in _OF_A_PEAK and who and not state.applications.totals.get(who):
        return _OF_A_PEAK[alert.name].format(who=who)
    return _OF_ALERT[alert.name].format(who=who or "what grew", about=about)


def outdated(state: State, alert: Alert) -> bool:
    """Say whether *alert* speaks of an earlier moment than the newest sample of *state*."""
    at = None if state.sample is None else state.sample.at
    return at is not None and alert.told_at is not None and alert.told_at < at
