"""Parses the command line: one parser, with a subparser for each command."""

from __future__ import annotations

import argparse
import contextlib
import enum
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import NoReturn, Protocol

from pgheadroom import __version__
from pgheadroom.config.load import ConfigurationError

_PROGRAM = "pgheadroom"


class ExitStatus(enum.IntEnum):
    """How every command ends."""

    OK = 0
    NOT_OK = 1
    """A target, an address or a file is not as it should be; a backtest would have paged."""
    USAGE = 2
    """The settings, or what a command was given, are not allowed."""
    INTERRUPTED = 130
    """As a shell says of a command that SIGINT ended."""
    TERMINATED = 143
    """As a shell says of a command that SIGTERM ended."""


EXIT_STATUSES: Mapping[ExitStatus, str] = {
    ExitStatus.OK: "all is well",
    ExitStatus.NOT_OK: "a target, an address or a file is not; or a backtest would have paged",
    ExitStatus.USAGE: "the settings, or what a command was given, are not allowed",
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

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Tell *parser* what the command takes."""

    def run(self, options: argparse.Namespace) -> ExitStatus:
        """Do what *options* ask for; raises ConfigurationError when they are not allowed."""


class Answered(Exception):  # noqa: N818 - it is no error
    """The command line asked for a text alone, --help or --version, which has been printed."""


class Parser(argparse.ArgumentParser):
    """A parser that raises ConfigurationError, in our words, or Answered, and never exits."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002 - argparse's
        """Raise Answered: `error`, below, does not come here."""
        raise Answered

    def error(self, message: str) -> NoReturn:
        """Raise ConfigurationError."""
        flag, _, complaint = message.removeprefix("argument ").partition(": ")
        flag = flag.partition("/")[0]
        if complaint == "expected one argument":
            message = f"{flag}: no value is given"
        elif complaint.startswith("ignored explicit argument"):  # and repeats it
            message = f"{flag}: no value is allowed: it stands alone"
        elif message.startswith("the following arguments are required: "):
            message = f"missing: {message.partition(': ')[2]}; --help tells more"
        raise ConfigurationError([message.removeprefix("argument ")])


def parse(arguments: Sequence[str], commands: Mapping[str, Command]) -> argparse.Namespace:
    """Return what *arguments* say; its ``command`` is the one of *commands* that was named.

    Without a command that is ``serve``. What nothing takes is listed in ``problems``. Raises
    ConfigurationError, and Answered for ``--help`` and ``--version``.
    """
    first = next(iter(arguments), "--")
    if not first.startswith("-") and first not in commands:
        # What is no word may be a connection string, which is not repeated.
        name = f": {first}" if first.isalpha() else ""
        raise ConfigurationError([f"no such command{name}; there are {', '.join(commands)}"])
    unnamed = first.startswith("-") and first not in ("-h", "--help", "--version")
    words = ["serve", *arguments] if unnamed else arguments
    options, stray = _parser(commands).parse_known_args(words)
    instead = "; use --dsn CONNINFO to give a connection string" if "dsn" in options else ""
    options.problems = _unknown(stray, arguments, commands, instead) if stray else []
    return options


def complain(problems: Iterable[str]) -> ExitStatus:
    """Write what is wrong with the settings or arguments to standard error, if it takes it."""
    with contextlib.suppress(OSError):
        for problem in problems:
            sys.stderr.write(f"{_PROGRAM}: {problem}\n")
    return ExitStatus.USAGE


def fail(words: str) -> ExitStatus:
    """Write why a command could not do its work to standard error."""
    complain([words])
    return ExitStatus.NOT_OK


def _parser(commands: Mapping[str, Command]) -> Parser:
    root = _Root(commands)
    root.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    subparsers = root.add_subparsers(dest="command", parser_class=Parser)
    for name, command in commands.items():
        command.add_arguments(
            subparsers.add_parser(
                name,
                usage=command.USAGE.replace("%(prog)s", f"{_PROGRAM} {name}"),
                description=command.DESCRIPTION,
                epilog=command.EPILOG,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
        )
    return root


class _Root(Parser):
    """The parser of what stands before a command; its help is an overview of all commands."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        super().__init__(prog=_PROGRAM, allow_abbrev=False)
        self._commands = commands

    def format_help(self) -> str:
        """Return the overview."""
        width = max(map(len, self._commands)) + 2
        lines = (f"  {name:<{width}}{command.HELP}" for name, command in self._commands.items())
        statuses = (f"  {status:<{width}}{words}" for status, words in EXIT_STATUSES.items())
        return _OVERVIEW.format(commands="\n".join(lines), statuses="\n".join(statuses))


_OVERVIEW = """\
usage: pgheadroom [COMMAND] [SETTING ...]

Watches PostgreSQL's connection slots and pages before they run out.

commands:
{commands}

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

exit status:
{statuses}
"""


def _unknown(
    stray: Sequence[str], words: Sequence[str], commands: Mapping[str, Command], instead: str
) -> list[str]:
    """Return what is wrong with the *stray* ones of *words*, which nothing takes.

    Only flags and commands are repeated: the rest may be a connection string.
    """
    flags = _flags(stray, words)
    late = next((word for word in stray if word in commands), None)
    if late is not None and words[0] not in commands:
        after = " ".join(f"{flag} ..." for flag in flags) or "..."
        return [f"the command stands first: {_PROGRAM} {late} {after}"]
    if flags:
        return [f"no such flag: {flag}" for flag in flags]
    if late is not None:
        return [f"there is one command at a time: {words[0]} or {late}"]
    return [f"unexpected argument{instead}"] if {*stray} - {"--"} else []


def _flags(stray: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the flags among the *stray* ones of *words*, each once and without its value.

    What follows -- is an argument, and -- itself, of which argparse tells where nothing follows
    it that a command takes, is no flag.
    """
    before = set(takewhile(lambda word: word != "--", words))
    strange = takewhile(lambda word: word != "--", stray)
    found = (word.partition("=")[0] for word in strange if word[:1] == "-" and word in before)
    return [*dict.fromkeys(found)]
