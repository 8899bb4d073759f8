"""Sends readiness, status, watchdog and stop messages to systemd (sd_notify).

What it hears is a datagram of lines to the socket that NOTIFY_SOCKET names: too little to have a
library for, and none would know when we are ready. Without that variable nothing is said.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

import structlog

from pgheadroom.board import Board
from pgheadroom.log import Trouble
from pgheadroom.model.alert import Severity
from pgheadroom.state import State

log = structlog.get_logger("pgheadroom.notify.systemd")

_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0


class SystemdNotifier:
    """Tells systemd, if *environment* says that it wants to be told, of the targets on *board*.

    *turning* says whether samples are still being taken.
    """

    def __init__(
        self,
        board: Board,
        turning: Callable[[], bool],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._board = board
        self._turning = turning
        self._address = address(environment)
        self._beat_seconds = beat_seconds(environment)
        self._latest_ready = time.monotonic() + _PATIENCE_SECONDS
        self._ready = False
        self._status = ""
        self._trouble = Trouble(log, "cannot notify systemd", "systemd is notified again")
        self._sender: socket.socket | None = None

    def turns(self) -> Iterator[tuple[float, Callable[[], Awaitable[None]]]]:
        """Yield what to do again and again, and after how many seconds each."""
        if self._address:
            yield _LOOK_SECONDS, self.look
            if self._beat_seconds is not None:
                yield self._beat_seconds, self.beat

    async def look(self) -> None:
        """Say that the daemon is ready, once, and what its status is whenever that changes.

        It is ready when every target was read once. A server that is full or absent may take
        long, and must not keep it from being so: a few seconds are enough.
        """
        now = status(self._board.states())
        ready = self._board.ready or time.monotonic() >= self._latest_ready
        if ready and not self._ready:
            self._ready = self._send("READY=1")
        if now != self._status and self._send(f"STATUS={now}"):
            self._status = now

    async def beat(self) -> None:
        """Keep systemd from restarting the daemon, if it still takes samples."""
        if self._turning():
            self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again."""
        if self._ready:
            self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """Say that this is over, whatever came of it."""
        if self._ready:
            self._send("READY=1")

    def stopping(self) -> None:
        """Say that the daemon ends."""
        if self._address:
            self._send("STOPPING=1")
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def _send(self, lines: str) -> bool:
        """Return whether it got there: what did not is worth a line of log, but only one."""
        try:
            if self._sender is None:
                # Kept: who has no descriptor left for another one still gives signs of life.
                self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                # Were systemd too busy to listen, no sample should wait for it.
                self._sender.settimeout(0)
            self._sender.sendto(lines.encode(), self._address)
        except OSError as error:
            self._trouble.begin(reason=error.strerror or str(error))
            return False
        self._trouble.end()
        return True


def address(environment: Mapping[str, str]) -> str:
    """Return where systemd listens, as a socket wants to hear it; empty if it does not."""
    path = environment.get("NOTIFY_SOCKET", "")
    return f"\0{path[1:]}" if path.startswith("@") else path


def beat_seconds(environment: Mapping[str, str]) -> float | None:
    """Return the time between two signs of life, half of what systemd allows; None for no signs."""
    allowed = environment.get("WATCHDOG_USEC", "")
    process = environment.get("WATCHDOG_PID", "")
    if not allowed.isdecimal() or process not in ("", str(os.getpid())):
        return None
    return int(allowed) / 2e6 or None


def status(states: Iterable[State]) -> str:
    """Return in one line how many targets there are, and how many are in what trouble."""
    total = critical = warning = unread = 0
    for state in states:
        severities = {alert.severity for alert in state.alerts}
        total += 1
        critical += Severity.CRITICAL in severities
        warning += severities == {Severity.WARNING}
        unread += state.outcome is None
    parts = ((critical, "critical"), (warning, "warning"), (unread, "not read yet"))
    words = [f"{number} {name}" for number, name in parts if number]
    return ", ".join([f"{total} target{'' if total == 1 else 's'}", *words])
