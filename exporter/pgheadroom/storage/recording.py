"""Converts a reading to a line of a recording, and a line to a reading.

JSON Lines. A sample: ``{"time": 1767225600.0, "max_connections": 100,
"superuser_reserved_connections": 3, "reserved_connections": 0, "connections": [["api", "idle",
37]]}``; each connection group is ``[application_name, state, count]``, of client backends. What is
known beyond that stands under further keys, which a reader may ignore; see ``line_of``. A pooler's
sample has ``client_limit`` instead: see ``pooler_recording``. A failed
reading is ``{"time", "failure", "detail"}``, a knock ``{"time", "knock", "seconds", "detail"}``, a
login of the canary ``{"time", "canary", "seconds", "detail", "privilege"}``.
"""

from __future__ import annotations

import json
from functools import lru_cache, partial
from typing import Any, NoReturn, TypeVar

from pgheadroom.model.activity import Young
from pgheadroom.model.blockers import Blockers
from pgheadroom.model.capacity import Capacity, CapacityKind, Scope
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.reading import (
    FAILURES,
    Failure,
    Group,
    Outcome,
    Probe,
    ProbeKind,
    Recorded,
    Sample,
)
from pgheadroom.model.recorded import recorded_sample
from pgheadroom.model.slots import MOST_BACKENDS, Limits
from pgheadroom.storage import activity_recording, blockers_recording, pooler_recording
from pgheadroom.text import printable

_LAST_SECOND = 253_402_300_799.0  # of the year 9999
_LONGEST_TEXT = 1000  # characters; a server sends 63 bytes
_SHOWN = 40
TIME_DIGITS = 3
"""Of the digits behind a time's point: milliseconds."""

_PROBES = tuple(ProbeKind)

Number = TypeVar("Number", int, float)


class RecordingError(ValueError):
    """A line that is no reading; the message says what is wrong with it."""


def parse(line: str) -> Recorded:
    """Return the reading that *line* records; raises RecordingError.

    A reading from the plain format knows nothing of the server but its limits and connections:
    no login is hidden, and no version, start time or CONNECTION LIMIT is known.
    """
    try:
        fields = _decode(line)
    except RecursionError:
        raise RecordingError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise RecordingError(f"not JSON: {error.msg} at column {error.colno}") from None
    except ValueError:
        raise RecordingError("NaN, Infinity or a number of thousands of digits") from None
    if type(fields) is not dict:
        raise RecordingError(f"should be an object with a time, not {_shown(fields)}")
    at = _number(fields, "time", _LAST_SECOND)
    if "failure" in fields:
        return Failure(at, _condition(fields, "failure", FAILURES), _text(fields, "detail"))
    for kind in _PROBES:
        if kind in fields:
            outcome = _condition(fields, kind, tuple(Outcome))
            seconds = _number(fields, "seconds", _LAST_SECOND, 0.0)
            privilege = _text(fields, "privilege") if kind is ProbeKind.CANARY else ""
            return Probe(kind, at, seconds, outcome, _text(fields, "detail"), privilege)
    return _of_pooler(fields, at) if "client_limit" in fields else _sample(fields, at)


def line_of(reading: Recorded) -> str:
    """Return *reading* as a line, without the line's end; times are rounded to a millisecond.

    Beside the plain format's keys a sample has, where there is something to say: ``hidden``
    (logins in progress), ``provider_reserved``, ``pulse`` (``[backends now, when the connections
    were told apart]``, where that was not with this very sample), ``roles`` and ``databases``
    (``[name, limit, used]`` of each CONNECTION LIMIT), ``started_at`` (of the server),
    ``reserve`` (our role may use the reserved slots), ``estimate`` (the counts are not exact),
    ``waiting`` (sessions that wait for locks), ``blockers`` (who blocked whom shortly before: see
    ``blockers_recording``), and ``commits``, ``opened``, ``idle_transaction`` and ``young`` (what
    sessions do, and how young they are: see ``activity_recording``).
    """
    fields: dict[str, Any] = {"time": round(reading.at, TIME_DIGITS)}
    match reading:
        case Failure():
            fields |= {"failure": str(reading.outcome), "detail": reading.detail}
        case Probe():
            fields |= {str(reading.kind): str(reading.outcome)}
            fields |= {"seconds": round(reading.seconds, 6)}
            fields |= {"detail": reading.detail} if reading.detail else {}
            fields |= {"privilege": reading.privilege} if reading.privilege else {}
        case Sample(facts=PoolerFacts()):
            fields |= pooler_recording.fields_of(reading)
        case Sample():
            fields |= _facts(reading)
    return json.dumps(fields, separators=(",", ":"))


def _facts(sample: Sample) -> dict[str, Any]:
    facts, holders = sample.postgres, sample.holders
    slots, server = facts.slots, facts.server
    counts: dict[tuple[str, str], int] = {}
    for group in holders.groups:
        key = group.application_name, group.state
        counts[key] = counts.get(key, 0) + group.count
    further = {
        "hidden": slots.hidden,
        "provider_reserved": slots.limits.provider_reserved,
        "pulse": None if sample.full else [slots.visible, round(holders.at, TIME_DIGITS)],
        "roles": _uses_of(sample, CapacityKind.ROLE),
        "databases": _uses_of(sample, CapacityKind.DATABASE),
        "started_at": round(server.started_at, TIME_DIGITS),
        "reserve": server.reserve,
        "estimate": not sample.exact,
        "waiting": facts.waiting,
        "blockers": facts.blockers and blockers_recording.field_of(facts.blockers),
    }
    return {
        "max_connections": slots.limits.max_connections,
        "superuser_reserved_connections": slots.limits.superuser_reserved,
        "reserved_connections": slots.limits.reserved,
        "connections": [[name, state, count] for (name, state), count in counts.items()],
        **{key: value for key, value in further.items() if value},
        **activity_recording.fields_of(facts.activity, holders.younger),
    }


def _uses_of(sample: Sample, kind: CapacityKind) -> list[list[str | int | None]]:
    return [[use.name, use.limit, use.used] for use in sample.limits_of(kind)]


def _sample(fields: dict[str, Any], at: float) -> Sample:
    try:
        limits = _limits(
            fields.get("max_connections"),
            fields.get("superuser_reserved_connections"),
            fields.get("reserved_connections", 0),
            fields.get("provider_reserved", 0),
        )
    except TypeError:  # a list or an object cannot be looked up
        raise RecordingError("max_connections and the reserves must be whole numbers") from None
    groups = _groups(fields)
    longest = partial(_seconds, most=_LAST_SECOND)
    visible, told_apart = _pulse(fields["pulse"], at) if "pulse" in fields else (None, None)
    hidden = _counted("hidden", fields["hidden"]) if "hidden" in fields else 0
    return recorded_sample(
        at,
        limits,
        groups,
        hidden=hidden,
        visible=visible,
        told_apart_at=told_apart,
        others=(
            *(_uses(fields, "roles", CapacityKind.ROLE) if "roles" in fields else ()),
            *(_uses(fields, "databases", CapacityKind.DATABASE) if "databases" in fields else ()),
        ),
        started_at=_number(fields, "started_at", _LAST_SECOND) if "started_at" in fields else 0.0,
        reserve=bool(fields.get("reserve")),
        complete=not fields.get("estimate"),
        waiting=_counted("waiting", fields["waiting"]) if "waiting" in fields else 0,
        blockers=_blockers(fields["blockers"]) if "blockers" in fields else None,
        activity=activity_recording.activity_of(fields, longest, _refuse),
        younger=activity_recording.younger_of(fields["young"], groups, _young, _refuse)
        if "young" in fields
        else None,
    )


def _groups(fields: dict[str, Any]) -> tuple[Group, ...]:
    rows = fields.get("connections")
    try:
        groups = tuple([_group(*row) for row in rows])  # type: ignore[union-attr]  # None is a TypeError too
        if len({(row[0], row[1]) for row in rows}) != len(groups):  # type: ignore[union-attr]
            _twice(groups)
    except TypeError:
        words = "connections must be a list of [application_name, state, count]"
        raise RecordingError(words) from None
    return groups


def _of_pooler(fields: dict[str, Any], at: float) -> Sample:
    try:
        return pooler_recording.sample_of(
            fields, at, _groups(fields), _counted, _worded, partial(_seconds, most=_LAST_SECOND)
        )
    except (TypeError, ValueError) as error:
        if isinstance(error, RecordingError):
            raise
        words = "pools must be a list of [database, role, size, reserve, servers, waiting, seconds]"
        raise RecordingError(words) from None


def _blockers(field: object) -> Blockers:
    try:
        return blockers_recording.blockers_of(
            field, _counted, _worded, partial(_seconds, most=_LAST_SECOND)
        )
    except (TypeError, ValueError, LookupError) as error:
        if isinstance(error, RecordingError):
            raise
        words = "blockers must be an object with time, waiting, looked_at and a list of roots"
        raise RecordingError(words) from None


# Most lines say much the same as the one before. `typed`, or True would pass for a 1 seen before.
@lru_cache(maxsize=1024, typed=True)
def _limits(most: object, superuser: object, reserved: object, provider: object) -> Limits:
    return Limits(
        _counted("max_connections", most),
        _counted("superuser_reserved_connections", superuser),
        _counted("reserved_connections", reserved),
        _counted("provider_reserved", provider),
    )


@lru_cache(maxsize=16_384, typed=True)
def _group(name: object, state: object, count: object) -> Group:
    return Group(
        _worded("an application_name", name),
        _worded("a connection's state", state),
        _counted("a count of connections", count),
        None,
    )


@lru_cache(maxsize=16_384, typed=True)
def _young(name: object, least: object, less: object, young: object) -> tuple[str, Young]:
    counts = least, less, young
    return activity_recording.young_row(name, counts, _counted, _worded, _refuse)


def _uses(fields: dict[str, Any], key: str, kind: CapacityKind) -> tuple[Capacity, ...]:
    try:
        return tuple(
            Capacity(
                Scope(kind, (_worded(f"a name in {key}", name),)),
                limit=_counted(f"a limit in {key}", limit),
                used=_counted(f"a use in {key}", used),
            )
            for name, limit, used in fields[key]
        )
    except (TypeError, ValueError) as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"{key} must be a list of [name, limit, used]") from None


def _condition(fields: dict[str, Any], key: str, allowed: tuple[Outcome, ...]) -> Outcome:
    value = fields[key]
    if not isinstance(value, str) or value not in allowed:
        raise RecordingError(f"{key} must be one of {', '.join(allowed)}, not {_shown(value)}")
    return Outcome(value)


def _text(fields: dict[str, Any], key: str) -> str:
    return printable(_worded(key, fields.get(key, "")))


def _worded(what: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        _refuse(what, f"text of at most {_LONGEST_TEXT} characters", value)
    return value


def _pulse(value: object, at: float) -> tuple[int, float]:
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 - a pair
        raise RecordingError("pulse must be [backends, when connections were told apart]")
    return _counted("the backends of a pulse", value[0]), _seconds(
        "the time of a pulse", value[1], at
    )


def _counted(what: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= MOST_BACKENDS:
        _refuse(what, f"a whole number from 0 to {MOST_BACKENDS}", value)
    return value


def _number(fields: dict[str, Any], key: str, most: float, default: float | None = None) -> float:
    return _seconds(key, fields.get(key, default), most)


def _seconds(what: str, value: object, most: float) -> float:
    if type(value) not in (float, int) or not 0 <= value <= most:  # type: ignore[operator]
        _refuse(what, f"a number of seconds from 0 to {most:.0f}", value)
    return float(value)  # type: ignore[arg-type]


def _twice(groups: tuple[Group, ...]) -> NoReturn:
    keys = [(group.application_name, group.state) for group in groups]
    name, state = next(key for key in keys if keys.count(key) > 1)
    raise RecordingError(f"connections has {_shown(name)}, {_shown(state)} twice")


def _refuse(what: str, allowed: str, value: object) -> NoReturn:
    shown_value = "missing" if value is None else _shown(value)
    raise RecordingError(f"{what} must be {allowed}; it is {shown_value}")


def _shown(value: object) -> str:
    """Return *value* as it stands in the file, cut short."""
    text = json.dumps(value) if not isinstance(value, dict | list) else type(value).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " ..."


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_decode = json.JSONDecoder(parse_constant=_no_constant).decode
