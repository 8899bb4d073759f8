"""Keeps standard output usable when its reader has left or its disk is full."""

from __future__ import annotations

import io
import select
import sys
from typing import Any, TextIO


class _Descriptor(io.FileIO):
    """A file descriptor that takes everything; after the first failure it drops what it takes."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Write *data*, or some of it, unless a write failed before; return how many bytes."""
        try:
            return len(data) if self.failure is not None else self._written(data)
        except OSError as failure:
            self.failure = failure
            return len(data)

    def _written(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        # What does not block, because another process of the terminal or pipe wants it so, is
        # waited for.
        while (count := super().write(data)) is None:
            select.select([], [self], [])
        return count


class Output(io.TextIOWrapper):
    """Takes the place of *stream*: writing never raises, and what failed is kept.

    So a command does all of its work and ends with its own exit status, whoever reads of it, and
    neither a library nor the interpreter's last flush trips over what is held back.
    """

    def __init__(self, stream: TextIO) -> None:
        self._descriptor = _Descriptor(stream.fileno(), "w", closefd=False)
        super().__init__(
            io.BufferedWriter(self._descriptor),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=True,
        )

    @property
    def failure(self) -> OSError | None:
        """Why nothing can be written any more."""
        return self._descriptor.failure


def failure() -> OSError | None:
    """Return why standard output takes nothing any more; None while it does."""
    return sys.stdout.failure if isinstance(sys.stdout, Output) else None


def complaint() -> str | None:
    """Write what is held back; return what to tell of standard output, if it took not all.

    A reader that has left has what it wanted: that is nothing to tell.
    """
    sys.stdout.flush()
    error = failure()
    if error is None or isinstance(error, ConnectionError):
        return None
    return f"cannot write to standard output: {error.strerror}"
