"""Starts a PgBouncer in front of the embedded PostgreSQL, and stops it.

It is the machine's own: no package of Python brings one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from pgheadroom.demo.process import EmbeddedUnavailable, spawn, stop, unprivileged_account
from pgheadroom.demo.server import MONITOR, whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from pgheadroom.demo.server import EmbeddedServer

PORT = 6432
_PROGRAM = "pgbouncer"
_PLACES = os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"))
"""Where it is, beside PATH: Debian's is a program for administrators."""
_MISSING = (
    "this demo needs PgBouncer, but the program pgbouncer is not on this machine; install it with:"
    " apt install pgbouncer (or dnf, apk, brew)"
)
_START_SECONDS = 10.0
_START_POLL_SECONDS = 0.02
_LINES_OF_A_FAILURE = 12


@dataclass(frozen=True, slots=True)
class PoolerPlan:
    """What the PgBouncer of a script is to be like."""

    pools: Mapping[str, int]
    """Size of the pools of each entry; all of them lead to the demo's one database."""
    roles: Sequence[str]
    """Who may log in."""
    places: int
    """For clients."""


def program() -> str:
    """Return where PgBouncer is; raises EmbeddedUnavailable where there is none."""
    found = shutil.which(_PROGRAM) or shutil.which(_PROGRAM, path=_PLACES)
    if found is None:
        raise EmbeddedUnavailable(_MISSING)
    return found


@asynccontextmanager
async def embedded_pooler(server: EmbeddedServer, plan: PoolerPlan) -> AsyncIterator[str]:
    """Start a PgBouncer in front of *server* as *plan* says; yield its console's address.

    On a Unix socket beside the server's own, and no TCP port. Raises EmbeddedUnavailable.
    """
    command = program()
    folder, account = server.socket_directory, unprivileged_account()
    config, log = folder / "pgbouncer.ini", folder / "pgbouncer.log"
    users = folder / "users"
    users.write_text("".join(f'"{role}" ""\n' for role in (MONITOR, *plan.roles)))
    config.write_text(_config(server, plan, users))
    for path in (config, users):
        if account is not None:
            os.chown(path, account.uid, account.gid)
    with log.open("xb") as output:
        # Not in a worker thread: see spawn().
        process = spawn([command, config], account, lock=server.lock, output=output)
    console = server.dsn(MONITOR, dbname=_PROGRAM, port=PORT)
    try:
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not await _answers(console):
            if process.poll() is not None or asyncio.get_running_loop().time() > deadline:
                raise EmbeddedUnavailable(_failure(log))
            await asyncio.sleep(_START_POLL_SECONDS)
        yield console
    finally:
        await whole(lambda: stop(process))


def _config(server: EmbeddedServer, plan: PoolerPlan, users: Path) -> str:
    place = f"host={server.socket_directory} port={server.port} dbname={server.database}"
    entries = "".join(f"{name} = {place} pool_size={size}\n" for name, size in plan.pools.items())
    return f"""[databases]
{entries}
[pgbouncer]
listen_addr =
listen_port = {PORT}
unix_socket_dir = {server.socket_directory}
auth_type = trust
auth_file = {users}
stats_users = {MONITOR}
pool_mode = transaction
max_client_conn = {plan.places}
server_idle_timeout = 10
server_login_retry = 2
log_connections = 0
log_disconnections = 0
"""


async def _answers(console: str) -> bool:
    try:
        connection = await psycopg.AsyncConnection.connect(console, autocommit=True)
    except psycopg.OperationalError:
        return False
    await connection.close()
    return True


def _failure(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_LINES_OF_A_FAILURE:]
    return "\n".join(["PgBouncer did not start; the last lines of its log:", *lines])
