"""Runs `pgheadroom demo`: plays an incident on an embedded PostgreSQL."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from pgheadroom.commands.arguments import ExitStatus, fail
from pgheadroom.commands.configured import add_settings, settings_of
from pgheadroom.config.load import ConfigurationError, load_web
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.daemon import AddressInUseError
from pgheadroom.daemon import run as run_daemon
from pgheadroom.demo.load import CALM, Script, play
from pgheadroom.demo.pooler import PORT as POOLER_PORT
from pgheadroom.demo.pooler import embedded_pooler, program
from pgheadroom.demo.scripts import SCRIPTS
from pgheadroom.demo.server import (
    APPLICATION_ROLE,
    EmbeddedServer,
    EmbeddedUnavailable,
    embedded_server,
)
from pgheadroom.log import configure
from pgheadroom.model.alert import AlertName

TARGET = "demo"
POOLER = "pooler"

HELP = "play an incident on an embedded server: calm, leak, storm, rolling or pooler"
USAGE = "%(prog)s [NAME] [SETTING ...]"
DESCRIPTION = """\
Starts an embedded PostgreSQL, watches it like `serve` does, and plays an incident on it, again and
again, so that one sees the page, the metrics and the alerts do their work. It says what happens
when. Ctrl-C ends it and leaves nothing behind.

  calm      a healthy day, as `make run` shows it (what is played without a NAME)
  leak      an application whose every module opens a pool of its own: full after 4 minutes
  storm     a serverless launch: cold starts take every slot within 20 seconds
  rolling   an update whose new pods start before the old ones end, and both do not fit
  pooler    pools of a PgBouncer that do not fit the server: warned of, then paged (needs the
            program pgbouncer on this machine)

A round takes about ten minutes. Needs the extra pgheadroom[demo]. Servers of your own are left
alone: libpq's variables do not count here, and --dsn or targets are refused.

  pgheadroom demo leak --listen 127.0.0.1:10187 --alertmanager-urls http://localhost:9093"""
EPILOG = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the name of the incident, and the settings."""
    parser.add_argument("name", nargs="?", default=CALM.name, metavar="NAME", help="what to play")
    add_settings(parser)


def run(options: argparse.Namespace) -> ExitStatus:
    """Play until a signal."""
    problems: list[str] = []
    script = SCRIPTS.get(options.name)
    if script is None:
        problems.append(f"no such demo: {options.name}; there are {', '.join(SCRIPTS)}")
    settings = settings_of(options, problems)
    if settings.dsn is not None or settings.targets:
        problems.append("a demo has a server of its own: dsn and targets are not allowed with it")
    if script is None or problems:
        raise ConfigurationError(problems)
    configure(settings.log_format, settings.log_level)
    try:
        asyncio.run(try_out(settings, script))
    except (AddressInUseError, EmbeddedUnavailable) as error:
        return fail(str(error))
    except asyncio.CancelledError:
        return ExitStatus.INTERRUPTED
    return ExitStatus.OK


async def try_out(settings: Settings, script: Script = CALM) -> None:
    """Start an embedded PostgreSQL, play *script* on it and watch it until a signal.

    Raises EmbeddedUnavailable when there is none to start; ConfigurationError and AddressInUseError
    as ``run`` does.
    """
    # No server is started in vain.
    load_web(settings.web_config_file)
    if script.pooler is not None:
        program()
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a demo runs in a task, which a signal cancels")
    # Until the daemon runs, and once it has ended, a signal ends the server in an orderly way.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    sys.stderr.write("starting an embedded PostgreSQL ...\n")
    async with played_on(script) as (server, targets):
        load = asyncio.create_task(play(server, script=script))
        try:
            await run_daemon(settings, targets, partial(_explain, server, script))
        finally:
            load.cancel()
            await asyncio.wait([load])
        if not load.cancelled():
            load.result()


@asynccontextmanager
async def played_on(
    script: Script,
) -> AsyncIterator[tuple[EmbeddedServer, dict[str, TargetSettings]]]:
    """Start what *script* is played on; yield the server, and the targets to watch by name."""
    plan = script.pooler
    roles = () if plan is None else tuple(set(plan.roles) - {APPLICATION_ROLE})
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(embedded_server(script.max_connections, roles))
        dsns = {TARGET: server.dsn("pgheadroom")}
        if plan is not None:
            dsns[POOLER] = await stack.enter_async_context(embedded_pooler(server, plan))
        yield (
            server,
            {name: TargetSettings.model_validate({"dsn": dsn}) for name, dsn in dsns.items()},
        )


def _explain(server: EmbeddedServer, script: Script, address: str) -> None:
    sys.stdout.write(
        f"""
  pgheadroom watches an embedded PostgreSQL {server.version} with a small, changing load from three
  applications: checkout-api, report-worker and session-cleaner.
{_told(script)}
    the page        {address}/
    the metrics     {address}/metrics
    one target      {address}/probe?target={TARGET}
    the server      psql "{server.conninfo}"
    in a terminal   pgheadroom top --dsn "{server.dsn("pgheadroom")}"
{"" if script.pooler is None else _console(server)}{"" if script.acts else _OF_YOUR_OWN}
  Ctrl-C ends it and leaves nothing behind.

"""
    )
    sys.stdout.flush()


def _console(server: EmbeddedServer) -> str:
    dsn = server.dsn("pgheadroom", dbname="pgbouncer", port=POOLER_PORT)
    return f'    the pooler      psql "{dsn}"\n'


_OF_YOUR_OWN = """
  To watch a server of your own, make a role for it:

    CREATE ROLE pgheadroom LOGIN PASSWORD '...';
    GRANT pg_monitor TO pgheadroom;
    GRANT pg_use_reserved_connections TO pgheadroom;   -- PostgreSQL 16 and newer

  and name the server in one of these ways:

    PGHEADROOM_DSN=postgresql://pgheadroom@HOST/postgres make run
    PGHEADROOM_CONFIG=pgheadroom.yaml make run          -- any number of servers
    PGHOST=HOST PGUSER=pgheadroom make run              -- or PGSERVICE=NAME, as libpq does

  `pgheadroom check` says what works and what is missing, `pgheadroom --help` the rest."""


def _told(script: Script) -> str:
    """Return what will happen in *script*, and when, in lines."""
    if not script.acts:
        return ""
    acts = "\n".join(f"   {_clock(act.seconds)}  {act.words}" for act in script.acts)
    return f"""
  Beside it goes the incident {script.name!r}, in minutes from now:

{acts}
   {_clock(script.round_seconds)}  all of it again

  While it is full, {AlertName.DATABASE} may warn too. What fires is a line of log
  below, when it begins, changes and ends.
"""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:2}:{rest:02}"
