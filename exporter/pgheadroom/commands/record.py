"""Runs `pgheadroom record`: parses its arguments and opens the recording files."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from pathlib import Path

from pgheadroom.commands.arguments import ExitStatus, fail
from pgheadroom.commands.configured import add_settings, settings_of, targets_of
from pgheadroom.commands.recorder import Output, record
from pgheadroom.config.load import ConfigurationError
from pgheadroom.log import configure
from pgheadroom.storage.recording_end import UnusableRecordingError
from pgheadroom.storage.recording_writer import RecordingFile, RecordingWriter

HELP = "sample every target like serve does, and append what was read to a file"
USAGE = "%(prog)s [FILE] [--rotate-bytes N] [--keep N] [SETTING ...]"
DESCRIPTION = """\
Samples every target like `serve` does and appends each reading as a line of JSON, for `pgheadroom
backtest` and other programs. Ends in order at Ctrl-C or SIGTERM.

Without FILE, or with -, lines go to the standard output. A name that ends in .gz makes gzip,
written every 3 seconds. With several targets the name contains {target}:
  pgheadroom record '/var/lib/pgheadroom/{target}.jsonl.gz' --config pgheadroom.yaml"""
EPILOG = ""

_TARGET = "{target}"
_LEAST_BYTES, _MOST_BYTES = 4096, 10**15
_MOST_KEPT = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, how it is rotated, and the settings."""
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="where to write")
    parser.add_argument(
        "--rotate-bytes",
        default="100000000",
        metavar="N",
        help="begin a new file when this one has N bytes (default: %(default)s); the old one"
        " becomes FILE.1, that one FILE.2 and so on (with gzip NAME.jsonl.1.gz)",
    )
    parser.add_argument(
        "--keep",
        default="9",
        metavar="N",
        help="keep this many old files (1 to 1000, default: %(default)s)",
    )
    add_settings(parser)


def run(options: argparse.Namespace) -> ExitStatus:
    """Record until a signal."""
    problems: list[str] = []
    rotate_bytes = _whole(
        "--rotate-bytes", options.rotate_bytes, _LEAST_BYTES, _MOST_BYTES, problems
    )
    keep = _whole("--keep", options.keep, 1, _MOST_KEPT, problems)
    settings = settings_of(options, problems)
    targets = targets_of(settings, problems)
    if len(targets) > 1 and _TARGET not in options.file:
        raise ConfigurationError([f"several targets need a FILE with {_TARGET} in its name"])
    configure(settings.log_format, settings.log_level)
    try:
        recordings = _recordings(options.file, targets, rotate_bytes, keep)
    except UnusableRecordingError as error:
        return fail(str(error))
    asyncio.run(record(settings, targets, recordings))
    return ExitStatus.OK


def _whole(flag: str, text: str, least: int, most: int, problems: list[str]) -> int:
    """Return the number in *text*; what is wrong with it is added to *problems*."""
    number = int(text) if text.isdecimal() else -1
    if not least <= number <= most:
        problems.append(f"{flag}: {text} is not allowed: a number from {least} to {most}")
    return number


def _recordings(
    file: str, targets: Iterable[str], rotate_bytes: int, keep: int
) -> dict[str, RecordingWriter]:
    if file == "-":
        return {name: Output() for name in targets}
    return {
        name: RecordingFile(Path(file.replace(_TARGET, name)), rotate_bytes=rotate_bytes, keep=keep)
        for name in targets
    }
