"""Reads how much processor time a process, or a whole PostgreSQL server, has used.

A process: its clock, as the scheduler keeps it, all threads, in nanoseconds.

A server is a tree of processes, many of which live for milliseconds, so that reading the clocks of
those that are there would miss the dearest ones. What counts is the postmaster, which forks, and
every process that it forks while the account is kept: those that serve a watcher. Who was there
before is left out, background processes and idle sessions alike: they wake up now and then whoever
watches, and what they use varies by as much as a watcher costs.

Where a control group can be made (version 2, as root or in a delegated subtree), the postmaster is
put in one of its own, and its children are born there: the kernel charges the group for every
process as it runs, the ended ones included. Elsewhere the time of the ended ones is read where the
postmaster collects them, in its own `stat`: the same account, complete, but shown in ticks of
10 ms, so that short windows are blurred.

On a server that works, what it forks for itself and for its clients would drown that. There the
account is of the backends of one role alone: their clocks are read a few hundred times a second, so
that of one which lives for milliseconds the last ones may be missing.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from tests.support.servers.postgres import Postgres
from tests.support.servers.process import family
from tests.support.servers.wait import until

_SCHEDULER_CLOCK: Final = 2  # CPUCLOCK_SCHED of <linux/posix-timers.h>
_PID_SHIFT: Final = 3
_REMOVE_SECONDS: Final = 10.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_CHILDREN: Final = slice(13, 15)  # cutime and cstime, counted behind the name
_MICROSECONDS: Final = 1e-6
_LOOK_SECONDS: Final = 0.003


def of_process(pid: int) -> float:
    """Return the seconds that *pid* has run, ended threads included, ended children not."""
    # What clock_getcpuclockid() returns; Python offers it for threads only.
    return time.clock_gettime(~pid << _PID_SHIFT | _SCHEDULER_CLOCK)


class ServerAccount(Protocol):
    """Tells the time that a server has used."""

    how: str

    def seconds(self) -> float:
        """Return the seconds that the server's processes have run, the ended ones included."""


class _Group:
    """The account of a control group."""

    how = "a control group of the postmaster and what it forks (exact)"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def seconds(self) -> float:
        usage = (self._folder / "cpu.stat").read_text().split()[1]
        return int(usage) * _MICROSECONDS


class _Tree:
    """The accounts of the living, and what the postmaster collected of the dead."""

    how = "clocks of the living processes, and the postmaster's account of ended ones (10 ms ticks)"

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster
        self._background = frozenset(family(postmaster)[1:])

    def seconds(self) -> float:
        living = 0.0
        for pid in set(family(self._postmaster)) - self._background:
            with contextlib.suppress(OSError):  # ended meanwhile: the postmaster's account has it
                living += of_process(pid)
        text = Path(f"/proc/{self._postmaster}/stat").read_text()
        ended = sum(int(ticks) for ticks in text.rpartition(")")[2].split()[_CHILDREN])
        return living + ended / _TICKS


@contextlib.contextmanager
def of_server(server: Postgres) -> Iterator[ServerAccount]:
    """Keep the account of *server*, which runs, for as long as the context lasts."""
    try:
        home = _own_group()
        folder = home / f"benchmark-{server.pid}"
        folder.mkdir()
    except (OSError, LookupError):
        yield _Tree(server.pid)
        return
    try:
        _move([server.pid], folder)
        yield _Group(folder)
    finally:
        _move([int(pid) for pid in (folder / "cgroup.procs").read_text().split()], home)
        until(lambda: not (folder / "cgroup.procs").read_text(), _REMOVE_SECONDS, "empty group")
        folder.rmdir()


class _Role:
    """The clocks of the backends of one role, those that have ended included."""

    def __init__(self, postmaster: int, role: str) -> None:
        self.how = f"clocks of the backends of the role {role}, read every 3 ms"
        self._children = Path(f"/proc/{postmaster}/task/{postmaster}/children")
        self._mark = f" {role} "
        self._clocks: dict[int, float] = {}
        self._ended = 0.0
        self._others: set[int] = set()
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def seconds(self) -> float:
        self.look()
        with self._lock:
            return self._ended + sum(self._clocks.values())

    def look(self) -> None:
        """Read the clock of every backend of the role that lives."""
        with self._lock:
            living = {int(pid) for pid in self._children.read_text().split()}
            self._others &= living
            # A server under churn forks so many that their numbers are used again within a minute.
            for pid in self._clocks.keys() - living:
                self._ended += self._clocks.pop(pid)
            for pid in living - self._others:
                with contextlib.suppress(OSError):  # ended meanwhile: its last clock stays
                    if pid in self._clocks or self._is_of_role(pid):
                        self._clocks[pid] = of_process(pid)

    def _is_of_role(self, pid: int) -> bool:
        title = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        if self._mark in title:
            return True
        if title.startswith("postgres:"):  # else it has no title of its own yet
            self._others.add(pid)
        return False

    def work(self) -> None:
        """Look again and again until `end`."""
        while not self._stop.wait(_LOOK_SECONDS):
            self.look()

    def end(self) -> None:
        """Stop looking."""
        self._stop.set()


@contextlib.contextmanager
def of_role(server: Postgres, role: str) -> Iterator[ServerAccount]:
    """Keep the account of the backends of *role* on *server* while the context lasts."""
    account = _Role(server.pid, role)
    thread = threading.Thread(target=account.work)
    thread.start()
    try:
        yield account
    finally:
        account.end()
        thread.join()


def _own_group() -> Path:
    """Return the folder of the version 2 control group that this process is in."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    mount = next((Path(words[1]) for words in mounts if words[2] == "cgroup2"), None)
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    path = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if mount is None or path is None:
        raise LookupError
    return mount / path


def _move(pids: list[int], group: Path) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))
