"""Runs a program on a terminal: sends keys and sizes, reads frames and the state it leaves."""

import codecs
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.parts.orphans import follow_parent
from tests.support.servers.wait import until

SECONDS: Final = 20.0

_HOME: Final = "\x1b[H"
_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Tty:
    """A program with a terminal of its own, of *size* columns and rows."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], size: tuple[int, int] = (80, 24)
    ) -> None:
        self._ours, theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        self.written = ""
        # What is read at once may end in the middle of a character.
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self.resize(*size)
        self.before: Final = self.modes()
        follow = follow_parent(signal.SIGKILL)

        def own_the_terminal() -> None:
            follow()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # or no key would become a signal

        try:
            self.process = subprocess.Popen(
                words,
                # Its size is the terminal's, whatever that of the test run is said to be.
                env={k: v for k, v in environment.items() if k not in ("LINES", "COLUMNS")},
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                preexec_fn=own_the_terminal,  # noqa: PLW1509 - two system calls
            )
        finally:
            os.close(theirs)

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another size; the program gets a SIGWINCH."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[Any]:
        """Return how the terminal is set."""
        return termios.tcgetattr(self._ours)

    def press(self, keys: str) -> None:
        """Type *keys*."""
        os.write(self._ours, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal's window: nobody reads, and the program gets a SIGHUP."""
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), self._ours)

    def read(self) -> str:
        """Return all that was written so far."""
        try:
            while more := os.read(self._ours, 65536):
                self.written += self._decode(more)
        except (BlockingIOError, OSError):
            pass  # nothing more now, or nobody at the other end
        return self.written

    def frame(self) -> list[str]:
        """Return the lines of the newest whole frame, without colours; none before there is one."""
        frames = self.read().split(_HOME)
        # The last one may not be whole.
        return _SEQUENCE.sub("", frames[-2]).split("\r\n") if len(frames) > 2 else []

    def until(self, words: str) -> list[str]:
        """Wait for a frame that shows *words*, and return it."""
        return until(
            lambda: found if words in "\n".join(found := self.frame()) else None,
            SECONDS,
            f"{words!r} on the screen",
        )

    def wait(self) -> int:
        """Wait for the program's end, reading what it writes; return its exit status."""
        return until(
            lambda: (self.read(), self.process.poll() is not None)[1], SECONDS, "end"
        ) and (self.process.returncode)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
