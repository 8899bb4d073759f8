"""Runs `pgheadroom record`: parses its arguments and opens the recording files."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from pgheadroom.commands.arguments import ExitStatus, fail, tell
from pgheadroom.commands.configured import add_settings, settings_of, targets_of
from pgheadroom.commands.help.parser import Parser
from pgheadroom.commands.output import failure
from pgheadroom.commands.recorder import Output, record
from pgheadroom.config.given import shown
from pgheadroom.config.load import ConfigurationError
from pgheadroom.durations import duration
from pgheadroom.log import configure
from pgheadroom.storage.recording_end import UnusableRecordingError
from pgheadroom.storage.recording_writer import RecordingFile, RecordingWriter
from pgheadroom.text import escaped

HELP = "sample every target as serve does; append the readings to a file"
USAGE = "%(prog)s [FILE] [--rotate-bytes N] [--keep N] [SETTING ...]"
DESCRIPTION = """\
Samples every target as `serve` does, and appends each reading as a line of
JSON, for `pgheadroom backtest` and other programs. Stop it with Ctrl-C or
SIGTERM; it then says how much it wrote.

Without FILE, or with -, the lines go to standard output. A name that ends in
.gz makes a gzip file, which is written every 3 seconds. With several targets,
put {target} in the name:
  pgheadroom record 'recordings/{target}.jsonl.gz' --config pgheadroom.yaml"""
EPILOG = ""

_TARGET = "{target}"
_LEAST_BYTES, _MOST_BYTES = 4096, 10**15
_MOST_KEPT = 1000


def add_arguments(parser: Parser) -> None:
    """Take the file, how it is rotated, and the settings."""
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="where to write")
    parser.add_argument(
        "--rotate-bytes",
        default="100000000",
        metavar="N",
        help="start a new file when this one has N bytes (default: %(default)s); the old file"
        " becomes FILE.1, the one before it FILE.2, and so on (with gzip NAME.jsonl.1.gz)",
    )
    parser.add_argument(
        "--keep",
        default="9",
        metavar="N",
        help="how many old files to keep (1 to 1000, default: %(default)s)",
    )
    add_settings(parser, "interval_seconds", "knock_interval_seconds", "log_level")


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
        raise ConfigurationError([f"with several targets, put {_TARGET} in the name of FILE"])
    configure(settings.log_format, settings.log_level)
    try:
        recordings = _recordings(options.file, targets, rotate_bytes, keep)
    except UnusableRecordingError as error:
        return fail(str(error))
    began = time.monotonic()
    asyncio.run(record(settings, targets, recordings))
    _tell(options.file, recordings, time.monotonic() - began)
    return ExitStatus.OK


def _tell(file: str, recordings: Mapping[str, RecordingWriter], seconds: float) -> None:
    """Say on standard error what was written."""
    if failure() is not None:  # standard output took not all of it
        return
    for target, recording in recordings.items():
        name = "standard output" if file == "-" else file.replace(_TARGET, target)
        noun = "reading" if recording.readings == 1 else "readings"
        tell([f"{escaped(name)}: {recording.readings:,} {noun} in {duration(seconds)}"])


def _whole(flag: str, text: str, least: int, most: int, problems: list[str]) -> int:
    """Return the number in *text*; what is wrong with it is added to *problems*."""
    number = int(text) if text.isdecimal() else -1
    if not least <= number <= most:
        given = shown(text, secret=False)
        problems.append(f"{flag}: {given} is not allowed; give a number from {least} to {most}")
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
