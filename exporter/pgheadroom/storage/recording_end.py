"""Finds where a recording ends: its last whole line, and its last reading."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from pgheadroom.model.reading import Recorded
from pgheadroom.storage.recording import RecordingError, parse

_TAIL = 8 * 1024 * 1024  # bytes; longer than any line
_CHUNK = 64 * 1024
_MOST_CUT = 1024 * 1024  # bytes; what a kill or a full disk leaves behind is less
_GZIP = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b"
_HARDLY_ANYTHING = 64  # bytes; of gzip that is a header and a few letters
_BEGINS = b'{"time":'


class UnusableRecordingError(Exception):
    """A file that cannot be recorded to; the message says which and why."""


@dataclass(frozen=True, slots=True)
class End:
    """How a file ends."""

    size: int
    """Bytes of it that are whole."""
    bytes_cut: int
    """Bytes behind them that are not."""
    last: Recorded | None
    """None when the file is empty."""
    unended: bool = False
    """The last line is whole, except for its line end."""


def find_end(path: Path, *, gz: bool) -> End:
    """Look for the end of the recording at *path*, which is not changed.

    Raises UnusableRecordingError when it is no recording, or more damaged than a kill leaves one:
    it is better left alone then. Raises OSError.
    """
    size = path.stat().st_size
    if size == 0:
        return End(0, 0, None)
    whole, tail, torn = _gzip_tail(path) if gz else _plain_tail(path, size)
    before, _, half = tail.rpartition(b"\n")
    unended = _reading(half)
    last = unended or _reading(before.rpartition(b"\n")[2])
    if half and unended is None:
        whole, torn = whole - len(half), half
    cut = size - whole
    begins = torn.startswith(_BEGINS) or (size < _HARDLY_ANYTHING and _BEGINS.startswith(torn))
    if last is None and not (whole == 0 and begins):
        raise UnusableRecordingError(f"{path} is there, and is no recording; it is left as it is")
    if cut > _MOST_CUT or (gz and half and unended is None):
        raise UnusableRecordingError(f"{path} is damaged near byte {whole}; move it away")
    return End(whole, cut, last, unended=unended is not None)


def _plain_tail(path: Path, size: int) -> tuple[int, bytes, bytes]:
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        return size, file.read(), b""


def _gzip_tail(path: Path) -> tuple[int, bytes, bytes]:
    """Return where the last whole member ends, the text up to there, and that of a torn one."""
    whole, offset, tail = 0, 0, b""
    with path.open("rb") as file:
        data = file.read(_CHUNK)
        if not data.startswith(_MAGIC[: len(data)]):
            raise UnusableRecordingError(
                f"{path} is there, and is no gzip; it is no recording of ours"
            )
        while data:
            member, text = zlib.decompressobj(_GZIP), b""
            while data and not member.eof:
                try:
                    text = (text + member.decompress(data))[-_TAIL:]
                except zlib.error:
                    return whole, tail, text
                offset += len(data) - len(member.unused_data)
                data = member.unused_data or file.read(_CHUNK)
            if not member.eof:
                return whole, tail, text
            whole, tail = offset, (tail + text)[-_TAIL:]
    return whole, tail, b""


def _reading(line: bytes) -> Recorded | None:
    try:
        return parse(line.decode())
    except (RecordingError, UnicodeDecodeError):
        return None
