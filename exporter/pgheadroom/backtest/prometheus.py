"""Builds readings from the series that a Prometheus has kept of servers' connections.

Two kinds of series are understood: pgheadroom's own, and postgres_exporter's. Where there was no
value there is no reading, so gaps stay gaps.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from pgheadroom.backtest.prometheus_api import (
    Labels,
    PrometheusApi,
    PrometheusError,
    Series,
    quoted,
    selector,
)
from pgheadroom.durations import moment
from pgheadroom.model.activity import MOST_COUNTED, Activity
from pgheadroom.model.capacity import Capacity, CapacityKind, Scope
from pgheadroom.model.names import UNNAMED
from pgheadroom.model.reading import Failure, Group, Outcome, Recorded
from pgheadroom.model.recorded import recorded_sample
from pgheadroom.model.slots import MOST_BACKENDS, Limits, RdsReserve
from pgheadroom.text import printable

_POINTS = 2000  # at once; Prometheus refuses more than 11,000, and all of them are held in memory

_OWN = "pgheadroom_max_connections"
_PEER = "pg_settings_max_connections"
_ACTIVITY = "pg_stat_activity_count"

NO_CONNECTIONS = f"{_PEER} is there, but no {_ACTIVITY}"

# Labels that tell apart what belongs to one server; all others tell servers apart.
_DIMENSIONS = frozenset(
    {
        *("__name__", "application_name", "state", "tier", "role", "database"),
        *("datname", "usename", "backend_type", "wait_event", "wait_event_type"),
    }
)

_OWN_NAMES = "|".join(
    f"pgheadroom_{name}"
    for name in (
        *("max_connections", "reserved_slots", "connections", "slots_used", "slots_hidden"),
        *("role_connections", "role_connection_limit"),
        *("database_connections", "database_connection_limit", "server_start_time_seconds"),
        "transactions_total",
    )
)
_PEER_RESERVES = {
    "superuser": "pg_settings_superuser_reserved_connections",
    "reserved": "pg_settings_reserved_connections",
    "provider": "pg_settings_rds_rds_superuser_reserved_connections",
}
_COMMITS = "pgheadroom_transactions_total"
_OPENED = "pgheadroom_sessions_total"
_PEER_COMMITS = "pg_stat_database_xact_commit"
_PEER_NAMES = "|".join([_PEER, *_PEER_RESERVES.values()])
_DEFAULT_SUPERUSER_RESERVED = 3

_NOTE = (
    "From postgres_exporter, which counts neither its own connection nor logins in progress,"
    " and samples no more often than it is scraped: storms look slower than they are."
)

# All that there is at one moment: by the series' name and what tells it from others.
Frame = dict[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class KnownServer:
    """One server that Prometheus knows."""

    name: str
    identity: Labels
    """The labels that all of its series share."""
    notes: tuple[str, ...] = ()
    own: bool = True
    """Whether the series are pgheadroom's; else postgres_exporter's."""
    told_by: str = "application_name"
    """The label of postgres_exporter's that tells connections apart."""
    activity: Labels | None = None
    """The labels by which to find postgres_exporter's connections."""
    servers: tuple[str, ...] = ()
    """What pgheadroom's label `server` said there: where the target was, one after the other."""
    only: tuple[str, ...] = ()
    """Those of *servers* whose readings are wanted; none for all of them."""

    async def readings(
        self, api: PrometheusApi, start: float, end: float, step: float
    ) -> AsyncIterator[Recorded]:
        """Yield the readings from *start* to *end*, every *step* seconds where there is one."""
        for first, last in _chunks(start, end, step):
            frames: dict[float, Frame] = {}
            for name, query in self._queries():
                _put(frames, name, await api.query_range(query, first, last, step))
            for at in sorted(frames):
                reading = _own(at, frames[at]) if self.own else _peer(at, frames[at], self.told_by)
                if reading is not None:
                    yield reading

    def _queries(self) -> list[tuple[str, str]]:
        """Return what to ask for; before each, what its series are called if they have no name."""
        if self.own:
            # Series without that label are of versions that had none.
            where = "|".join(map(re.escape, (*self.only, ""))) if self.only else ".*"
            there = f"server=~{quoted(where)}"
            states = selector("pgheadroom_target_state", self.identity, there)
            opened = selector(_OPENED, self.identity, there, 'end="open"')
            return [
                ("", selector(_OWN_NAMES, self.identity, there)),
                ("", f"{states} == 1"),
                (_OPENED, f"sum({opened})"),
            ]
        # Before it told kinds of backends apart, postgres_exporter had no such label.
        backends = selector(_ACTIVITY, self.activity or {}, 'backend_type=~"client backend|"')
        instance = {name: value for name, value in self.identity.items() if name != "server"}
        # Some versions give these series no label `server`, where those of the settings have one.
        server = quoted("|" + re.escape(self.identity.get("server", "")))
        commits = selector(_PEER_COMMITS, instance, f"server=~{server}")
        return [
            ("", selector(_PEER_NAMES, self.identity)),
            (_ACTIVITY, f"sum by ({self.told_by}, state) ({backends})"),
            ("", f"{selector('pg_up', instance)} == 0"),
            (_PEER_COMMITS, f"sum({commits})"),
        ]


@dataclass(frozen=True, slots=True)
class Found:
    """The servers that Prometheus knows."""

    histories: list[KnownServer]
    left_out: list[str]
    """Servers of whose connections it knows only the limit."""


class NothingThereError(PrometheusError):
    """Prometheus knows no server at all in that time."""


async def histories(
    api: PrometheusApi, start: float, end: float, target: str | None = None
) -> Found:
    """Find the servers that Prometheus knows; *target* names one, by target, instance or server.

    Raises NothingThereError when it knows none, PrometheusError when not that one.
    """
    series = await api.series([_OWN, _PEER], start, end)
    if not series:
        raise NothingThereError(
            f"Prometheus has neither {_OWN} (of pgheadroom) nor {_PEER} (of postgres_exporter)"
            f" from {moment(start)} to {moment(end)} UTC"
        )
    servers: list[tuple[bool, Labels]] = []
    places: list[list[str]] = []
    for labels in series:
        one = labels.get("__name__") == _OWN, _identity(labels)
        if one not in servers:
            servers.append(one)
            places.append([])
        places[servers.index(one)].append(labels.get("server", ""))
    names = _names(servers)
    found = zip(names, servers, places, strict=True)
    chosen = [
        (name, own, labels, tuple(filter(None, where)))
        for name, (own, labels), where in sorted(found, key=lambda one: one[0])
        if target is None or target in (name, *(labels.get(key) for key in _NAMING))
    ]
    if not chosen:
        raise PrometheusError(f"no target {target}; there are: {', '.join(sorted(names))}")
    own_servers = [
        KnownServer(name, labels, servers=where)
        if own
        else await _of_peer(api, name, labels, start, end)
        for name, own, labels, where in chosen
    ]
    found_all = [history for history in own_servers if isinstance(history, KnownServer)]
    if not found_all:
        raise PrometheusError(f"{', '.join(sorted(names))}: {NO_CONNECTIONS}")
    return Found(found_all, [name for name in own_servers if isinstance(name, str)])


_NAMING = ("target", "server", "instance")


async def _of_peer(
    api: PrometheusApi, name: str, identity: Labels, start: float, end: float
) -> KnownServer | str:
    """Find out how postgres_exporter's connections of a server are labelled; its name if none."""
    instance: Labels = {key: identity[key] for key in identity if key in ("job", "instance")}
    # Some versions give these series no label `server`.
    series = [
        labels
        for labels in await api.series([selector(_ACTIVITY, instance)], start, end)
        if all(labels.get(key, value) == value for key, value in identity.items())
    ]
    if not series:
        return name
    activity = {key: value for key, value in identity.items() if key in series[0]}
    told_by = next(
        (label for label in _TOLD_BY if any(labels.get(label) for labels in series)), "datname"
    )
    notes = [_NOTE]
    if told_by != "application_name":
        notes.append(
            f"{_ACTIVITY} has no application_name here: connections are told apart by"
            f" {_TOLD_BY[told_by]}, and that is whom alerts blame."
        )
    return KnownServer(name, identity, tuple(notes), own=False, told_by=told_by, activity=activity)


_TOLD_BY = {"application_name": "application", "usename": "role", "datname": "database"}


def _identity(labels: Labels) -> Labels:
    # A target of ours is one history, though its server was not known from the beginning.
    passing = {"server"} if labels.get("__name__") == _OWN else set()
    return {key: value for key, value in labels.items() if key not in _DIMENSIONS | passing}


def _names(servers: list[tuple[bool, Labels]]) -> list[str]:
    """Name each server as briefly as tells it from the others."""
    short = [
        printable(next((labels[key] for key in _NAMING if labels.get(key)), "server"))
        for _, labels in servers
    ]
    return [
        name
        if short.count(name) == 1
        else f"{name} ({printable(', '.join(labels[key] for key in sorted(labels)))})"
        for name, (_, labels) in zip(short, servers, strict=True)
    ]


def _chunks(start: float, end: float, step: float) -> Iterable[tuple[float, float]]:
    points = int((end - start) / step) + 1
    for first in range(0, points, _POINTS):
        last = min(first + _POINTS, points) - 1
        yield start + first * step, start + last * step


def _put(frames: dict[float, Frame], name: str, series: Iterable[Series]) -> None:
    for one in series:
        key = (
            one.labels.get("__name__", name),
            *(one.labels[label] for label in _KEYS if label in one.labels),
        )
        for at, value in one.values:
            frames.setdefault(at, {})[key] = value


# The labels that tell apart series of one name, in the order in which they stand in a key.
_KEYS = ("application_name", "usename", "datname", "state", "tier", "role", "database")


def _own(at: float, frame: Frame) -> Recorded | None:
    """Make of pgheadroom's own series what was read then."""
    states = (key[1] for key in frame if key[0] == "pgheadroom_target_state" and len(key) > 1)
    state = next(states, "ok")
    if state != Outcome.OK:
        recognized = state in list(Outcome)
        return Failure(at, Outcome(state) if recognized else Outcome.ERROR, "as Prometheus has it")
    most = frame.get((_OWN,))
    if most is None:
        return None
    hidden = _whole(frame.get(("pgheadroom_slots_hidden",), 0))
    groups = []
    for (name, *labels), value in frame.items():
        if name == "pgheadroom_connections" and len(labels) == 2:  # noqa: PLR2004 - name and state
            # Logins in progress are among them, under this name; a sample has them apart.
            under_way = hidden if labels == [UNNAMED, "starting"] else 0
            groups.append(Group(labels[0], labels[1], max(0, _whole(value) - under_way), None))
    connections = sum(group.count for group in groups)
    used = frame.get(("pgheadroom_slots_used",))
    return recorded_sample(
        at,
        Limits(
            _whole(most),
            *(_whole(frame.get(("pgheadroom_reserved_slots", tier), 0)) for tier in _PEER_RESERVES),
        ),
        tuple(group for group in groups if group.count),
        hidden=hidden,
        visible=connections if used is None else max(0, _whole(used) - hidden),
        others=(*_uses(frame, CapacityKind.ROLE), *_uses(frame, CapacityKind.DATABASE)),
        started_at=frame.get(("pgheadroom_server_start_time_seconds",), 0.0),
        activity=_activity(frame, _COMMITS, _OPENED),
    )


def _uses(frame: Frame, kind: CapacityKind) -> tuple[Capacity, ...]:
    return tuple(
        Capacity(
            Scope(kind, (name,)),
            _whole(frame.get((f"pgheadroom_{kind}_connections", name), 0)),
            _whole(limit),
        )
        for (metric, *labels), limit in frame.items()
        if metric == f"pgheadroom_{kind}_connection_limit"
        for name in labels
    )


def _peer(at: float, frame: Frame, told_by: str) -> Recorded | None:
    """Make of postgres_exporter's series what was read then."""
    most = frame.get((_PEER,))
    rows = [(key[1:], value) for key, value in frame.items() if key[0] == _ACTIVITY]
    if ("pg_up",) in frame:
        words = "postgres_exporter could not read the server (pg_up is 0)"
        return Failure(at, Outcome.ERROR, words)
    if most is None or not rows:
        return None
    word = "" if told_by == "application_name" else f"{_TOLD_BY[told_by]} "
    groups = tuple(
        # An empty label is none at all: of a row without a name, only the state is left.
        Group(word + labels[0] if len(labels) > 1 else "", labels[-1], _whole(value), None)
        for labels, value in rows
        if labels and value > 0
    )
    defaults = {"superuser": _DEFAULT_SUPERUSER_RESERVED}
    reserves = {
        tier: _whole(frame.get((name,), defaults.get(tier, 0)))
        for tier, name in _PEER_RESERVES.items()
    }
    reserves["provider"] -= RdsReserve.AUTO.shared(reserves["reserved"], reserves["provider"])
    activity = _activity(frame, _PEER_COMMITS)
    return recorded_sample(at, Limits(_whole(most), *reserves.values()), groups, activity=activity)


def _activity(frame: Frame, commits: str, opened: str = "") -> Activity | None:
    """Return what the counters that are called so say; None where there is none of them."""
    done, came = frame.get((commits,)), frame.get((opened,))
    if done is None and came is None:
        return None
    return Activity(_counter(done), _counter(came))


def _counter(value: float | None) -> int | None:
    return None if value is None else min(MOST_COUNTED, max(0, round(value)))


def _whole(value: float) -> int:
    """Return *value* as a count; nothing that a Prometheus says is taken on trust."""
    return min(MOST_BACKENDS, max(0, round(value)))
