"""Parses the command line: one parser, with a subparser for each command."""

from __future__ import annotations

import argparse
import contextlib
import enum
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Protocol

from pgheadroom import __version__
from pgheadroom.commands.help.overview import overview
from pgheadroom.commands.help.parser import Answered, Parser
from pgheadroom.config.allowed import one_of
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.objections import meant

__all__ = [
    "EXIT_STATUSES",
    "Answered",
    "Command",
    "ExitStatus",
    "complain",
    "fail",
    "parse",
    "tell",
]

_PROGRAM = "pgheadroom"


class ExitStatus(enum.IntEnum):
    """How every command ends."""

    OK = 0
    NOT_OK = 1
    """A target, an address or a file is not as it should be; a backtest would have paged."""
    USAGE = 2
    """The settings or the arguments are not allowed."""
    INTERRUPTED = 130
    """As a shell says of a command that SIGINT ended."""
    TERMINATED = 143
    """As a shell says of a command that SIGTERM ended."""


EXIT_STATUSES: Mapping[ExitStatus, str] = {
    ExitStatus.OK: "success",
    ExitStatus.NOT_OK: "a target, address or file does not work; or a backtest paged",
    ExitStatus.USAGE: "the settings or the arguments are not allowed",
    ExitStatus.INTERRUPTED: "interrupted (Ctrl-C) before there was a result",
    ExitStatus.TERMINATED: "terminated (SIGTERM) before there was a result",
}


class Command(Protocol):
    """What the module of a command has."""

    HELP: str
    """One line for the overview."""
    USAGE: str
    """What may follow the command's name."""
    DESCRIPTION: str
    EPILOG: str

    def add_arguments(self, parser: Parser) -> None:
        """Tell *parser* what the command takes."""

    def run(self, options: argparse.Namespace) -> ExitStatus:
        """Do what *options* ask for; raises ConfigurationError when they are not allowed."""


def parse(arguments: Sequence[str], commands: Mapping[str, Command]) -> argparse.Namespace:
    """Return what *arguments* say; its ``command`` is the one of *commands* that was named.

    Without a command that is ``serve``. What nothing takes is listed in ``problems``. Raises
    ConfigurationError, and Answered for ``--help`` and ``--version``.
    """
    first = next(iter(arguments), "--")
    if not first.startswith("-") and first not in commands:
        # What is no word may be a connection string, which is not repeated.
        name = f": {first}" if first.isalpha() else ""
        instead = meant(first, commands) or f"; there are {', '.join(commands)}"
        raise ConfigurationError([f"no such command{name}{instead}"])
    unnamed = first.startswith("-") and first not in ("-h", "--help", "--version")
    words = ["serve", *arguments] if unnamed else arguments
    root, parser = _parsers(words[0], commands)
    options, stray = root.parse_known_args(words)
    options.problems = _unknown(stray, arguments, commands, parser) if stray else []
    return options


def complain(problems: Iterable[str]) -> ExitStatus:
    """Write what is wrong with the settings or arguments to standard error."""
    tell(f"{_PROGRAM}: {problem}" for problem in problems)
    return ExitStatus.USAGE


def tell(lines: Iterable[str]) -> None:
    """Write *lines* to standard error, if it takes them: nothing else depends on it."""
    with contextlib.suppress(OSError):
        sys.stderr.writelines(f"{line}\n" for line in lines)


def fail(words: str) -> ExitStatus:
    """Write why a command could not do its work to standard error."""
    complain([words])
    return ExitStatus.NOT_OK


def _parsers(name: str, commands: Mapping[str, Command]) -> tuple[Parser, Parser]:
    """Return the parser of the whole line, and of that what follows the command *name*."""
    root = _Root(commands)
    root.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    command = commands.get(name)
    if command is None:  # --help, --version
        return root, root
    parser = root.add_subparsers(dest="command", parser_class=Parser).add_parser(
        name,
        usage=command.USAGE.replace("%(prog)s", f"{_PROGRAM} {name}"),
        description=command.DESCRIPTION,
        epilog=command.EPILOG,
    )
    command.add_arguments(parser)
    return root, parser


class _Root(Parser):
    """The parser of what stands before a command; its help is an overview of all commands."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        super().__init__(prog=_PROGRAM)
        self._commands = commands

    def format_help(self) -> str:
        """Return the overview."""
        commands = {name: command.HELP for name, command in self._commands.items()}
        return overview(commands, EXIT_STATUSES)


def _unknown(
    stray: Sequence[str], words: Sequence[str], commands: Mapping[str, Command], parser: Parser
) -> list[str]:
    """Return what is wrong with the *stray* ones of *words*, which nothing takes.

    Only flags and commands are repeated: the rest may be a connection string.
    """
    flags = _flags(stray, words)
    late = next((word for word in stray if word in commands), None)
    if late is not None and words[0] not in commands:
        after = " ".join(f"{flag} ..." for flag in flags) or "..."
        return [f"the command comes first: {_PROGRAM} {late} {after}"]
    if flags:
        return [
            f"no such flag{'' if '@' in flag else f': {flag}'}{_meant(flag, parser)}"
            for flag in flags
        ]
    if late is not None:
        return [f"give one command at a time: {one_of([words[0], late])}"]
    instead = "; use --dsn CONNINFO to give a connection string" if parser.takes("--dsn") else ""
    return [f"unexpected argument{instead}"] if {*stray} - {"--"} else []


def _meant(flag: str, parser: Parser) -> str:
    close = parser.nearest_flag(flag)
    return "" if close is None else f"; did you mean {close}?"


def _flags(stray: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the flags among the *stray* ones of *words*, each once and without its value.

    What follows -- is an argument, and -- itself, of which argparse tells where nothing follows
    it that a command takes, is no flag.
    """
    before = set(takewhile(lambda word: word != "--", words))
    strange = takewhile(lambda word: word != "--", stray)
    found = (word.partition("=")[0] for word in strange if word[:1] == "-" and word in before)
    return [*dict.fromkeys(found)]
