"""Makes the commands to copy into PgBouncer's console; none that ends or drops anything."""

from __future__ import annotations

from pgheadroom.judge.blame import taker
from pgheadroom.model.alert import AlertName
from pgheadroom.state import State
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.quoting import identifier
from pgheadroom.status.remedy import Remedy
from pgheadroom.status.standing import Standing, standing

_OF_CLIENTS = frozenset(
    {AlertName.CLIENTS_EXHAUSTED, AlertName.CLIENTS_IMMINENT, AlertName.CLIENTS_LOW}
)
_MOST_NAMED = 5

_CLIENTS = Remedy(
    "see its clients",
    "Lists every client with its application and its state; it changes nothing.",
    "SHOW CLIENTS;",
)
_RELOAD = Remedy(
    "let a new max_client_conn hold",
    "Reads pgbouncer.ini again: raise max_client_conn there first; whatever else was changed in"
    " the file takes effect, too.",
    "RELOAD;",
)
_POOLS = Remedy(
    "see who waits",
    "Lists the pools with their waiting clients (cl_waiting, maxwait); it changes nothing.",
    "SHOW POOLS;",
)
_SERVERS = Remedy(
    "see what holds the server connections",
    "Lists each server connection with its state and its process (remote_pid) on the server; it"
    " changes nothing.",
    "SHOW SERVERS;",
)
_RESUME = Remedy(
    "resume all",
    "Lets the clients of every database go on: find out first who said PAUSE, and why.",
    "RESUME;",
)


def commands(state: State) -> list[Remedy]:
    """Return what to say on the console of the pooler of *state*, what changes nothing first."""
    if state.sample is None:
        return []
    fires = {alert.name for alert in state.alerts}
    who = taker(state)
    grows = who is not None and (who.took or condition(state) is Condition.CRITICAL)
    found: list[Remedy] = []
    if AlertName.QUEUE in fires or standing(state) is Standing.QUEUEING:
        found += [_POOLS, _SERVERS]
    if grows or fires & _OF_CLIENTS:
        found.append(_CLIENTS)
    if fires & _OF_CLIENTS:
        found.append(_RELOAD)
    if AlertName.PAUSED in fires:
        found += _paused(state)
    return found


def _paused(state: State) -> list[Remedy]:
    if state.sample is None:
        return []
    facts = state.sample.pooler
    found = [_RESUME] if facts.paused else []
    halted = [one for one in facts.databases if one.paused or one.disabled]
    for one in halted[:_MOST_NAMED]:
        name = identifier(one.name)
        if name is None:
            continue
        if one.paused:
            words = "Lets clients of database {} go on: find out first who said PAUSE, and why."
            found.append(Remedy("resume a database", words.format(one.name), f"RESUME {name};"))
        if one.disabled:
            words = "Lets new clients of database {} in: find out first who said DISABLE, and why."
            found.append(Remedy("enable a database", words.format(one.name), f"ENABLE {name};"))
    return found
