"""Runs `pgheadroom record`: parses its arguments and opens the recording files."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from pgheadroom.commands.recorder import Output, record
from pgheadroom.config.load import ConfigurationError, load
from pgheadroom.config.settings import TargetSettings
from pgheadroom.log import configure
from pgheadroom.storage.recording_end import TapeError
from pgheadroom.storage.recording_writer import RecordingFile, RecordingWriter

_OK, _TROUBLE, _WRONG = 0, 1, 2
_TARGET = "{target}"
_LEAST_BYTES, _MOST_KEPT = 4096, 1000

_DESCRIPTION = """\
Samples every target like `serve` does and appends each reading as a line of JSON, for `pgheadroom
backtest` and whoever else likes to know. Ends in order at Ctrl-C or SIGTERM.

FILE stands first; without it, or as -, lines go to the standard output. A name that ends in .gz
makes gzip, written every 3 seconds. With several targets the name contains {target}:
  pgheadroom record '/var/lib/pgheadroom/{target}.jsonl.gz' --config pgheadroom.yaml

  --rotate-bytes N  begin a new file when this one has N bytes (default: 100000000); the old one
                    becomes FILE.1, that one FILE.2 and so on (with gzip NAME.jsonl.1.gz)
  --keep N          keep so many old files (1 to 1000, default: 9)"""


def main(arguments: Sequence[str]) -> int:
    """Record until a signal; return the exit status.

    0 after a signal, 1 when a file can't be written, 2 when the arguments are not allowed.
    """
    rest = list(arguments)
    named = bool(rest) and (rest[0] == "-" or not rest[0].startswith("-"))
    file = rest.pop(0) if named else "-"
    problems: list[str] = []
    given, rest = _own(rest, problems)
    try:
        settings = load(
            rest,
            program="pgheadroom record",
            description=_DESCRIPTION,
            operands=("[FILE]", "[--rotate-bytes N]", "[--keep N]"),
        )
    except ConfigurationError as error:
        return _wrong([*problems, *error.problems])
    targets = settings.all_targets()
    if not targets:
        problems.append("no target is configured: give --dsn, --config, or PGHOST and the like")
    if len(targets) > 1 and _TARGET not in file:
        problems.append(f"several targets need a FILE with {_TARGET} in its name")
    if problems:
        return _wrong(problems)
    configure(settings.log_format, settings.log_level)
    try:
        tapes = _tapes(file, targets, given)
    except TapeError as error:
        return _trouble(str(error))
    asyncio.run(record(settings, targets, tapes))
    return _OK


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigurationError([message])


def _own(arguments: list[str], problems: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Take what is no setting out of *arguments*."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--rotate-bytes", type=int, default=100_000_000)
    parser.add_argument("--keep", type=int, default=9)
    try:
        given, rest = parser.parse_known_args(arguments)
    except ConfigurationError as error:
        problems += error.problems
        return parser.parse_args([]), [
            word for word in arguments if not word.startswith(("--rotate-bytes", "--keep"))
        ]
    if given.rotate_bytes < _LEAST_BYTES:
        problems.append(f"--rotate-bytes: {given.rotate_bytes} is less than {_LEAST_BYTES}")
    if not 1 <= given.keep <= _MOST_KEPT:
        problems.append(f"--keep: {given.keep} is not allowed: from 1 to {_MOST_KEPT}")
    return given, rest


def _tapes(
    file: str, targets: Mapping[str, TargetSettings], given: argparse.Namespace
) -> dict[str, RecordingWriter]:
    if file == "-":
        return {name: Output() for name in targets}
    return {
        name: RecordingFile(
            Path(file.replace(_TARGET, name)), rotate_bytes=given.rotate_bytes, keep=given.keep
        )
        for name in targets
    }


def _wrong(problems: Sequence[str]) -> int:
    for problem in problems:
        sys.stderr.write(f"pgheadroom: {problem}\n")
    return _WRONG


def _trouble(words: str) -> int:
    sys.stderr.write(f"pgheadroom: {words}\n")
    return _TROUBLE
