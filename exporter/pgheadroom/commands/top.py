"""Runs `pgheadroom top`: parses its arguments and checks that there is a terminal."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from rich.console import Console

from pgheadroom.commands.arguments import ExitStatus
from pgheadroom.commands.configured import NO_TARGET, add_settings, settings_of
from pgheadroom.commands.live import watch
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings, TargetSettings
from pgheadroom.log import configure
from pgheadroom.terminal.terminal import Terminal

HELP = "watch one server live in a terminal, without a daemon"
USAGE = "%(prog)s [--target NAME] [SETTING ...]"
DESCRIPTION = """\
Watches one server live in a terminal, without a daemon: how many slots are left, for whom, until
when and who takes them, sampled and judged as `serve` does it. Nothing is served, posted or kept.

Keys: q ends it, p pauses what is shown, s sorts by connections, growth or name. Ctrl-C ends it too.
While the server refuses or is gone, the screen says why, and how old its figures are. The log goes
to standard error when that is a file. It needs a terminal: for a pipe there is `pgheadroom once`.

  pgheadroom top --dsn postgresql://pgheadroom@db1/postgres
  PGSERVICE=orders pgheadroom top"""
EPILOG = ""

_NO_TERMINAL = "top needs a terminal to draw on; `pgheadroom once` prints one reading"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the settings, and which target."""
    parser.add_argument("--target", metavar="NAME", help="which of several configured targets")
    add_settings(parser)


def run(options: argparse.Namespace) -> ExitStatus:
    """Watch until it is ended by a key or a signal."""
    settings = settings_of(options)
    problems: list[str] = []
    chosen = _chosen(settings.all_targets(), options.target, problems)
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        problems.append(_NO_TERMINAL)
    if chosen is None or problems:
        raise ConfigurationError(problems)
    _log(settings)
    asyncio.run(watch(settings, *chosen, Terminal(console)))
    return ExitStatus.OK


def _chosen(
    targets: dict[str, TargetSettings], name: str | None, problems: list[str]
) -> tuple[str, TargetSettings] | None:
    """Return the one target to watch; what is wrong with that is added to *problems*."""
    names = ", ".join(targets)
    if not targets:
        problems += NO_TARGET
    elif name is None and len(targets) > 1:
        problems.append(f"several targets are configured; choose one with --target: {names}")
    elif name is not None and name not in targets:
        problems.append(f"--target: no such target: {name}; there are {names}")
    else:
        name = name or next(iter(targets))
        return name, targets[name]
    return None


def _log(settings: Settings) -> None:
    """Send the log where it does not spoil the screen, which tells the same."""
    configure(settings.log_format, settings.log_level)
    if sys.stderr.isatty():
        logging.getLogger().handlers[:] = [logging.NullHandler()]
