"""Parses the command line, starts the command, and maps its end to an exit status."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial

import structlog
from rich.console import Console

from pgheadroom import __version__
from pgheadroom.commands import backtest, dashboards, demo, record, rules, top
from pgheadroom.commands.check import report
from pgheadroom.commands.demo import try_out
from pgheadroom.commands.once import as_json, print_table, read_once
from pgheadroom.config.load import ConfigurationError, load, load_web
from pgheadroom.config.settings import Settings, TargetSettings
from pgheadroom.config.variables import of_platform
from pgheadroom.daemon import AddressInUseError, run
from pgheadroom.demo.server import EmbeddedUnavailable
from pgheadroom.log import configure
from pgheadroom.state import State
from pgheadroom.watch.reload import Reread

log = structlog.get_logger("pgheadroom.commands.cli")

_OK, _TROUBLE, _WRONG = 0, 1, 2
_NAMES_SHOWN = 10
_INTERRUPTED = 130  # as a shell says of a command that SIGINT ended

_USAGE = """\
usage: pgheadroom [COMMAND] [SETTING ...]

Watches PostgreSQL's connection slots and pages before they run out.

commands:
  serve     sample every target once a second, serve /metrics (what is done without a command)
  once      read every target once and print it as a table; with --json as JSON
  check     look at the settings, connect to every target, say what works and what is missing
  top       watch one server live in a terminal, without a daemon
  record    sample every target like serve does, and append what was read to a file
  demo      play an incident on an embedded server: calm, leak, storm or rolling
  backtest  tell what would have paged, and when, over recordings or a Prometheus's history
  rules     print the alerting rules for Prometheus
  dashboards
            write the dashboards for Grafana into a directory

Every setting can be a flag, an environment variable (PGHEADROOM_…) and a key of the YAML file that
--config or PGHEADROOM_CONFIG names; flags win over variables, variables over the file.
`pgheadroom COMMAND --help` lists them.

examples:
  pgheadroom --dsn postgresql://pgheadroom@db1/postgres
  pgheadroom check --config pgheadroom.yaml
  PGSERVICE=orders pgheadroom once
  pgheadroom record orders.jsonl.gz --dsn postgresql://pgheadroom@db1/postgres
  pgheadroom backtest --html report.html orders.jsonl.gz
  pgheadroom backtest --prometheus http://prometheus:9090 --since 30d

options:
  -h, --help   this text
  --version    the version
"""

_NO_TARGET = """\
no target is configured. Give one of
  --dsn postgresql://pgheadroom@HOST/postgres
  --config FILE, with a mapping of targets
  PGHEADROOM_DSN, or libpq's own PGHOST, PGUSER, PGSERVICE ...
or, to try it out, --demo, which starts an embedded PostgreSQL"""

_FILE_EXAMPLE = """\
A configuration file:

  targets:
    orders: postgresql://pgheadroom@db1/postgres
    billing:
      dsn: host=db2,db3 dbname=postgres user=pgheadroom target_session_attrs=read-write
      password_file: /run/secrets/billing
  listen: 127.0.0.1:10187

In the environment a target is PGHEADROOM_TARGETS__ORDERS__DSN (its name in small letters).
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command that *arguments* name; return the exit status.

    0 when all is well, 1 when a target or the address to listen at is not (or a backtest would
    have paged), 2 when the settings or what a command was given are of no use.
    """
    command, rest = _command(list(arguments))
    if command != "serve":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    if command in ("-h", "--help"):
        sys.stdout.write(_USAGE)
        return _OK
    if command == "--version":
        sys.stdout.write(f"pgheadroom {__version__}\n")
        return _OK
    if command in _OWN_ARGUMENTS:
        try:
            return _OWN_ARGUMENTS[command](rest)
        except KeyboardInterrupt:
            return _INTERRUPTED
    if command not in _DESCRIPTIONS:
        known = ", ".join([*_DESCRIPTIONS, *_OWN_ARGUMENTS])
        return _wrong([f"no such command: {command}; there are {known}"])
    return _with_settings(command, rest)


def _with_settings(command: str, rest: list[str]) -> int:
    as_text = "--json" not in rest or command != "once"
    if not as_text:
        rest.remove("--json")
    read = partial(
        load,
        rest,
        program=f"pgheadroom {command}",
        description=_DESCRIPTIONS[command],
        epilog=_FILE_EXAMPLE,
    )
    try:
        settings = read()
    except ConfigurationError as error:
        return _wrong(error.problems)
    configure(settings.log_format, settings.log_level)
    try:
        if command == "serve":
            return _serve(settings, settings.all_targets(), partial(_reread, read))
        return _COMMANDS[command](settings, settings.all_targets(), as_text)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _command(arguments: list[str]) -> tuple[str, list[str]]:
    if not arguments:
        return "serve", []
    if arguments[0] in ("-h", "--help", "--version") or not arguments[0].startswith("-"):
        return arguments[0], arguments[1:]
    return "serve", arguments


def _reread(read: Callable[[], Settings]) -> tuple[Settings, dict[str, TargetSettings]]:
    """Return what is configured now; raises ConfigurationError, as the start would end."""
    settings = read()
    targets = settings.all_targets()
    if not targets:
        raise ConfigurationError(["no target is configured"])
    return settings, targets


def _serve(settings: Settings, targets: dict[str, TargetSettings], reread: Reread) -> int:
    if passed_over := of_platform(os.environ):
        # Names alone: what stands in them is no business of ours.
        log.info("ignored environment variables of the platform", names=" ".join(passed_over))
    try:
        if targets:
            asyncio.run(run(settings, targets, partial(_announce, list(targets)), reread))
        elif settings.demo:
            asyncio.run(try_out(settings))
        else:
            return _wrong([_NO_TARGET])
    except ConfigurationError as error:
        return _wrong(error.problems)
    except (AddressInUseError, EmbeddedUnavailable) as error:
        return _trouble(str(error))
    except asyncio.CancelledError:
        return _INTERRUPTED
    return _OK


def _announce(names: Sequence[str], address: str) -> None:
    """Tell a person at a terminal where to look; a log needs no such screen."""
    if sys.stdout.isatty():
        shown = ", ".join(names[:_NAMES_SHOWN]) + (" ..." if len(names) > _NAMES_SHOWN else "")
        sys.stdout.write(
            f"\n  watching {shown}\n  the page     {address}/\n  the metrics  {address}/metrics\n\n"
        )
        sys.stdout.flush()


def _once(settings: Settings, targets: dict[str, TargetSettings], as_text: bool) -> int:  # noqa: FBT001 - every command has this signature
    if not targets:
        return _wrong([_NO_TARGET])
    states = _read(settings, targets)
    if as_text:
        print_table(states, Console(soft_wrap=True))
    else:
        sys.stdout.write(json.dumps([as_json(state) for state in states], indent=2) + "\n")
    return _OK if all(state.sample is not None for state in states) else _TROUBLE


def _check(settings: Settings, targets: dict[str, TargetSettings], _as_text: bool) -> int:  # noqa: FBT001
    if not targets:
        return _wrong([_NO_TARGET])
    try:
        load_web(settings.web_config_file)
    except ConfigurationError as error:
        return _wrong(error.problems)
    console = Console(soft_wrap=True)
    console.print("settings are allowed")
    return _OK if report(_read(settings, targets), console) else _TROUBLE


def _read(settings: Settings, targets: dict[str, TargetSettings]) -> tuple[State, ...]:
    # The findings say it all; a log between them would only say it twice.
    configure(settings.log_format, "error")
    return asyncio.run(read_once(settings, targets))


def _wrong(problems: Sequence[str]) -> int:
    for problem in problems:
        sys.stderr.write(f"pgheadroom: {problem}\n")
    return _WRONG


def _trouble(words: str) -> int:
    sys.stderr.write(f"pgheadroom: {words}\n")
    return _TROUBLE


_COMMANDS: dict[str, Callable[[Settings, dict[str, TargetSettings], bool], int]] = {
    "once": _once,
    "check": _check,
}

_OWN_ARGUMENTS: dict[str, Callable[[Sequence[str]], int]] = {
    "top": top.main,
    "demo": demo.main,
    "record": record.main,
    "backtest": backtest.main,
    "rules": rules.main,
    "dashboards": dashboards.main,
}
"""Commands that take more than settings."""

_DESCRIPTIONS = {
    "serve": "Sample every target once a second and serve what was found at /metrics.",
    "once": "Read every target once and print it as a table; with --json as JSON.",
    "check": "Look at the settings, connect to every target, say what works and what is missing."
    " Exits 0 if all of it works, 1 if a target does not, 2 if the settings are not allowed.",
}
