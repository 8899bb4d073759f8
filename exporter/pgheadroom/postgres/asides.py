"""Sends what is asked beside the readings: which cluster it is, each session, who blocks whom."""

from __future__ import annotations

import time

from pgheadroom.model.blockers import Blockers
from pgheadroom.model.postgres import Backend
from pgheadroom.postgres import libpq, refusal, rows

_BACKENDS = (
    b"SELECT a.pid, a.client_port FROM pg_catalog.pg_stat_activity AS a"
    b" WHERE a.backend_type = 'client backend'"
)
_IDENTIFIER = b"SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c"


async def identifier(connection: libpq.Connection) -> str:
    """Ask which cluster it is; empty where that is refused, which is no failed reading.

    Not a part of the full reading: everybody may ask, but not of every cloud's server.
    """
    try:
        return rows.identifier(await connection.query(_IDENTIFIER))
    except libpq.LibpqError as error:
        if connection.broken or refusal.ends_session(refusal.parse(str(error)).sqlstate):
            raise
        return ""


async def backends(connection: libpq.Connection) -> tuple[Backend, ...]:
    """Ask for the process and the client's port of each session."""
    return rows.backends(await connection.query(_BACKENDS))


async def who_blocks(connection: libpq.Connection, sql: bytes) -> tuple[Blockers | None, float]:
    """Ask by *sql* who waits for locks, and on whom; and tell how many seconds that took.

    None where there is no answer. That is no failed reading: what may be wrong with the session,
    the next reading finds out, and says it.
    """
    began = time.monotonic()
    try:
        return rows.who_blocks(await connection.query(sql), time.time())
    except (libpq.LibpqError, rows.SenselessError):
        return None, time.monotonic() - began
