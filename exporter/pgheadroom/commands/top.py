"""Runs `pgheadroom top`: parses its arguments and checks that there is a terminal."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import NoReturn

from rich.console import Console

from pgheadroom.commands.live import watch
from pgheadroom.config.load import ConfigurationError, load
from pgheadroom.config.settings import Settings, TargetSettings
from pgheadroom.log import configure
from pgheadroom.terminal.terminal import Terminal

_OK, _WRONG = 0, 2

_DESCRIPTION = """\
Watches one server live in a terminal, without a daemon: how many slots are left, for whom, until
when and who takes them, sampled and judged as `serve` does it. Nothing is served, posted or kept.

  --target NAME   which of several targets that are configured

Keys: q ends it, p pauses what is shown, s sorts by connections, growth or name. Ctrl-C ends it too.
While the server refuses or is gone, the screen says why, and how old its figures are. The log goes
to standard error when that is a file. It needs a terminal: for a pipe there is `pgheadroom once`.

  pgheadroom top --dsn postgresql://pgheadroom@db1/postgres
  PGSERVICE=orders pgheadroom top"""

_NO_TARGET = "no target is configured: give --dsn, --config, or PGHOST and the like"
_NO_TERMINAL = "top needs a terminal to draw on; `pgheadroom once` prints one reading"


def main(arguments: Sequence[str]) -> int:
    """Watch until somebody ends it; return the exit status.

    0 however it was ended, 2 when the arguments are not allowed or there is no terminal.
    """
    problems: list[str] = []
    wanted, rest = _own(list(arguments), problems)
    try:
        settings = load(
            rest, program="pgheadroom top", description=_DESCRIPTION, operands=("[--target NAME]",)
        )
    except ConfigurationError as error:
        return _wrong([*problems, *error.problems])
    chosen = _chosen(settings.all_targets(), wanted, problems)
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        problems.append(_NO_TERMINAL)
    if chosen is None or problems:
        return _wrong(problems)
    _log(settings)
    asyncio.run(watch(settings, *chosen, Terminal(console)))
    return _OK


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigurationError([message])


def _own(arguments: list[str], problems: list[str]) -> tuple[str | None, list[str]]:
    """Take what is no setting out of *arguments*."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--target")
    try:
        given, rest = parser.parse_known_args(arguments)
    except ConfigurationError as error:
        problems += error.problems
        return None, [word for word in arguments if word != "--target"]
    return given.target, rest


def _chosen(
    targets: dict[str, TargetSettings], wanted: str | None, problems: list[str]
) -> tuple[str, TargetSettings] | None:
    """Return the one target to watch; what is wrong with that is added to *problems*."""
    names = ", ".join(targets)
    if not targets:
        problems.append(_NO_TARGET)
    elif wanted is None and len(targets) > 1:
        problems.append(f"several targets are configured; choose one with --target: {names}")
    elif wanted is not None and wanted not in targets:
        problems.append(f"--target: no such target: {wanted}; there are {names}")
    else:
        name = wanted or next(iter(targets))
        return name, targets[name]
    return None


def _log(settings: Settings) -> None:
    """Send the log where it does not spoil the screen, which tells the same."""
    configure(settings.log_format, settings.log_level)
    if sys.stderr.isatty():
        logging.getLogger().handlers[:] = [logging.NullHandler()]


def _wrong(problems: Sequence[str]) -> int:
    for problem in problems:
        sys.stderr.write(f"pgheadroom: {problem}\n")
    return _WRONG
