"""Runs `pgheadroom dashboards`: writes the Grafana dashboards that come with the package."""

from __future__ import annotations

import argparse
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from pgheadroom.commands.arguments import ExitStatus, fail
from pgheadroom.commands.help.parser import Parser
from pgheadroom.config.load import ConfigurationError

NAMES: Final = ("fleet", "server", "pooler", "leak", "self")
"""Each is in a file of its own, ``pgheadroom-NAME.json``."""

DESCRIPTION = """\
Writes dashboards for Grafana 11 and 12 into a directory, which is created if it
is missing: all servers, one server, its poolers, the search for a leak, and
pgheadroom itself. Existing files of the same names are replaced. They work with
any Prometheus that scrapes pgheadroom, and need no editing."""

EPILOG = """\
examples:
  pgheadroom dashboards /var/lib/grafana/dashboards
  pgheadroom dashboards . && ls pgheadroom-*.json      # to import them by hand
"""


HELP = "write the Grafana dashboards into a directory"
USAGE = "%(prog)s DIR"


def add_arguments(parser: Parser) -> None:
    """Take the directory."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="where to write them")


def run(options: argparse.Namespace) -> ExitStatus:
    """Write the dashboards, and print each file's name."""
    if options.problems:
        raise ConfigurationError(options.problems)
    folder: Path = options.directory
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            file = folder / _file(name)
            file.write_text(text(name), encoding="utf-8")
            sys.stdout.write(f"{file}\n")
    except OSError as error:
        # The system's words, without the errno and the quotes around the name.
        return fail(f"cannot write the dashboards: {error.filename}: {error.strerror}")
    return ExitStatus.OK


def text(name: str) -> str:
    """Return the JSON of the dashboard *name*, one of NAMES."""
    return (_source() / _file(name)).read_text(encoding="utf-8")


def _file(name: str) -> str:
    return f"pgheadroom-{name}.json"


def _source() -> Traversable:
    """Return the folder they are in: the installed one, or the checkout's."""
    # Called otherwise than this module, so that no two things have one name.
    installed = files("pgheadroom") / "grafana"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "dashboards"
