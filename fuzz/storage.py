"""Fuzzes recordings and the files of the state directory."""

from __future__ import annotations

import gzip

from fuzz.harness import Harness, file_of
from pgheadroom.model.activity import Activity
from pgheadroom.model.blockers import Blocker, Blockers
from pgheadroom.model.names import NameFolder
from pgheadroom.model.reading import Failure, Group, Outcome, Probe, ProbeKind, Recorded
from pgheadroom.model.recorded import recorded_sample
from pgheadroom.model.slots import Limits
from pgheadroom.state import State
from pgheadroom.step import Policy, step
from pgheadroom.storage.recording import RecordingError, line_of, parse
from pgheadroom.storage.recording_end import UnusableRecordingError, find_end
from pgheadroom.storage.snapshot import Snapshot, restored, taken
from pgheadroom.storage.snapshot_file import DamagedError, pack, unpack

_POLICY = Policy(NameFolder().fold)
_LIMITS = Limits(100, 3, 5)
_NOW = 5000.0


def _readings() -> list[Recorded]:
    groups = (Group("api", "idle", 40, None), Group('a "b" \\ \n', "active", 3, None))
    samples = [
        recorded_sample(1000.0 + 60 * n, _LIMITS, (*groups, Group("leak", "idle", n, None)))
        for n in range(50)
    ]
    failure = Failure(4000.0, Outcome.FULL, "sorry, too many clients already")
    root = Blocker(
        *(41, "client backend", 'a "b" \\ \n', "app", "shop", "active", None),
        blocks=2,
        longest_wait_seconds=9.0,
        applications=(("api", 2),),
    )
    blockers = Blockers(3999.0, 2, 2, (root,))
    samples.append(
        recorded_sample(
            *(3999.5, _LIMITS, groups),
            waiting=2,
            blockers=blockers,
            activity=Activity(5_000_000_000, 4711, 12.5),
            younger={"api": (1, 20, 40)},
        )
    )
    return [*samples, failure, Probe(ProbeKind.KNOCK, 4001.0, 0.01, Outcome.OK)]


def _state() -> State:
    state = State("db")
    for reading in _readings():
        state = step(state, reading, _POLICY)
    return state


def recording(data: bytes) -> None:
    """A line of a recording."""
    try:
        found = parse(data.decode("utf-8", errors="replace"))
    except RecordingError as error:
        assert str(error).isprintable()
        return
    again = parse(line_of(found))
    assert line_of(again) == line_of(found)
    step(State("db"), found, _POLICY)


def end_of_recording(data: bytes) -> None:
    """A file that a recorder is to go on with."""
    for gz in (False, True):
        for bytes_ in (data, gzip.compress(data, 1, mtime=0)) if gz else (data,):
            with file_of(bytes_) as path:
                try:
                    found = find_end(path, gz=gz)
                except UnusableRecordingError:
                    continue
                assert 0 <= found.size <= len(bytes_)
                assert found.size + found.bytes_cut == len(bytes_)


def snapshot(data: bytes) -> None:
    """A file of the state directory, as it is and as what was packed."""
    for packed in (data, gzip.compress(data, 1, mtime=0)):
        try:
            found = unpack(packed, "db", _NOW)
        except DamagedError as error:
            assert str(error).isprintable()
        else:
            _goes_on(found)


def _goes_on(found: Snapshot) -> None:
    """Remember it again, and take readings on from there."""
    assert unpack(pack(found, "db"), "db", _NOW) == found
    state = restored(State("db"), found, _NOW)
    for n in range(3):
        sample = recorded_sample(_NOW + n, _LIMITS, (Group("leak", "idle", 50 + n, None),))
        state = step(state, sample, _POLICY)
    pack(taken(state, _NOW + 3), "db")


_LINES = [line_of(reading).encode() for reading in _readings()]
_MEMORY = pack(taken(_state(), _NOW), "db")
_EMPTY = pack(taken(State("db"), _NOW), "db")

HARNESSES = (
    Harness(
        "recording",
        recording,
        (
            *_LINES[-3:],
            b'{"time":1,"max_connections":9,"superuser_reserved_connections":3,'
            b'"connections":[],"pulse":[3,1],"roles":[["a",1,1]],"hidden":1,"started_at":0}',
        ),
        share=200,
        words=(
            '"time":',
            '"failure":"full"',
            '"knock":"ok"',
            '"pulse":',
            '"young":[["api",0,1,2]]',
            '"commits":9223372036854775808',
            "1e999",
            "NaN",
            '"\\ud800"',
        ),
        longest=1024,
    ),
    Harness(
        "end-of-recording",
        end_of_recording,
        (b"\n".join(_LINES[-3:]) + b"\n", _LINES[0], gzip.compress(_LINES[0] + b"\n", mtime=0)),
        share=60,
    ),
    Harness(
        "memory",
        snapshot,
        (_MEMORY, gzip.decompress(_MEMORY), gzip.decompress(_EMPTY)),
        share=40,
        words=("1e999", "-1", "null", '"climbing"', "9007199254740993", "1" + "0" * 400),
        longest=16384,
    ),
)
