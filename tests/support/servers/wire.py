"""Parses and builds PostgreSQL messages: the part of the wire protocol that the tests need."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

Address = tuple[str, int] | Path
Row = tuple[str | None, ...]

DEADLINE_SECONDS: Final = 15.0
_PROTOCOL_3_0: Final = 196608


class HangUpError(ConnectionError):
    """The server closed the connection without a word."""


class Wire:
    """One connection, message by message."""

    def __init__(self, address: Address, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        if isinstance(address, Path):
            self.socket = socket.socket(socket.AF_UNIX)
        else:
            self.socket = socket.socket()
        self.socket.settimeout(deadline_seconds)
        try:
            self.socket.connect(str(address) if isinstance(address, Path) else address)
        except OSError:
            self.socket.close()
            raise

    def startup(self, parameters: dict[str, str]) -> None:
        """Send the StartupMessage."""
        words = (word for pair in parameters.items() for word in pair)
        body = b"".join(word.encode() + b"\0" for word in words) + b"\0"
        self.socket.sendall(struct.pack("!ii", len(body) + 8, _PROTOCOL_3_0) + body)

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Send one message."""
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def messages(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (type, body) of the messages that arrive."""
        while True:
            head = self._read(5)
            yield head[:1], self._read(struct.unpack("!i", head[1:])[0] - 4)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                piece = self.socket.recv(size - len(data))
            except ConnectionResetError as error:
                raise HangUpError from error
            if not piece:
                raise HangUpError
            data += piece
        return data


def integer(body: bytes) -> int:
    """Return the number a message begins with."""
    number: int = struct.unpack_from("!i", body)[0]
    return number


def fields(body: bytes) -> dict[str, str]:
    """Return an ErrorResponse by its one-letter fields."""
    # What the server says before it knows the client's encoding may be in any.
    words = body.decode(errors="replace").split("\0")
    return {word[0]: word[1:] for word in words if word}


def row(body: bytes) -> Row:
    """Return the values of a DataRow."""
    values: list[str | None] = []
    at = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        values.append(None if size < 0 else body[at : at + size].decode())
        at += max(size, 0)
    return tuple(values)
