"""Defines a harness: a function that takes any bytes, and raises if there is a bug."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Harness:
    """One of them."""

    name: str
    once: Callable[[bytes], None]
    """Raises for a finding alone: what a parser says it raises is caught."""
    seeds: tuple[bytes, ...]
    """What to begin with: inputs that are right, or nearly."""
    share: int
    """So many of a thousand inputs; less where one takes longer."""
    words: tuple[str, ...] = ()
    """What the engine would be long in finding: keys, tags, codes."""
    longest: int = 4096
    """Bytes of an input."""


@contextmanager
def file_of(data: bytes) -> Iterator[Path]:
    """Make a file of *data*, for as long as the context lasts."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        yield Path(file.name)
