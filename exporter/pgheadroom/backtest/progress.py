"""Shows a progress bar on stderr, for a person at a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_SHORT_SECONDS = 1.0
_PAUSE_SECONDS = 0.1


class ProgressBar:
    """Shown only when stderr is a terminal and the work has lasted for a second."""

    def __init__(self, words: str) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(words, total=1.0, start=True)
        self._wanted = sys.stderr.isatty()
        self._shown = False
        self._next = time.monotonic() + _SHORT_SECONDS

    def at(self, share: float, words: str) -> None:
        """Say that *share* (0 to 1) of the work is done, and what is done now."""
        if self._wanted and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE_SECONDS
            self._shown = True
            self._progress.start()
            self._progress.update(self._task, completed=share, description=words)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._shown:  # else it would end a line that it has not begun
            self._progress.stop()
