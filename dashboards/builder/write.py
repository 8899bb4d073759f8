"""Writes the dashboards' JSON, or checks it: `python -m dashboards.builder.write [--check]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dashboards.builder.fleet import fleet
from dashboards.builder.itself import itself
from dashboards.builder.leak import leak
from dashboards.builder.parts import Json
from dashboards.builder.pooler import pooler
from dashboards.builder.server import server

FOLDER: Final = Path(__file__).parents[1]


def dashboards() -> list[Json]:
    """Return all of them."""
    return [fleet(), server(), pooler(), leak(), itself()]


def files() -> dict[str, str]:
    """Return the content of each file by its name."""
    return {
        f"{one['uid']}.json": json.dumps(one, indent=1, ensure_ascii=False) + "\n"
        for one in dashboards()
    }


def differing(folder: Path) -> list[str]:
    """Return the names of files in *folder* that are missing, differ, or are of no dashboard."""
    wanted = files()
    found = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.json")}
    return sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with ``--check`` tell which differ; return 1 if any does, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboards.builder.write",
        description="Writes the dashboards as JSON, into the folder above this one.",
    )
    parser.add_argument("--check", action="store_true", help="only tell which files would change")
    if parser.parse_args(arguments).check:
        wrong = differing(FOLDER)
        for file in wrong:
            sys.stderr.write(
                f"dashboards/{file} is not what python -m dashboards.builder.write makes\n"
            )
        return 1 if wrong else 0
    for file, text in files().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
