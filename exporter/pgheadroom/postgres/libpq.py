"""Talks to a server through libpq on asyncio, with deadlines.

psycopg's own asynchronous connection is not used: it hides the SQLSTATE of a refused connect, and
when a wait is cancelled it asks the server to cancel and waits for that, 6 to 35 s with a frozen
server. Its ``pq`` layer, libpq function by function, has neither trouble: every wait here is a wait
for one socket, and ``close`` never waits at all.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from psycopg import OperationalError, pq

from pgheadroom.postgres.memory_limit import MemoryLimit

_VERBOSE = 2  # PQERRORS_VERBOSE of libpq-fe.h
_CHUNK = 1000  # rows
_CHUNKS_SINCE = 170000  # libpq's version, as in ``server_version_num``
_MOST_ROWS = 100_000
_MOST_BYTES = 64 * 1024 * 1024


Row = tuple[bytes | None, ...]


class Table(NamedTuple):
    """What one statement returned."""

    columns: tuple[str, ...]
    rows: list[Row]


_ROWS = (pq.ExecStatus.TUPLES_CHUNK, pq.ExecStatus.TUPLES_OK)


class LibpqError(Exception):
    """libpq or the server said no; the message is libpq's, at verbosity VERBOSE."""


@functools.cache
def _set_error_verbosity() -> ctypes._NamedFuncPointer | None:
    """Find PQsetErrorVerbosity, which psycopg does not wrap, in the libpq that psycopg has loaded.

    It must be the very same library (a wheel brings its own), so look among what is mapped into
    this process. None where that can't be told (no Linux); then refusals have text only.
    """
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return None
    for line in maps.read_text().splitlines():
        path = line.partition("/")[2]
        if Path(path).name.startswith("libpq") and ".so" in path:
            function = ctypes.CDLL(f"/{path}").PQsetErrorVerbosity
            function.argtypes = [ctypes.c_void_p, ctypes.c_int]
            function.restype = ctypes.c_int
            return function
    return None


class Connection:
    """One connection to one server; not for use by two tasks at once."""

    def __init__(self, pgconn: pq.abc.PGconn) -> None:
        self._pgconn = pgconn

    @property
    def backend_pid(self) -> int:
        """The process id that the server announced; through a pooler, not the backend's."""
        return self._pgconn.backend_pid

    @property
    def server_version(self) -> int:
        """The version that the server announced, as in ``server_version_num``."""
        return self._pgconn.server_version

    @property
    def console(self) -> bool:
        """Whether this is the console of a PgBouncer: its version ends in ``/bouncer``."""
        return (self._pgconn.parameter_status(b"server_version") or b"").endswith(b"/bouncer")

    @property
    def superuser(self) -> bool:
        """Whether the server said, without being asked, that our role is a superuser."""
        return self._pgconn.parameter_status(b"is_superuser") == b"on"

    @property
    def broken(self) -> bool:
        """Whether libpq has noticed that the connection is gone."""
        return self._pgconn.status == pq.ConnStatus.BAD

    @property
    def server_version_text(self) -> str:
        """The version in the words of who answers; empty where it told none."""
        return (self._pgconn.parameter_status(b"server_version") or b"").decode(errors="replace")

    async def query(self, sql: bytes) -> list[Row]:
        """Return the rows of ``table``."""
        return (await self.table(sql)).rows

    async def table(self, sql: bytes) -> Table:
        """Send *sql* by the simple protocol and return what its last statement returns.

        The simple protocol needs no prepared statement, so a transaction pooler may be in between,
        and several statements in one message are one transaction that ends with the message.
        Values are the server's bytes, undecoded. Raises LibpqError, also when the answer is longer
        than any to a statement of ours.
        """
        table, answer, ceiling = Table((), []), _Answer(), MemoryLimit()
        failure: str | None = None
        try:
            self._pgconn.send_query(sql)
            if pq.version() >= _CHUNKS_SINCE:
                # Or libpq would keep all that a server sends, before we see any of it.
                self._pgconn.set_chunked_rows_mode(_CHUNK)
            await self._flush(ceiling)
            while (result := await self._result(ceiling)) is not None:
                if result.status in _ROWS:
                    answer.add(result)
                if result.status == pq.ExecStatus.TUPLES_OK:
                    table, answer = Table(_columns(result), answer.rows), _Answer()
                elif result.status == pq.ExecStatus.FATAL_ERROR:
                    failure = failure or result.error_message.decode(errors="replace")
        except OperationalError as error:
            # The connection broke; what the server said before tells more than that it did.
            failure = failure or str(error)
        if failure is not None:
            raise LibpqError(failure)
        return table

    def close(self) -> None:
        """Say goodbye without waiting for an answer; does nothing the second time."""
        self._pgconn.finish()

    async def _flush(self, ceiling: MemoryLimit) -> None:
        while self._pgconn.flush():
            await ready(self._pgconn.socket, read=True, write=True)
            with ceiling:
                self._pgconn.consume_input()

    async def _result(self, ceiling: MemoryLimit) -> pq.abc.PGresult | None:
        while True:
            with ceiling:
                if not self._pgconn.is_busy():
                    return self._pgconn.get_result()
            await ready(self._pgconn.socket, read=True)
            with ceiling:
                self._pgconn.consume_input()


async def connect(conninfo: str, arrived: Callable[[], None]) -> Connection:
    """Open a connection as *conninfo* says; raises LibpqError.

    Calls *arrived* once the server's machine has taken it, so that it may cost a slot there.

    Host names must have been resolved (``hostaddr``): libpq would look them up here and now, and
    hold the whole process up. No deadline of its own: cancel it, and the attempt is closed.
    """
    pgconn = pq.PGconn.connect_start(conninfo.encode())
    try:
        set_verbosity = _set_error_verbosity()
        if set_verbosity is not None:
            # Every implementation of pq has the pointer; its protocol class leaves it out.
            set_verbosity(getattr(pgconn, "pgconn_ptr", None), _VERBOSE)
        # A fresh connection behaves as if it had said "writing" (libpq, PQconnectPoll).
        status: int = pq.PollingStatus.WRITING
        ceiling = MemoryLimit()
        while status != pq.PollingStatus.OK:
            if status == pq.PollingStatus.FAILED or pgconn.status == pq.ConnStatus.BAD:
                raise LibpqError(  # noqa: TRY301 - closed below like anything that goes wrong
                    pgconn.error_message.decode(errors="replace")
                )
            writing = status == pq.PollingStatus.WRITING
            await ready(pgconn.socket, read=not writing, write=writing)
            with ceiling:
                status = pgconn.connect_poll()
            if pgconn.status != pq.ConnStatus.STARTED:
                arrived()
        pgconn.nonblocking = 1
    except OperationalError as error:
        pgconn.finish()
        raise LibpqError(str(error)) from None
    except BaseException:
        pgconn.finish()
        raise
    return Connection(pgconn)


async def connect_to_server(conninfo: str, arrived: Callable[[], None]) -> Connection:
    """Open a connection to a PostgreSQL server; raises LibpqError, also for a pooler's console."""
    connection = await connect(conninfo, arrived)
    if connection.console:
        connection.close()
        raise LibpqError(
            "this is PgBouncer's console and no PostgreSQL server: set the target's kind to"
            " pgbouncer, or name the server itself"
        )
    return connection


async def connect_to_console(conninfo: str, arrived: Callable[[], None]) -> Connection:
    """Open a connection to PgBouncer's console; raises LibpqError, also for any other server."""
    connection = await connect(conninfo, arrived)
    if not connection.console:
        connection.close()
        raise LibpqError(
            "this is a database and not PgBouncer's console: log in with dbname=pgbouncer, as one"
            " of its stats_users; of a PostgreSQL server the kind is postgres"
        )
    return connection


async def ready(fd: int, *, read: bool = False, write: bool = False) -> None:
    """Wait until *fd* can be read or written, whichever is asked for and comes first."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    if read:
        loop.add_reader(fd, wake)
    if write:
        loop.add_writer(fd, wake)
    try:
        await future
    finally:
        # Before anybody closes the descriptor: its number may be another socket's next.
        if read:
            loop.remove_reader(fd)
        if write:
            loop.remove_writer(fd)


class _Answer:
    """The rows of one statement, as far as they have come."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._bytes = 0

    def add(self, result: pq.abc.PGresult) -> None:
        """Add the rows of *result*; raises LibpqError when they are too many."""
        more = _rows(result)
        if self.rows:  # the first ones are not worth weighing: the ceiling bounds them
            self._bytes += sum(len(value) for row in more for value in row if value)
        self.rows += more
        if len(self.rows) > _MOST_ROWS or self._bytes > _MOST_BYTES:
            raise LibpqError("the server sends more than any statement of ours asks for")


def _columns(result: pq.abc.PGresult) -> tuple[str, ...]:
    names = (result.fname(column) or b"" for column in range(result.nfields))
    return tuple(name.decode(errors="replace") for name in names)


def _rows(result: pq.abc.PGresult) -> list[Row]:
    columns = range(result.nfields)
    return [
        tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)
    ]
