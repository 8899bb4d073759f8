"""Converts a snapshot to a file's bytes and back; a file is checked before it is believed.

Gzip around JSON. Of a file nothing is taken on trust: it is read whole or not at all.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import replace
from itertools import pairwise
from operator import gt
from typing import Any, NoReturn

from pgheadroom.durations import duration
from pgheadroom.forecast.application_trends import (
    FIRST,
    LAST,
    ApplicationTrend,
    ApplicationTrends,
    Verdict,
)
from pgheadroom.forecast.history import RUNGS, SPAN, Bucket, History, Rung
from pgheadroom.forecast.rhythm.peaks import DAYS
from pgheadroom.forecast.usage import Usage
from pgheadroom.model.alert import SEVERITIES
from pgheadroom.model.event import MOST_EVENTS
from pgheadroom.storage.plain import Plain, UnfitError, plain, typed
from pgheadroom.storage.snapshot import Last, Snapshot

FORMAT = 7
"""Goes up when anything that is remembered changes its shape or its meaning."""
_READ = (1, 2, 3, 4, 5, 6, FORMAT)
"""Older formats are read all the same."""
_PATTERNS = {"strokes": "jumps", "range": "cycle"}
"""What formats 1 and 2 call two patterns of a forecast."""

_LARGEST_BYTES = 64 * 1024 * 1024
"""Unpacked; a thousand applications in every bucket are a quarter of it."""
_LARGEST = 2**53
_COMPRESSION = 4
"""An eighth smaller than by level 1, in a third of a millisecond more."""
_FUTURE_SECONDS = 60.0
"""A clock may be set back by as much without ado."""
_IDENTIFIER = re.compile("[0-9]{0,20}", re.ASCII)
_ABOUT = ("role", "database", "user", "pooler")
_FIGURES = len(Bucket._fields) - 1
_KEYS = {"format", "target", "memory", "names", "rungs"}


class DamagedError(Exception):
    """A file can't be believed; the message says why, in words of ours alone."""


def pack(snapshot: Snapshot, target: str) -> bytes:
    """Return the *snapshot* of *target* as the bytes of a file."""
    history = snapshot.usage.history
    names: dict[str, int] = {}
    rungs = [[_packed(bucket, names) for bucket in rung] for rung in history.rungs]
    without = replace(snapshot, usage=snapshot.usage._replace(history=History()))
    document = {
        "format": FORMAT,
        "target": target,
        "memory": plain(without),
        "names": list(names),
        "rungs": rungs,
    }
    # Not in UTF-8: names may hold what that can't.
    text = json.dumps(document, allow_nan=False, check_circular=False, separators=(",", ":"))
    return gzip.compress(text.encode("ascii"), compresslevel=_COMPRESSION, mtime=0)


def unpack(data: bytes, target: str, now: float) -> Snapshot:
    """Return the snapshot of *target* that *data* holds; raises DamagedError."""
    document = _document(data)
    if type(document) is not dict or "format" not in document:
        raise DamagedError("it is not a state of pgheadroom")
    if document["format"] not in _READ:
        raise DamagedError(f"it has another format than {FORMAT}, the newest that is known here")
    if set(document) != _KEYS:
        raise DamagedError("it is incomplete")
    if document["target"] != target:
        raise DamagedError("it is of another target")
    try:
        memory = document["memory"]
        for newer in _NEWER[int(document["format"]) - 1 :]:
            memory = newer(memory)
        snapshot: Snapshot = typed(Snapshot, memory)
        history = _history(document["rungs"], document["names"])
    except UnfitError:
        raise DamagedError("something in it has the wrong type") from None
    snapshot = replace(snapshot, usage=snapshot.usage._replace(history=history))
    _check(snapshot)
    if snapshot.at > now + _FUTURE_SECONDS:
        ahead = duration(snapshot.at - now)
        raise DamagedError(f"it is {ahead} ahead of our clock, which was set back")
    return snapshot


def _from_format_1(memory: Plain) -> Plain:
    """Return what the first format says: alerts without a moment, and no last sample.

    Nor, at first, the cluster's identifier.
    """
    try:
        at, usage, trends, forecasts, active, *identifier = memory
        now = [[key, [since, one and [*one, None], *rest]] for key, (since, one, *rest) in active]
    except (TypeError, ValueError):
        raise UnfitError from None
    return [at, usage, trends, forecasts, now, *(identifier or [""]), None]


def _from_format_2(memory: Plain) -> Plain:
    try:
        at, usage, trends, forecasts, *rest = memory
        renamed = [[_PATTERNS.get(pattern, pattern), *more] for pattern, *more in forecasts]
    except (TypeError, ValueError):
        raise UnfitError from None
    return [at, usage, trends, renamed, *rest]


def _from_format_3(memory: Plain) -> Plain:
    """Return what the third format says: at most one label to an alert, and a last sample.

    The sample is left out: it is only shown until there is another.
    """
    try:
        at, usage, trends, forecasts, active, identifier, _ = memory
        gathered = [*usage[:5], 0, *usage[5:], [[]], trends, forecasts]
        labelled = [
            [
                [name, severity, [about] if about else []],
                [since, one and [*one[:5], [one[5]] if one[5] else [], *one[6:]], *rest],
            ]
            for (name, severity, about), (since, one, *rest) in active
        ]
    except (TypeError, ValueError, LookupError):
        raise UnfitError from None
    return [at, gathered, labelled, identifier, None]


def _from_format_4(memory: Plain) -> Plain:
    """Return what the fourth format says: nothing of events."""
    if type(memory) is not list:
        raise UnfitError
    return [*memory, []]


def _from_format_5(memory: Plain) -> Plain:
    """Return what the fifth format says: a last sample that does not tell who waits; left out."""
    try:
        at, usage, active, identifier, _, events = memory
    except (TypeError, ValueError):
        raise UnfitError from None
    return [at, usage, active, identifier, None, events]


def _from_format_6(memory: Plain) -> Plain:
    """Return what the sixth format says: no rhythm of days, young connections or activity."""
    try:
        at, usage, active, identifier, last, events = memory
        with_rhythm = [*usage, [-1, 0, 0, [0, [], []], [0, [], [], []]], None]
        if last is not None:
            (*sample, holders, facts), applications = last
            last = [[*sample, [*holders, None], [*facts, None]], applications]
    except (TypeError, ValueError):
        raise UnfitError from None
    return [at, with_rhythm, active, identifier, last, events]


_NEWER = (
    *(_from_format_1, _from_format_2, _from_format_3),
    *(_from_format_4, _from_format_5, _from_format_6),
)
"""What makes the next format of each older one."""


def _document(data: bytes) -> Plain:
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = unzip.decompress(data, _LARGEST_BYTES)
    except zlib.error:
        raise DamagedError("it is not gzip, or not as it was written") from None
    if len(text) == _LARGEST_BYTES:
        raise DamagedError(f"it has more than {_LARGEST_BYTES >> 20} MiB unpacked")
    if not unzip.eof:
        raise DamagedError("its end is missing")
    if unzip.unused_data:
        raise DamagedError("something follows its end")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise DamagedError("it is not JSON") from None


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def _packed(bucket: Bucket, names: dict[str, int]) -> list[Any]:
    spans = bucket.spans
    for name in spans:
        names.setdefault(name, len(names))
    # In three lists rather than in one for each name: that is what takes the time.
    lows, highs = zip(*spans.values(), strict=True) if spans else ((), ())
    return [*bucket[:_FIGURES], [names[name] for name in spans], lows, highs]


def _history(rungs: Plain, names: Plain) -> History:
    if type(names) is not list or not set(map(type, names)) <= {str}:
        raise UnfitError
    if type(rungs) is not list or len(rungs) != RUNGS:
        raise UnfitError
    return History(tuple(_rung(rung, number, names) for number, rung in enumerate(rungs)))


def _rung(buckets: Plain, number: int, names: list[str]) -> Rung:
    if type(buckets) is not list:
        raise UnfitError
    rung = tuple(_bucket(one, names) for one in buckets)
    if not rung:
        return rung
    starts = [bucket.nth for bucket in rung]
    in_order = all(one < other for one, other in pairwise(starts))
    if not in_order or starts[-1] - starts[0] >= SPAN or starts[-1] << number > _LARGEST:
        raise DamagedError("its history is not in order")
    return rung


def _bucket(fields: Plain, names: list[str]) -> Bucket:
    if type(fields) is not list or len(fields) != _FIGURES + 3:
        raise UnfitError
    *figures, who, lows, highs = fields
    for numbers in (figures, who, lows, highs):
        if type(numbers) is not list or not set(map(type, numbers)) <= {int}:
            raise UnfitError
        if numbers and not 0 <= min(numbers) <= max(numbers) <= _LARGEST:
            raise DamagedError("a number in its history is out of range")
    if not len(who) == len(lows) == len(highs) or any(map(gt, lows, highs)):
        raise DamagedError("its applications are not in order")
    if who and max(who) >= len(names):
        raise DamagedError("its applications are not in order")
    spans = dict(zip(map(names.__getitem__, who), zip(lows, highs, strict=True), strict=True))
    bucket = Bucket._make([*figures, spans])
    few, many = bucket.samples * bucket.low, bucket.samples * bucket.high
    if len(spans) != len(who) or bucket.samples < 1 or not few <= bucket.total <= many:
        raise DamagedError("the figures of its history do not add up")
    return bucket


def _check(snapshot: Snapshot) -> None:
    """Refuse what has the right types and can't be."""
    if not _IDENTIFIER.fullmatch(snapshot.identifier):
        raise DamagedError("it is of a server that cannot be")
    usage = snapshot.usage
    if len(usage.climbs) != RUNGS or len(usage.ranges) != RUNGS or usage.limit < 0:
        raise DamagedError("its climbs are not in order")
    if any(climb is not None and climb.rate <= 0 for climb in usage.climbs):
        raise DamagedError("its climbs are not in order")
    if usage.cycles.next is not None and usage.cycles.next.last not in usage.cycles.peaks:
        raise DamagedError("its cycles are not in order")
    _check_weeks(usage)
    _check_trends(usage.trends)
    if snapshot.last is not None:
        _check_last(snapshot.last)
    if len(snapshot.events) > MOST_EVENTS:
        raise DamagedError("its events are not in order")
    for key, active in snapshot.active.items():
        alert = active.alert
        name, severity, about = key
        possible = severity in SEVERITIES[name] and all(label in _ABOUT for label, _ in about)
        if not possible or (alert is not None and alert.key != key):
            raise DamagedError("its alerts are not in order")


def _check_weeks(usage: Usage) -> None:
    ahead = usage.outgrown
    foreseen = ahead is None or (0 <= ahead.weekday < DAYS and ahead.growth > 0 and ahead.high >= 0)
    if not usage.rhythm.possible or not foreseen:
        raise DamagedError("its days and weeks are not in order")


def _check_last(last: Last) -> None:
    sample, applications = last
    limits = sample.postgres.slots.limits
    reserve = (limits.superuser_reserved, limits.reserved, limits.provider_reserved)
    figures = [
        limits.max_connections,
        *reserve,
        sample.postgres.slots.visible,
        sample.postgres.slots.hidden,
    ]
    figures += [use.used for use in sample.others]
    figures += [*applications.counts.values(), *applications.by_holder.values()]
    totals: dict[str, int] = {}
    for (name, _), count in applications.counts.items():
        totals[name] = totals.get(name, 0) + count
    if min(figures) < 0 or totals != dict(applications.totals):
        raise DamagedError("its last sample is not in order")


def _check_trends(trends: ApplicationTrends) -> None:
    by_length = trends.by_length
    lengths = [float(SPAN << number) for number in range(FIRST, LAST + 1)]
    trends_seen: list[ApplicationTrend] = list(trends.leaks)
    fits = len(by_length) == len(lengths)
    for by_name, seconds in zip(by_length, lengths, strict=fits):
        fits = fits and all(t.name == name and t.seconds == seconds for name, t in by_name.items())
        trends_seen += by_name.values()
    fits = fits and all(t.change > 0 for t in trends_seen if t.verdict is Verdict.CLIMBING)
    if not fits or any(leak.verdict is not Verdict.CLIMBING for leak in trends.leaks):
        raise DamagedError("its trends are not in order")
