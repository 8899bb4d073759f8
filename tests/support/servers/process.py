"""Runs one real program so that nothing of it outlives the test run.

In a session of its own, as the unprivileged user, with its output in a file; the kernel signals it
when the test run dies. `family` finds its descendants by parent, because PostgreSQL's backends
leave their session.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.support.parts import demotion
from tests.support.parts.orphans import follow_parent
from tests.support.servers.log import Log
from tests.support.servers.wait import until

STOP_SECONDS: Final = 20.0


class DiedError(Exception):
    """A server ended by itself; the text holds the end of its output."""


class Process:
    """A running program and the file that holds its output."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        log: Log,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        orphan_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.log = log
        with log.path.open("ab") as output:
            self._child = subprocess.Popen(
                [str(word) for word in argv],
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=follow_parent(orphan_signal),  # noqa: PLW1509 - one libc call, no locks taken
                **demotion(),
            )
        self.pid: Final = self._child.pid

    def is_alive(self) -> bool:
        """Tell whether the program still runs (or is stopped), not whether it answers."""
        return self._child.poll() is None

    def require_alive(self) -> None:
        """Raise `DiedError` if the program has ended."""
        if not self.is_alive():
            text = f"exit code {self._child.returncode}\n{self.log.tail()}"
            raise DiedError(text)

    def send(self, number: signal.Signals) -> None:
        """Send *number* to the program alone."""
        self._child.send_signal(number)

    def wait(self, timeout: float = STOP_SECONDS) -> int:
        """Wait for the program's end and return its exit code."""
        return self._child.wait(timeout)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the program to end, and kill it with all its descendants if it does not."""
        if not self.is_alive():
            return
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the program and all its descendants, at once."""
        if not self.is_alive():
            return
        # Stopped first, so that it starts nothing more while its family is counted.
        self.send(signal.SIGSTOP)
        members = family(self.pid)
        # It goes last, or its children would tell their clients that it has gone.
        for pid in reversed(members):
            send(pid, signal.SIGKILL)
        self.wait()
        until(lambda: not any(map(exists, members)), STOP_SECONDS, "end of the killed processes")


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal to *pid*; False if it has ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def family(pid: int) -> list[int]:
    """Return *pid* and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for child, parent, _ in _table():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for member in found:
        found.extend(children.get(member, ()))
    return found


def exists(pid: int) -> bool:
    """Tell whether *pid* is a process that has not ended."""
    # A zombie is as good as gone: nobody but init may be there to collect it.
    return any(pid == other and state != "Z" for other, _, state in _table())


def _table() -> Iterator[tuple[int, int, str]]:
    """Yield (pid, parent, state) of every process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended while we looked
            # The name, in parentheses, may hold anything; the fields follow its last one.
            state, parent = text.rpartition(")")[2].split()[:2]
            yield int(entry.name), int(parent), state
