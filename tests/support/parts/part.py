"""Defines a real part, in the terms of this package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


class UnavailableError(Exception):
    """A part cannot be had on this machine; the text is the reason a person reads."""


@dataclass(frozen=True, slots=True)
class Part:
    """One real program, or the reason why there is none."""

    name: str
    path: Path | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where one bundle is put together: in *bench*, to be moved to *home* when it is whole."""

    bench: Path
    home: Path
    cache: Path
    fresh: bool
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Parts that are fetched together.

    *parts* maps a part's name to its place inside the bundle; *pin* says what the bundle is made
    from, so that a changed pin is fetched anew; *elsewhere* finds the same program outside the
    cache.
    """

    name: str
    pin: str
    parts: Mapping[str, str]
    build: Callable[[Workshop], None]
    elsewhere: Callable[[], Path | None] = lambda: None
    peer: bool = False
