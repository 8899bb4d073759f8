"""Runs `pgheadroom dashboards`: writes the Grafana dashboards that come with the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

NAMES: Final = ("fleet", "server", "leak", "self")
"""Each is in a file of its own, ``pgheadroom-NAME.json``."""

_OK, _TROUBLE = 0, 1

_DESCRIPTION = """\
Writes dashboards for Grafana 11 and 12 into a directory, which is made if it is missing: all
servers, one server, the hunt for a leak, and pgheadroom itself. Files of those names are replaced.
They ask any Prometheus that scrapes pgheadroom, and need no editing."""

_EPILOG = """\
examples:
  pgheadroom dashboards /var/lib/grafana/dashboards
  pgheadroom dashboards . && ls pgheadroom-*.json      # to import them by hand
"""


def main(arguments: Sequence[str]) -> int:
    """Write the dashboards where *arguments* say, and print each file's name.

    0 when all are written, 1 when one cannot be. A wrong argument ends the program with 2 and says
    why, as argparse does.
    """
    folder: Path = _parser().parse_args(arguments).directory
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            file = folder / _file(name)
            file.write_text(text(name), encoding="utf-8")
            sys.stdout.write(f"{file}\n")
    except OSError as error:
        # The system's words, without the errno and the quotes around the name.
        reason = f"{error.filename}: {error.strerror}"
        sys.stderr.write(f"pgheadroom: the dashboards cannot be written: {reason}\n")
        return _TROUBLE
    return _OK


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pgheadroom dashboards",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="where to write them")
    return parser
