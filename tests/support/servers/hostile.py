"""Acts as a hostile server that speaks PostgreSQL's protocol.

Run as a program, it listens at the loopback port that it is given, lets everybody in and sends,
until they leave, what its second argument names.
"""

import contextlib
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Final

from tests.support.servers.ports import LOOPBACK

_MEGABYTE: Final = 1024 * 1024
_SSL_REQUEST_LENGTH: Final = 8


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


_WELCOME: Final = (
    _message(b"R", struct.pack("!i", 0))
    + _message(b"S", b"server_version\x0018.0\0")
    + _message(b"K", struct.pack("!ii", 1, 1))
)
_READY: Final = _message(b"Z", b"I")
_COLUMN: Final = _message(
    b"T", struct.pack("!h", 1) + b"a\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
)
_DONE: Final = _message(b"C", b"SELECT 1\0") + _READY
_LONG_ROW: Final = _message(b"D", struct.pack("!hi", 1, _MEGABYTE) + b"x" * _MEGABYTE)


def _row(length: int) -> Iterator[bytes]:
    """One row of *length* bytes, in pieces, and no end of the answer."""
    yield _COLUMN + b"D" + struct.pack("!ihi", length + 10, 1, length)
    for _ in range(length // 65536):
        yield b"x" * 65536
    while True:
        yield _message(b"N", b"SNOTICE\0C00000\0Mmore\0\0")


def _endless(message: bytes, before: bytes = b"", times: int = 1024) -> Iterator[bytes]:
    yield before
    while True:
        yield message * times


def _settings() -> Iterator[bytes]:
    """Let in, and tell of another parameter each time, without end."""
    yield _WELCOME
    number = 0
    while True:
        number += 1
        yield _message(b"S", b"p%d\0x\0" % number)


WAYS: Final[dict[str, Callable[[], Iterator[bytes]]]] = {
    "a row of a gigabyte": lambda: _row(1023 * _MEGABYTE),
    "a row of 50 MB": lambda: _row(50 * _MEGABYTE),
    "long rows without end": lambda: _endless(_LONG_ROW, _COLUMN, times=1),
    "rows without end": lambda: _endless(
        _message(b"D", struct.pack("!hi", 1, 8) + b"x" * 8), _COLUMN
    ),
    "notices without end": lambda: _endless(_message(b"N", b"SNOTICE\0C00000\0Mmore\0\0")),
    "statements without end": lambda: _endless(_message(b"C", b"SELECT 0\0")),
    "a row of nonsense": lambda: iter([_COLUMN + _message(b"D", b"\0\1" + b"\0" * 4) + _DONE]),
    "no row at all": lambda: iter([_COLUMN + _DONE]),
    "what no server says": lambda: _endless(b"\xff\xfe\0\1"),
}
GREETINGS: Final[dict[str, Callable[[], Iterator[bytes]]]] = {
    "a greeting without end": _settings,
    "an error without end": lambda: _endless(b"x" * 64, b"E" + struct.pack("!i", 2**30)),
    "no greeting": lambda: _endless(b"HTTP/1.1 200 OK\r\n\r\n"),
}


def _serve(connection: socket.socket, way: str) -> None:
    (length,) = struct.unpack("!i", connection.recv(4, socket.MSG_WAITALL))
    connection.recv(length - 4, socket.MSG_WAITALL)
    if length == _SSL_REQUEST_LENGTH:
        connection.sendall(b"N")
        return _serve(connection, way)
    if way in GREETINGS:
        pieces = GREETINGS[way]()
    else:
        connection.sendall(_WELCOME + _READY)
        connection.recv(65536)
        pieces = WAYS[way]()
    for piece in pieces:
        connection.sendall(piece)
    connection.recv(1)
    return None


def main(port: int, way: str) -> None:
    """Do harm in that *way* to one client after another."""
    with socket.create_server((LOOPBACK, port)) as listener:
        while True:
            connection, _ = listener.accept()
            # Who leaves in the middle of it ends it.
            with connection, contextlib.suppress(OSError, struct.error):
                _serve(connection, way)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
