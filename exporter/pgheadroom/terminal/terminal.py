"""Takes over the terminal for a full screen with keys, and restores it afterwards."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import io
import os
import re
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live

_MOST_BYTES = 1024
# Arrows, function keys and the mouse send sequences that end in letters: those are not keys.
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~])?")

# Replacements for our drawing characters on a terminal without UTF-8.
_STAND_INS = "pgheadroom-stand-ins"
_ASCII = str.maketrans("█▓░▒▁▂▃▄▅▆▇▶…", "#+./__:::##>~")


class Terminal:
    """The terminal on standard input and output, while we draw on it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(
            console=console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._before: list[Any] | None = None
        codecs.register_error(_STAND_INS, _stand_in)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors=_STAND_INS)

    @property
    def size(self) -> tuple[int, int]:
        """Current columns and rows."""
        return self._console.size

    def draw(self, renderable: RenderableType) -> None:
        """Show *renderable* on the whole screen."""
        self._live.update(renderable, refresh=True)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Use the full screen, and get keys at once; restore both in every case."""
        try:
            self._take()
            yield
        finally:
            self._give_back()

    def suspend(self) -> None:
        """Restore the terminal and stop this process as Ctrl-Z does; return when it continues."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()

    def listen(self, pressed: Callable[[str], None]) -> None:
        """Call *pressed* with each key from now on, on the running event loop."""
        if self._before is None:
            return  # standard input is not a terminal
        loop, keyboard = asyncio.get_running_loop(), sys.stdin.fileno()

        def read() -> None:
            keys = os.read(keyboard, _MOST_BYTES)
            if not keys:
                loop.remove_reader(keyboard)
            for key in _SEQUENCE.sub(b"", keys).decode("ascii", errors="replace"):
                pressed(key)

        loop.add_reader(keyboard, read)

    def _take(self) -> None:
        if sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin.fileno())
            # Ctrl-C and Ctrl-Z stay signals.
            tty.setcbreak(sys.stdin.fileno())
        self._live.start()

    def _give_back(self) -> None:
        try:
            self._live.stop()
        finally:
            if self._before is not None:
                with contextlib.suppress(termios.error):  # of a terminal that is gone
                    termios.tcsetattr(sys.stdin.fileno(), termios.TCSAFLUSH, self._before)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for characters that cannot be encoded; an error handler of a codec."""
    if not isinstance(error, UnicodeEncodeError):  # output only raises encoding errors
        raise error
    words = error.object[error.start : error.end].translate(_ASCII)
    return words.encode("ascii", errors="replace").decode("ascii"), error.end
