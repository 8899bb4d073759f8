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
from pgheadroom.commands.configured import settings_of
from pgheadroom.commands.help.groups import GROUPS
from pgheadroom.commands.help.parser import Parser
from pgheadroom.config.load import ConfigurationError, load_web
from pgheadroom.config.objections import meant
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

_FIRST = (
    *("interval_seconds", "paging_horizon_seconds", "alertmanager_urls"),
    *("listen", "web_config_file", "log_level"),
)
TARGET = "demo"
POOLER = "pooler"

HELP = "play an incident: calm, leak, storm, rolling or pooler"
USAGE = "%(prog)s [NAME] [SETTING ...]"
DESCRIPTION = """\
Starts an embedded PostgreSQL, watches it as `serve` does, and plays an incident
on it, over and over, so that you can see the page, the metrics and the alerts
at work. It prints what happens when. Ctrl-C stops it and removes everything.

  calm      a healthy day, as `make run` shows it (the default)
  leak      each module of an application opens its own pool: full in 4 minutes
  storm     a serverless launch: cold starts take every slot within 20 seconds
  rolling   an update starts new pods before the old ones end; both do not fit
  pooler    the pools of a PgBouncer do not fit the server: a warning, then
            pages (needs the program pgbouncer on this machine)

A round takes about ten minutes. The demo needs the extra pgheadroom[demo]. It
does not touch your servers: it ignores libpq's variables, and refuses --dsn and
targets.

  pgheadroom demo leak --listen :8080 --alertmanager-urls http://localhost:9093"""
EPILOG = ""


def add_arguments(parser: Parser) -> None:
    """Take the name of the incident, and the settings."""
    parser.add_argument("name", nargs="?", default=CALM.name, metavar="NAME", help="what to play")
    parser.add_settings(GROUPS, _FIRST)


def run(options: argparse.Namespace) -> ExitStatus:
    """Play until a signal."""
    problems: list[str] = []
    script = SCRIPTS.get(options.name)
    if script is None:
        # What is no word may be a connection string, which is not repeated.
        name = f": {options.name}" if options.name.isalpha() else ""
        instead = meant(options.name, SCRIPTS) or f"; there are {', '.join(SCRIPTS)}"
        problems.append(f"no such demo{name}{instead}")
    settings = settings_of(options, problems)
    if settings.dsn is not None or settings.targets:
        problems.append("a demo has its own server: dsn and targets are not allowed")
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
  pgheadroom watches an embedded PostgreSQL {server.version} with a small, changing load from
  three applications: checkout-api, report-worker and session-cleaner.
{_told(script)}
    the page        {address}/
    the metrics     {address}/metrics
    one target      {address}/probe?target={TARGET}
    the server      psql "{server.conninfo}"
    in a terminal   pgheadroom top --dsn "{server.dsn("pgheadroom")}"
{"" if script.pooler is None else _console(server)}{"" if script.acts else _OF_YOUR_OWN}
  Ctrl-C stops it and removes everything.

"""
    )
    sys.stdout.flush()


def _console(server: EmbeddedServer) -> str:
    dsn = server.dsn("pgheadroom", dbname="pgbouncer", port=POOLER_PORT)
    return f'    the pooler      psql "{dsn}"\n'


_OF_YOUR_OWN = """
  To watch your own server, create a role on it:

    CREATE ROLE pgheadroom LOGIN PASSWORD '...';
    GRANT pg_monitor TO pgheadroom;
    GRANT pg_use_reserved_connections TO pgheadroom;   -- PostgreSQL 16 and newer

  and start pgheadroom in one of these ways:

    PGHEADROOM_DSN=postgresql://pgheadroom@HOST/postgres make run
    PGHEADROOM_CONFIG=pgheadroom.yaml make run          -- any number of servers
    PGHOST=HOST PGUSER=pgheadroom make run              -- or PGSERVICE=NAME, as libpq does

  `pgheadroom check` says what works and what is missing; `pgheadroom --help` lists
  all commands."""


def _told(script: Script) -> str:
    """Return what will happen in *script*, and when, in lines."""
    if not script.acts:
        return ""
    acts = "\n".join(f"   {_clock(act.seconds)}  {act.words}" for act in script.acts)
    return f"""
  Playing the incident "{script.name}" (minutes from now):

{acts}
   {_clock(script.round_seconds)}  repeats

  {AlertName.DATABASE} may also warn while the server is full. The log below has a
  line whenever an alert starts, changes or ends.
"""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:2}:{rest:02}"
