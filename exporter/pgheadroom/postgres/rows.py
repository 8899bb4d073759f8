"""Reads the rows that a server returned: rows of bytes in, a Sample or a Pulse out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, ParamSpec, TypeVar

from pgheadroom.model.activity import Activity, Young, Younger
from pgheadroom.model.blockers import PREPARED, PREPARED_PID, Blockers, Locker, blockers
from pgheadroom.model.capacity import Capacity, CapacityKind, Scope
from pgheadroom.model.postgres import Backend, PostgresFacts, Server, Sessions
from pgheadroom.model.reading import Group, Holders, Sample
from pgheadroom.model.slots import Limits, RdsReserve, Slots
from pgheadroom.postgres.cadence import Pulse
from pgheadroom.postgres.starting import Starting
from pgheadroom.postgres.statements import MOST_BLOCKERS, MOST_WAITING
from pgheadroom.text import escaped

Row = tuple[bytes | None, ...]
Part = TypeVar("Part")
Given = ParamSpec("Given")

UNKNOWN_STATE = "unknown"
"""Where a state is NULL: a session between its start and its first command, or one of somebody else
when our role may not look."""


_MOST = 2**63
"""Nothing that PostgreSQL counts is larger."""


class SenselessError(ValueError):
    """The rows are none that our statements return: who answered is no PostgreSQL."""


def _sensible(read: Callable[Given, Part]) -> Callable[Given, Part]:
    """Have whatever goes wrong in *read*, which trusts its rows, be one error."""

    @functools.wraps(read)
    def reading(*args: Given.args, **kwargs: Given.kwargs) -> Part:
        try:
            return read(*args, **kwargs)
        except (ValueError, LookupError, TypeError, OverflowError):
            raise SenselessError("the answer to our statement makes no sense") from None

    return reading


@_sensible
def pulse(row: Row, at: float, duration_seconds: float) -> Pulse:
    """Read the one *row* that a pulse returns; raises SenselessError.

    On 14 to 16 it does not tell how many logins are under way: see `starting`.
    """
    visible, started_at, hidden, *unknown = row
    return Pulse(
        at=at,
        duration_seconds=duration_seconds,
        visible=_int(visible),
        hidden=0 if unknown else _int(hidden),
        started_at=_float(started_at),
    )


@_sensible
def starting(row: Row) -> Starting:
    """Read what the *row* of a pulse of 14 to 16 says of starting processes."""
    _, _, pids, clients, listed = row
    return Starting(_pids(pids), _pids(clients), _pids(listed))


@_sensible
def identifier(rows: Sequence[Row]) -> str:
    """Read the answer to what identifies the cluster: digits; raises SenselessError."""
    ((value,),) = rows
    return str(_int(value))


@_sensible
def backends(rows: Sequence[Row]) -> tuple[Backend, ...]:
    """Read process and client port of each session; a port is hidden from roles that may not look.

    Raises SenselessError.
    """
    return tuple((_int(pid), 0 if port is None else int(port)) for pid, port in rows)


@_sensible
def sample(
    rows: Iterable[Row],
    at: float,
    duration_seconds: float,
    announced_pid: int,
    extra_reserved: int = 0,
    rds_reserve: RdsReserve = RdsReserve.AUTO,
) -> tuple[Sample, Starting]:
    """Read the *rows* of a full reading: the sample, and which processes are starting.

    The sample of 14 to 16 counts no login under way: see `starting`.

    *announced_pid* is the process id that the connection was told at its start: a pooler tells
    one that is not the backend's. *extra_reserved* is what the provider holds back without
    saying so in any setting; *rds_reserve* is whether it names one reserve twice. Raises
    SenselessError.
    """
    parts = _parts(rows)
    settings = {text(name): _optional(value) for _, name, value, *_ in parts["setting"]}
    limits, shared = _limits(settings, extra_reserved, rds_reserve)
    applications = parts.get("application", [])
    groups = tuple(_group(row) for row in applications)
    figures = [_figures(row) for row in applications]
    visible = sum(group.count for group in groups)
    reserve = _optional(parts["reserve"][0][2]) if "reserve" in parts else None
    facts = PostgresFacts(
        slots=Slots(limits, visible=visible, hidden=_count(parts, "hidden")),
        server=Server(
            version=_int(settings["server_version_num"]),
            version_text=settings["server_version"] or "",
            started_at=_float(parts["started"][0][4]),
            in_recovery=text(parts["recovery"][0][2]) == "true",
            role=text(parts["me"][0][2]),
            superuser=settings["is_superuser"] == "on",
            reserve=reserve == "true",
            pooled=_count(parts, "pid") != announced_pid,
            shared_reserve=shared,
        ),
        sessions=_each(parts, "sessions", _sessions),
        waiting=sum(one.waiting for one in figures),
        activity=_activity(parts, figures),
    )
    holders = Holders(
        at=at,
        visible=visible,
        groups=groups,
        complete=text(parts["sees_all"][0][2]) == "true",
        cost_seconds=_float(parts["cost"][0][4]),
        younger=_younger(groups, figures),
    )
    others = (
        *_each(parts, "role", partial(_limit_use, CapacityKind.ROLE)),
        *_each(parts, "database", partial(_limit_use, CapacityKind.DATABASE)),
    )
    whole = Sample.of_postgres(at, duration_seconds, facts, holders, others)
    return whole, Starting(_pids(parts["hidden"][0][2]))


@_sensible
def who_blocks(rows: Iterable[Row], at: float) -> tuple[Blockers, float]:
    """Read who waits for a lock, and on whom; and how many seconds the server took to find out.

    Raises SenselessError.
    """
    parts = _parts(rows)
    lockers = {one.pid: one for one in _each(parts, "session", _locker)}
    for row in parts.get("prepared", [(None,) * 9]):
        lockers[PREPARED_PID] = _locker(row)._replace(kind=PREPARED, state="prepared")
    edges: dict[int, frozenset[int]] = {}
    for row in parts.get("edges", ()):
        for chain in text(row[2]).split(","):
            pid, *found = (_int(one or "nobody") for one in chain.split(" "))
            edges[pid] = frozenset(found)
            if len(edges) > MOST_WAITING or len(found) > MOST_BLOCKERS:
                raise ValueError
    waiting, cost = _int(parts["waiting"][0][1]), _float(parts["cost"][0][5])
    return blockers(at, waiting, edges, lockers), cost


def text(value: bytes | None) -> str:
    r"""Decode what a server sent; bytes that are no UTF-8 stay readable as ``\xNN``.

    Names of roles and databases are stored as their creator's encoding had them, whatever the
    encoding of the database that they are read from.
    """
    return (value or b"").decode("utf-8", errors="backslashreplace")


def _parts(rows: Iterable[Row]) -> dict[str, list[Row]]:
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(text(row[0]), []).append(row)
    return parts


def _each(parts: dict[str, list[Row]], name: str, read: Callable[[Row], Part]) -> tuple[Part, ...]:
    return tuple(read(row) for row in parts.get(name, ()))


def _count(parts: dict[str, list[Row]], name: str) -> int:
    return _int(parts[name][0][3])


def _limits(
    settings: dict[str, str | None], extra_reserved: int, rds_reserve: RdsReserve
) -> tuple[Limits, int]:
    """Return the limits, and how many slots two settings name that are counted once."""

    def number(name: str) -> int:
        return _int(settings.get(name))

    reserved = number("reserved_connections")
    rds_reserved = number("rds.rds_superuser_reserved_connections")
    shared = rds_reserve.shared(reserved, rds_reserved)
    limits = Limits(
        max_connections=number("max_connections"),
        superuser_reserved=number("superuser_reserved_connections"),
        reserved=reserved,
        provider_reserved=rds_reserved - shared + extra_reserved,
    )
    return limits, shared


def _group(row: Row) -> Group:
    _, name, state, count, seconds, database, role, _ = row
    return Group(
        application_name=text(name),
        state=UNKNOWN_STATE if state is None else text(state),
        count=_int(count),
        oldest_seconds=_age(seconds),
        database=_name(database),
        role=_name(role),
    )


class _Figures(NamedTuple):
    """What else a group of connections comes with."""

    waiting: int
    young: Young
    idle_transaction_seconds: float | None


def _figures(row: Row) -> _Figures:
    waiting, least, less, young, *idle = text(row[7]).split()
    counts = _int(least), _int(less), _int(young)
    if list(counts) != sorted(counts) or counts[-1] > _int(row[3]) or len(idle) > 1:
        raise ValueError
    return _Figures(_int(waiting), counts, _age(idle[0].encode()) if idle else None)


def _younger(groups: Sequence[Group], figures: Sequence[_Figures]) -> Younger | None:
    """Return the young connections of each application; None where an age is hidden from us."""
    if any(group.oldest_seconds is None for group in groups):
        return None
    younger: dict[str, Young] = {}
    for group, (_, (least, less, young), _) in zip(groups, figures, strict=True):
        if young:
            before = younger.get(group.application_name, (0, 0, 0))
            younger[group.application_name] = (
                before[0] + least,
                before[1] + less,
                before[2] + young,
            )
    return younger


def _activity(parts: dict[str, list[Row]], figures: Iterable[_Figures]) -> Activity:
    _, _, commits, opened, *_ = parts["activity"][0]
    idle = (one.idle_transaction_seconds for one in figures)
    return Activity(
        commits=_int(commits),
        opened=_int(opened),
        idle_transaction_seconds=max((one for one in idle if one is not None), default=None),
    )


def _locker(row: Row) -> Locker:
    _, pid, name, kind, state, in_transaction, waits, database, role = row
    return Locker(
        pid=_int(pid),
        kind=text(kind),
        application_name=text(name),
        role=_name(role),
        database=_name(database),
        state=UNKNOWN_STATE if state is None else text(state),
        transaction_seconds=_age(in_transaction),
        wait_seconds=_age(waits),
    )


def _limit_use(kind: CapacityKind, row: Row) -> Capacity:
    _, name, limit, used, *_ = row
    return Capacity(Scope(kind, (_name(name),)), limit=_int(limit), used=_int(used))


def _sessions(row: Row) -> Sessions:
    _, name, ends, opened, *_ = row
    abandoned, fatal, killed = (_int(end) for end in text(ends).split())
    return Sessions(_name(name), _int(opened), abandoned, fatal, killed)


def _name(value: bytes | None) -> str:
    """Return the name of a role or a database, which may be any text, as it can be shown."""
    return escaped(text(value))


def _age(value: bytes | None) -> float | None:
    return None if value is None else max(0.0, _float(value))


def _pids(value: bytes | None) -> frozenset[int]:
    """Read an array of process ids; NULL is an empty one."""
    return frozenset(_int(pid) for pid in text(value).strip("{}").split(",") if pid)


def _optional(value: bytes | None) -> str | None:
    return None if value is None else text(value)


def _int(value: bytes | str | None) -> int:
    number = int(value or 0)
    if not 0 <= number <= _MOST:
        raise ValueError
    return number


def _float(value: bytes | None) -> float:
    number = float(value or 0)
    if not abs(number) <= _MOST:  # NaN is not
        raise ValueError
    return number
