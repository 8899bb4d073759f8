"""Speaks the wire protocol to a server, and nothing more.

The oracle of the tests: it shares no code with the daemon or with libpq. An admission is a
`Session`, a refusal is a `Refused` with the fields as the server sent them; everything else raises.
"""

import contextlib
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol, Self

from tests.support.servers import wire
from tests.support.servers.wire import Address, HangUpError, Row, Wire

_AUTHENTICATION_OK: Final = 0
_SASL: Final = 10


class ProtocolError(Exception):
    """The server said something that the test did not ask for."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An ErrorResponse to a StartupMessage, by its one-letter fields."""

    fields: dict[str, str] = field(default_factory=dict)

    @property
    def sqlstate(self) -> str:
        """Field C, which no language setting changes."""
        return self.fields["C"]

    @property
    def message(self) -> str:
        """Field M, in the server's language."""
        return self.fields["M"]

    @property
    def routine(self) -> str:
        """Field R, the C function that refused, which tells one limit from another."""
        return self.fields["R"]


class QueryError(Exception):
    """An ErrorResponse to a query."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(f"{fields['C']}: {fields['M']}")
        self.fields = fields


class Held(Protocol):
    """Whatever holds a socket, and so perhaps a slot, until it is closed."""

    def close(self) -> None:
        """Let go."""


class Session:
    """An admitted client that holds its slot until it is closed."""

    def __init__(self, line: Wire, pid: int, parameters: dict[str, str]) -> None:
        self._line = line
        self.pid = pid
        self.parameters = parameters

    def query(self, sql: str) -> list[Row]:
        """Run *sql* by the simple protocol and return the rows of all its results."""
        self.send_query(sql)
        return self.result()

    def send_query(self, sql: str) -> None:
        """Send *sql* and do not wait for its result."""
        self._line.send(b"Q", sql.encode() + b"\0")

    def result(self) -> list[Row]:
        """Return the rows of the query sent last."""
        rows: list[Row] = []
        failure: QueryError | None = None
        for kind, body in self._line.messages():
            if kind == b"D":
                rows.append(wire.row(body))
            elif kind == b"E":
                failure = QueryError(wire.fields(body))
                if failure.fields.get("S") == "FATAL":
                    raise failure
            elif kind == b"Z":
                break
        if failure is not None:
            raise failure
        return rows

    def close(self, *, abruptly: bool = False) -> None:
        """Say goodbye and close; *abruptly* says nothing, as a client that crashed."""
        if not abruptly and self._line.socket.fileno() >= 0:
            try:
                self._line.send(b"X")
            except (BrokenPipeError, ConnectionResetError):
                abruptly = True  # the server was quicker; there is nobody left to tell
        self._line.socket.close()

    def leave(self) -> None:
        """Say goodbye and wait until the server has hung up: the slot is free."""
        with contextlib.closing(self._line.socket):
            self._line.send(b"X")
            with contextlib.suppress(HangUpError):  # which is what we wait for
                for _ in self._line.messages():
                    pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def connect(
    address: Address,
    *,
    user: str = "postgres",
    database: str = "postgres",
    **startup: str,
) -> Session | Refused:
    """Log in by trust and return the session, or the server's refusal."""
    line = Wire(address)
    try:
        line.startup({"user": user, "database": database, **startup})
        answer = _admission(line)
    except BaseException:
        line.socket.close()
        raise
    if isinstance(answer, Refused):
        line.socket.close()
    return answer


def _admission(line: Wire) -> Session | Refused:
    parameters: dict[str, str] = {}
    pid = 0
    for kind, body in line.messages():
        if kind == b"E":
            return Refused(wire.fields(body))
        if kind == b"R" and wire.integer(body) != _AUTHENTICATION_OK:
            text = f"the server asks for authentication {wire.integer(body)}, trust was expected"
            raise ProtocolError(text)
        if kind == b"S":
            name, value = body.decode().split("\0")[:2]
            parameters[name] = value
        elif kind == b"K":
            pid = wire.integer(body)
        elif kind == b"Z":
            break
    return Session(line, pid, parameters)


def admitted(
    address: Address, *, user: str = "postgres", database: str = "postgres", **startup: str
) -> Session:
    """Log in as `connect` does, and fail if the server refuses."""
    answer = connect(address, user=user, database=database, **startup)
    if isinstance(answer, Refused):
        raise ProtocolError(repr(answer))
    return answer


def stall(
    address: Address, *, user: str = "postgres", database: str = "postgres"
) -> socket.socket | Refused:
    """Begin a login and never answer the challenge; when this returns, the slot is taken.

    The role must have to authenticate by SCRAM.
    """
    line = Wire(address)
    try:
        line.startup({"user": user, "database": database})
        kind, body = next(line.messages())
    except BaseException:
        line.socket.close()
        raise
    if kind == b"R" and wire.integer(body) == _SASL:
        return line.socket
    line.socket.close()
    if kind == b"E":
        return Refused(wire.fields(body))
    text = f"the server sent {kind!r} where its challenge was expected"
    raise ProtocolError(text)


def silent(address: Address) -> socket.socket:
    """Connect and never say a word."""
    return Wire(address).socket


def fill(
    address: Address,
    count: int,
    *,
    user: str = "postgres",
    database: str = "postgres",
    **startup: str,
) -> tuple[list[Session], Refused | None]:
    """Open up to *count* sessions; stop at the first refusal and return it beside them."""
    sessions: list[Session] = []
    for _ in range(count):
        answer = connect(address, user=user, database=database, **startup)
        if isinstance(answer, Refused):
            return sessions, answer
        sessions.append(answer)
    return sessions, None
