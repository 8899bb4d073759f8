"""Prints the table of docs/licenses.md: the licence of each package installed with pgheadroom."""

from __future__ import annotations

import sys
from importlib.metadata import metadata

from requirements.locked import Locked, locked

PAGE = "uPlot 1.6.32"
"""The one library of the status page, with its version."""

# What packages wrote before there were names that everybody writes alike.
_NAMES = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
}
_CLASSIFIER = "License :: OSI Approved :: "


def license_of(package: Locked) -> str:
    """Return what *package*, which is installed here, says of itself; ValueError if nothing."""
    said = metadata(package.name)
    names: list[str] = [
        *said.get_all("License-Expression", []),
        *said.get_all("License", []),
        *(line.rpartition(_CLASSIFIER)[2] for line in said.get_all("Classifier", [])),
    ]
    for name in names:
        if name and "\n" not in name and " :: " not in name:  # no text, no other classifier
            return _NAMES.get(name, name)
    raise ValueError(f"{package.name} does not say under which licence it is")


def table() -> list[str]:
    """Return the lines of the table."""
    rows = ["| package | licence |", "|---|---|"]
    for package in locked():
        words = license_of(package) if package.on_linux else "not installed on Linux"
        rows.append(f"| {package.name} | {words} |")
    return [*rows, f"| {PAGE.partition(' ')[0]} (in the status page) | MIT |"]


if __name__ == "__main__":
    sys.stdout.write("\n".join([*table(), ""]))
