"""Reads a recording, plain or gzip: its readings, each with its place in the file.

Trouble with a file is one error that names the file, the line where there is one, and what is
wrong there.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from pgheadroom.model.reading import Recorded, Sample
from pgheadroom.storage.recording import RecordingError, parse
from pgheadroom.text import printable

STDIN = "-"

_LONGEST_LINE = 8 * 1024 * 1024  # bytes; 50 applications make 3 thousand
_GZIP = b"\x1f\x8b"
_SUFFIXES = (".gz", ".jsonl", ".json")


class UnreadableRecordingError(Exception):
    """A file that cannot be played back; the message begins with its name and line."""


class RecordingReader:
    """The readings of one file, in the order of their time; ``-`` is the standard input."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.shown = printable(path) if path != STDIN else "stdin"
        """The file's name as it can be printed."""
        self._raw: io.BufferedReader | None = None
        self._line = 0

    @property
    def name(self) -> str:
        """What the history is called: the file's name without folder and suffixes."""
        name = Path(self.shown).name
        for suffix in _SUFFIXES:
            name = name.removesuffix(suffix) or name
        return name

    @property
    def size(self) -> int | None:
        """Bytes of the file, None when it has no end that is known."""
        path = Path(self.path)
        return path.stat().st_size if self.path != STDIN and path.is_file() else None

    @property
    def position(self) -> int:
        """Bytes read so far."""
        raw = self._raw
        if raw is None:
            return 0
        if raw.closed:  # it was read to its end
            return self.size or 0
        return raw.tell() if raw.seekable() else 0

    def __iter__(self) -> Iterator[Recorded]:
        """Yield each reading; raises UnreadableRecordingError at the first line that is none."""
        try:
            if self.path == STDIN:
                with open(sys.stdin.fileno(), "rb", closefd=False) as raw:
                    yield from self._play(raw)
            else:
                with Path(self.path).open("rb") as raw:
                    yield from self._play(raw)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._line += 1  # the one that could not be read
            raise self._wrong(f"damaged gzip: {error}") from None
        except OSError as error:
            raise UnreadableRecordingError(
                f"{self.shown}: cannot read it: {error.strerror}"
            ) from None

    def _play(self, raw: io.BufferedReader) -> Iterator[Recorded]:
        self._raw = raw
        zipped = raw.peek(len(_GZIP)).startswith(_GZIP)
        file = gzip.GzipFile(fileobj=raw) if zipped else raw
        newest = newest_sample = -1.0
        while line := file.readline(_LONGEST_LINE):
            self._line += 1
            reading = self._reading(line)
            if reading is None:
                continue
            at = reading.at
            if at < newest or (type(reading) is Sample and at <= newest_sample):
                raise self._wrong(f"time runs backwards: {at!r} is not after {newest!r}")
            newest = at
            if type(reading) is Sample:
                newest_sample = at
            yield reading
        if newest < 0:
            self._line = max(1, self._line)
            raise self._wrong("the file is empty: there is no reading in it")

    def _reading(self, line: bytes) -> Recorded | None:
        if len(line) == _LONGEST_LINE:
            raise self._wrong(f"a line of more than {_LONGEST_LINE} bytes")
        try:
            text = line.decode()
            return None if text.isspace() else parse(text)
        except UnicodeDecodeError:
            raise self._wrong("not UTF-8: no recording") from None
        except RecordingError as error:
            cut = "" if line.endswith(b"\n") else " (the last line, perhaps cut off)"
            raise self._wrong(f"{error}{cut}") from None

    def _wrong(self, words: str) -> UnreadableRecordingError:
        return UnreadableRecordingError(f"{self.shown}:{self._line}: {words}")
