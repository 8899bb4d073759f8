"""Lists the packages of a lock file, with versions and hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RUN = Path(__file__).with_name("run.txt")

_PACKAGE = re.compile(r"(?P<name>[\w.-]+)(\[.*?\])?==(?P<version>[^\s;]+)( ; (?P<marker>[^\\]+))?")
_HASH = re.compile(r"--hash=sha256:(\w+)")
_NOT_HERE = "sys_platform == 'win32'"


@dataclass(frozen=True, slots=True)
class Locked:
    """One package. It may be any of several files, a wheel for each machine: a hash of each."""

    name: str
    version: str
    sha256: tuple[str, ...]
    marker: str = ""

    @property
    def on_linux(self) -> bool:
        """Whether it is part of the image."""
        return self.marker != _NOT_HERE


def locked(file: Path = RUN) -> tuple[Locked, ...]:
    """Return what *file* locks, in its order; ValueError for a line that is not understood."""
    found: list[Locked] = []
    for entry in file.read_text().replace("\\\n", " ").splitlines():
        package = _PACKAGE.match(entry)
        if package is None:
            raise ValueError(f"{file}: {entry[:60]!r} locks nothing")
        hashes = tuple(_HASH.findall(entry))
        marker = (package["marker"] or "").partition(" --hash")[0].strip()
        found.append(Locked(package["name"], package["version"], hashes, marker))
    return tuple(found)
