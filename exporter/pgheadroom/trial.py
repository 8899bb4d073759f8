"""How does it look without a server of one's own: embedded PostgreSQL, a load, a screen of help."""

from __future__ import annotations

import asyncio
import signal
import sys

from pgheadroom.daemon import run
from pgheadroom.demo import play
from pgheadroom.embedded import EmbeddedServer, embedded_server
from pgheadroom.settings import Settings, TargetSettings

TARGET = "demo"


async def try_out(settings: Settings) -> None:
    """Start an embedded PostgreSQL, play a small load on it and watch it until a signal.

    Raises EmbeddedUnavailable when there is none to start, AddressInUseError as ``run`` does.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    # Until the daemon runs, and once it has ended, a signal ends the server in an orderly way.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    sys.stderr.write("starting an embedded PostgreSQL ...\n")
    async with embedded_server() as server:
        load = asyncio.create_task(play(server))
        try:
            target = TargetSettings.model_validate({"dsn": server.dsn("pgheadroom")})
            await run(settings, {TARGET: target}, lambda address: _explain(server, address))
        finally:
            load.cancel()
            await asyncio.wait([load])
        if not load.cancelled():
            load.result()


def _explain(server: EmbeddedServer, address: str) -> None:
    sys.stdout.write(
        f"""
  pgheadroom watches an embedded PostgreSQL {server.version} with a small, changing load from three
  applications: checkout-api, report-worker and session-cleaner.

    the page        {address}/
    the metrics     {address}/metrics
    one target      {address}/probe?target={TARGET}
    the server      psql "{server.conninfo}"

  To watch a server of your own, make a role for it:

    CREATE ROLE pgheadroom LOGIN PASSWORD '...';
    GRANT pg_monitor TO pgheadroom;
    GRANT pg_use_reserved_connections TO pgheadroom;   -- PostgreSQL 16 and newer

  and name the server in one of these ways:

    PGHEADROOM_DSN=postgresql://pgheadroom@HOST/postgres make run
    PGHEADROOM_CONFIG=pgheadroom.yaml make run          -- any number of servers
    PGHOST=HOST PGUSER=pgheadroom make run              -- or PGSERVICE=NAME, as libpq does

  `pgheadroom check` says what works and what is missing, `pgheadroom --help` the rest.
  Ctrl-C ends it and leaves nothing behind.

"""
    )
    sys.stdout.flush()
