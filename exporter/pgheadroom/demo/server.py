"""Starts and stops an embedded PostgreSQL.

`embedded_server()` starts a throw-away one for the length of a `with` block: in a temporary
directory, on a Unix socket and no TCP port, with the roles and limits that pgheadroom is there to
watch. Where its binaries come from, how it is kept from outliving us and what becomes of its files
is told in embedded_binaries, embedded_process and embedded_directory.
"""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pgheadroom.demo.binaries import newest_install, usable_binaries
from pgheadroom.demo.directory import PORT, claim, release, remove_stale, temporary_base
from pgheadroom.demo.process import EmbeddedUnavailable, spawn, stop, unprivileged_account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from pgheadroom.demo.binaries import Binaries
    from pgheadroom.demo.directory import RunDirectory
    from pgheadroom.demo.process import Account

__all__ = ["EmbeddedServer", "EmbeddedUnavailable", "embedded_server"]

SUPERUSER = "postgres"
MONITOR = "pgheadroom"
APPLICATION_ROLE = "shop"
LIMITED_ROLE = "reports"
DATABASE = "shop"
LIMITED_ROLE_CONNECTIONS = 8

_START_SECONDS = 30.0
_START_POLL_SECONDS = 0.02
_LINES_OF_A_FAILURE = 12
# Reserves are PostgreSQL's default and the few that its pg_use_reserved_connections is meant for.
_SETTINGS = {
    "superuser_reserved_connections": "3",
    "reserved_connections": "2",
    "listen_addresses": "",
    "port": str(PORT),
    # Any user who reaches the socket is trusted: root and the server's account alone.
    "unix_socket_permissions": "0700",
    "fsync": "off",
    "shared_buffers": "16MB",
    # Files in the data directory, which go with it, instead of /dev/shm, where they would stay.
    "dynamic_shared_memory_type": "mmap",
}

log: structlog.stdlib.BoundLogger = structlog.get_logger("pgheadroom.demo.server")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running PostgreSQL that ends with the block that started it."""

    socket_directory: Path
    port: int
    version: str
    lock: int
    """The descriptor that says that the run is alive; its programs inherit it."""
    _process: subprocess.Popen[bytes] = field(repr=False, compare=False)

    @property
    def database(self) -> str:
        """Return the name of the database that applications use."""
        return DATABASE

    @property
    def pid(self) -> int:
        """Return the process number of the postmaster."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Say whether the postmaster is still there; it may have been ended from outside."""
        return self._process.poll() is None

    def dsn(
        self,
        user: str,
        application_name: str | None = None,
        dbname: str = "postgres",
        port: int | None = None,
    ) -> str:
        """Return a libpq connection string for *user*, there is no password.

        *port* is another's that listens in the same directory, as a pooler does.
        """
        return make_conninfo(
            "",
            host=str(self.socket_directory),
            port=self.port if port is None else port,
            user=user,
            dbname=dbname,
            application_name=application_name,
        )

    @property
    def conninfo(self) -> str:
        """Return a connection string to show: the ordinary role, whose slots can run out.

        It can be pasted as it is, in quotes, behind `psql` or into `psycopg.connect()`.
        """
        return self.dsn(APPLICATION_ROLE, dbname=DATABASE)


@asynccontextmanager
async def embedded_server(
    max_connections: int = 40, roles: Sequence[str] = ()
) -> AsyncIterator[EmbeddedServer]:
    """Start a PostgreSQL with *max_connections* slots, and leave nothing of it behind.

    With *roles* that may log in, beside those that are always there.

    Raise EmbeddedUnavailable when there is none to start or it does not come up.
    """
    account = unprivileged_account()
    install = newest_install()
    base = temporary_base(account)
    await whole(partial(remove_stale, base))
    run = claim(base, account)
    try:
        binaries = await whole(partial(_prepare, install, run, account, max_connections))
        async with _started(binaries, run, account) as server:
            await _furnish(server, max_connections, roles)
            log.info("embedded server started", version=server.version, conninfo=server.conninfo)
            yield server
    finally:
        await whole(partial(release, run))


def _prepare(
    install: Path, run: RunDirectory, account: Account | None, max_connections: int
) -> Binaries:
    """Find binaries that run, and create the data directory with them."""
    try:
        binaries = usable_binaries(install, run, account)
    except PermissionError as error:
        user = "this user" if account is None else f"the user {account.name!r}"
        message = f"the embedded PostgreSQL cannot be run as {user}: {error}"
        raise EmbeddedUnavailable(message) from error
    settings = {
        **_SETTINGS,
        "max_connections": str(max_connections),
        "unix_socket_directories": f'"{run.socket}"',
    }
    command: list[str | Path] = [binaries.initdb, "--pgdata", run.data, "--username", SUPERUSER]
    command += ["--auth", "trust", "--no-locale", "--encoding", "UTF8", "--no-sync"]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    process = spawn(command, account, lock=run.lock, output=subprocess.PIPE)
    try:
        printed, _ = process.communicate(timeout=_START_SECONDS)
    except subprocess.TimeoutExpired as error:
        message = f"initdb did not end within {_START_SECONDS:g} s"
        raise EmbeddedUnavailable(message) from error
    finally:
        stop(process)
    if process.returncode != 0:
        raise EmbeddedUnavailable(_failure("initdb failed", printed))
    return binaries


@asynccontextmanager
async def _started(
    binaries: Binaries, run: RunDirectory, account: Account | None
) -> AsyncIterator[EmbeddedServer]:
    """Run the server on the data directory of *run*, and stop it."""
    with run.server_log.open("xb") as server_log:
        # Not in a worker thread: see spawn().
        process = spawn(
            [binaries.postgres, "-D", run.data], account, lock=run.lock, output=server_log
        )
    try:
        server = EmbeddedServer(run.socket, PORT, binaries.version, run.lock, process)
        await _until_it_answers(server, run)
        yield server
    finally:
        await whole(partial(stop, process))


async def _until_it_answers(server: EmbeddedServer, run: RunDirectory) -> None:
    """Knock until a session is admitted; give up when the server dies or takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_SECONDS
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(server.dsn(SUPERUSER))
        except psycopg.OperationalError as error:
            if not server.running or loop.time() > deadline:
                server_log = await whole(run.server_log.read_bytes)
                raise EmbeddedUnavailable(
                    _failure("the server did not start", server_log)
                ) from error
            await asyncio.sleep(_START_POLL_SECONDS)
        else:
            await connection.close()
            return


async def _furnish(server: EmbeddedServer, max_connections: int, roles: Sequence[str]) -> None:
    """Create the roles and the database, with limits for the metrics to show."""
    monitor, shop, reports = map(sql.Identifier, (MONITOR, APPLICATION_ROLE, LIMITED_ROLE))
    database = sql.Identifier(DATABASE)
    # Just above the ordinary limit, so that it is the server that runs out first.
    database_limit = sql.Literal(max_connections - 4)
    statements = [
        sql.SQL("CREATE ROLE {} LOGIN IN ROLE pg_monitor, pg_use_reserved_connections").format(
            monitor
        ),
        sql.SQL("CREATE ROLE {} LOGIN").format(shop),
        sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT {}").format(
            reports, sql.Literal(LIMITED_ROLE_CONNECTIONS)
        ),
        sql.SQL("CREATE DATABASE {} OWNER {} CONNECTION LIMIT {}").format(
            database, shop, database_limit
        ),
        *(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)) for role in roles),
    ]
    async with await psycopg.AsyncConnection.connect(
        server.dsn(SUPERUSER, "pgheadroom-demo"), autocommit=True
    ) as connection:
        for statement in statements:
            await connection.execute(statement)


def _failure(what: str, server_log: bytes) -> str:
    """Return *what* with the last lines of the program's log."""
    lines = server_log.decode(errors="replace").splitlines()[-_LINES_OF_A_FAILURE:]
    return "\n".join([f"{what}; the last lines of its log:", *lines])


async def whole(work: Callable[[], T]) -> T:
    """Do *work* in a thread and to its end, whatever becomes of the task that waits for it.

    A cancellation is held back until then: a server half stopped or a directory half removed would
    be left behind for good, and a second Ctrl-C is exactly when that would happen.
    """
    future = asyncio.get_running_loop().run_in_executor(None, work)
    held_back: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as cancellation:
            held_back = cancellation
    if held_back is not None:
        raise held_back from future.exception()
    return future.result()
