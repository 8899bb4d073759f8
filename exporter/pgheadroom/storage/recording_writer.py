"""Writes a recording so that a kill, a full disk or its size does no harm.

Lines are appended whole. To a gzip file, lines of a few seconds at a time are appended as a member
of their own, so that at any moment the file is one that every tool can read.
"""

from __future__ import annotations

import fcntl
import gzip
import logging
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import structlog

from pgheadroom.log import Trouble
from pgheadroom.model.reading import Recorded, Sample
from pgheadroom.storage.recording import TIME_DIGITS, line_of
from pgheadroom.storage.recording_end import End, UnusableRecordingError, find_end

log = structlog.get_logger("pgheadroom.commands.record")

_CLOCK_SET_BACK_SECONDS = 60.0
_PENDING_BYTES = 256 * 1024


class RecordingWriter(Protocol):
    """Where readings go."""

    readings: int
    """Readings written so far."""

    def write(self, reading: Recorded) -> None:
        """Take one more reading."""

    def flush(self) -> None:
        """Write what was held back so far; to be called every few seconds."""

    def close(self) -> None:
        """Write the rest, and give the file up."""


class RecordingFile:
    """A file, appended to and rotated: ``FILE`` becomes ``FILE.1``, that ``FILE.2`` and so on.

    With gzip the number stands before the suffix: ``FILE.jsonl.1.gz``. Making one raises
    UnusableRecordingError if the file cannot be written or is no recording; later trouble is logged
    once, and readings are lost until it is over.
    """

    def __init__(self, path: Path, *, rotate_bytes: int, keep: int) -> None:
        self.path = path
        self.readings = 0
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._pending: list[str] = []
        self._lost = 0
        self._newest = self._newest_sample = -1.0
        self._size = 0
        self._loss = Trouble(
            log, "cannot write; readings are lost until it can be", "recording again", logging.ERROR
        )
        self._stuck = Trouble(log, "cannot rotate", "rotates again", logging.ERROR)
        try:
            self._file = self._open()
            try:
                self._take_up(find_end(path, gz=self._gz))
            except BaseException:
                os.close(self._file)
                raise
        except OSError as error:
            raise UnusableRecordingError(f"cannot write {path}: {error.strerror}") from None

    @property
    def _gz(self) -> bool:
        return self.path.suffix == ".gz"

    def write(self, reading: Recorded) -> None:
        """Append *reading*; a sample that is not newer than the last one is left out.

        Readings of several kinds may come a little out of order: a knock bears the time at which
        it began. In the file, time never runs backwards.
        """
        at = round(reading.at, TIME_DIGITS)
        if at < self._newest - _CLOCK_SET_BACK_SECONDS:
            self.flush()
            self._rotate("the clock was set back")
            self._newest = self._newest_sample = -1.0
        if isinstance(reading, Sample):
            if at <= self._newest_sample or at < self._newest:
                return
            self._newest_sample = at
        else:
            reading = replace(reading, at=max(at, self._newest))
        self._newest = max(at, self._newest)
        line = line_of(reading)
        self._pending.append(line + "\n")
        if not self._gz or sum(map(len, self._pending)) > _PENDING_BYTES:
            self.flush()

    def flush(self) -> None:
        """Append what is pending, all of it or nothing; rotate when the file is large enough."""
        if not self._pending:
            return
        lines, self._pending = self._pending, []
        data = "".join(lines).encode()
        if self._gz:
            data = gzip.compress(data, compresslevel=6)
        try:
            self._append(data)
        except OSError as error:
            self._loss.begin(file=str(self.path), reason=_why(error))
            self._lost += len(lines)
            return
        self._loss.end(file=str(self.path), readings_lost=self._lost)
        self._lost = 0
        self.readings += len(lines)
        if self._size >= self._rotate_bytes:
            self._rotate("it is large enough")

    def close(self) -> None:
        """Write what is pending, and close the file."""
        self.flush()
        os.close(self._file)

    def _open(self) -> int:
        # Not O_TRUNC: whose file it is must be known first.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(self.path, flags, 0o644)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            words = "is not a regular file; without FILE, lines go to the standard output"
            raise UnusableRecordingError(f"{self.path} {words}")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise UnusableRecordingError(
                f"{self.path} is being recorded to by another process"
            ) from None
        return file

    def _take_up(self, end: End) -> None:
        """Go on where an earlier run has ended."""
        self._size = end.size
        if end.unended:
            self._append(gzip.compress(b"\n") if self._gz else b"\n")
        elif end.bytes_cut:
            os.ftruncate(self._file, end.size)
            log.warning("removed an incomplete last line", file=str(self.path), bytes=end.bytes_cut)
        if end.last is not None:
            self._newest = self._newest_sample = end.last.at

    def _append(self, data: bytes) -> None:
        # What an earlier attempt left behind when the disk was full.
        os.ftruncate(self._file, self._size)
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)

    def _rotate(self, why: str) -> None:
        """Begin a new file; when that cannot be, go on with the old one."""
        try:
            if self.path.exists():  # else an earlier attempt got this far
                self._shift()
            file = self._open()
        except (OSError, UnusableRecordingError) as error:
            self._stuck.begin(file=str(self.path), reason=_why(error))
            return
        self._stuck.end(file=str(self.path))
        os.close(self._file)
        self._file = file
        self._size = 0
        log.info("rotated", file=str(self.path), because=why)

    def _shift(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            if self._numbered(number).exists():
                self._numbered(number).replace(self._numbered(number + 1))
        self.path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        if self._gz:
            return self.path.with_suffix(f".{number}.gz")
        return self.path.with_name(f"{self.path.name}.{number}")


def _why(error: OSError | UnusableRecordingError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
