"""Finds the mirrors that this machine's own apt installs from.

No mirror is named here: tests fetch from where the system would.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.parts.part import UnavailableError

_SYSTEM: Final = Path("/etc/apt")
_ONE_LINE: Final = re.compile(
    r"^deb\s+(?:\[[^\]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<rest>.+)"
)


@dataclass(frozen=True, slots=True)
class Source:
    """One suite of one archive that the system's apt reads, such as a release's updates."""

    uri: str
    suite: str


def release() -> str:
    """Return the code name of the Debian release this machine runs."""
    fields = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    name = fields.get("VERSION_CODENAME", "").strip('"')
    if fields.get("ID", "").strip('"') != "debian" or not name:
        text = "this is not a Debian release"
        raise UnavailableError(text)
    return name


def system_sources() -> tuple[Source, ...]:
    """Return the suites of the running release (with updates and security) that apt has here."""
    name = release()
    suites = {name, f"{name}-updates", f"{name}-security"}
    found = tuple(source for source in _configured() if source.suite in suites)
    if not any(source.suite == name for source in found):
        text = f"the system's apt sources name no mirror of Debian {name}"
        raise UnavailableError(text)
    return found


def suite_sources(suite: str) -> tuple[Source, ...]:
    """Return another *suite* of the same mirror that serves the running release."""
    name = release()
    mirror = next(source.uri for source in system_sources() if source.suite == name)
    return (Source(mirror, suite),)


def _configured() -> Iterator[Source]:
    files = [_SYSTEM / "sources.list", *sorted((_SYSTEM / "sources.list.d").glob("*"))]
    for file in (file for file in files if file.is_file()):
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".sources":
            yield from parse_deb822(text)
        elif file.suffix == ".list":
            yield from parse_lines(text)


def parse_lines(text: str) -> Iterator[Source]:
    """Yield the binary sources with a component `main` of a one-line-style list."""
    for match in filter(None, map(_ONE_LINE.match, text.splitlines())):
        if "main" in match["rest"].split():
            yield Source(match["uri"], match["suite"])


def parse_deb822(text: str) -> Iterator[Source]:
    """Yield the binary sources with a component `main` of a stanza-style list."""
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields = {
            key.strip().lower(): value.split()
            for key, _, value in (line.partition(":") for line in lines)
        }
        if "deb" not in fields.get("types", ()) or "main" not in fields.get("components", ()):
            continue
        for uri in fields.get("uris", ()):
            yield from (Source(uri, suite) for suite in fields.get("suites", ()))
