"""Keeps what a program has printed, even when its folder is gone."""

from pathlib import Path


class Log:
    """The file that holds a program's output."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: bytes | None = None
        path.touch()

    def read(self, start: int = 0) -> str:
        """Return what was printed from byte *start* on."""
        data = self.path.read_bytes() if self._kept is None else self._kept
        return data[start:].decode(errors="replace")

    def tail(self, lines: int = 15) -> str:
        """Return the last *lines*."""
        return "\n".join(self.read().splitlines()[-lines:])

    def size(self) -> int:
        """Return the present length, a mark for `read`."""
        return self.path.stat().st_size

    def keep(self) -> None:
        """Remember the text; the file is about to be removed."""
        self._kept = self.path.read_bytes()
