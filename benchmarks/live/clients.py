"""Starts the clients of a story as processes of their own, and ends them by their ids."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from tests.support.parts.orphans import follow_parent
from tests.support.servers.wait import until

POD: Final = Path(__file__).with_name("pod.py")
_UP: Final = b"up\n"
_STOP_SECONDS: Final = 10.0


class Client:
    """One process that holds connections; what it says goes to *log*, but for the word `up`."""

    def __init__(self, argv: Sequence[str | Path], log: IO[bytes], **environment: str) -> None:
        self._name = Path(argv[1]).name
        self._child = subprocess.Popen(
            [str(word) for word in argv],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # an interrupt from the keyboard is for the story to handle
            preexec_fn=follow_parent(),  # noqa: PLW1509 - one libc call, no locks taken
        )
        self._output = self._child.stdout
        if self._output is None:
            raise AssertionError  # a pipe was asked for
        os.set_blocking(self._output.fileno(), False)
        self._up = False

    def is_up(self) -> bool:
        """Tell whether it has all the connections that it wants at first."""
        if self._output is not None and not self._up:
            self._up = self._output.readline() == _UP
        if not self._up and self._child.poll() is not None:
            raise ChildProcessError(f"{self._name} ended with status {self._child.returncode}")
        return self._up

    def ready(self, seconds: float) -> None:
        """Wait until it is up."""
        until(self.is_up, seconds, f"readiness of {self._name}")

    def go(self) -> None:
        """Have it begin what the story is about, if it is a client that waits for that."""
        self._child.send_signal(signal.SIGUSR2)

    def tell_to_stop(self) -> None:
        """Ask it to close its connections and end; does not wait."""
        if self._child.poll() is None:
            self._child.terminate()

    def kill(self) -> None:
        """End it at once, as a crash does; the server learns from the closed sockets."""
        if self._child.poll() is None:
            self._child.kill()
        self._close()

    def stop(self) -> None:
        """Ask it to end and wait until it has; one that does not is killed."""
        self.tell_to_stop()
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._close()

    def _close(self) -> None:
        self._child.wait()
        if self._output is not None:
            self._output.close()
            self._output = None


def pod(dsn: str, log: IO[bytes], *words: str) -> Client:
    """Start one replica that holds connections over libpq; *words* are options of `pod.py`."""
    return Client([sys.executable, POD, dsn, *words], log)
