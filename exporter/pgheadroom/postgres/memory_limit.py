"""Limits how much memory libpq may take for one answer, whatever the server sends.

A message of PostgreSQL's protocol may be a gigabyte long, and libpq keeps it whole: a server in
wrong hands could have the daemon killed for want of memory, and with it goes the view of all the
other servers. Under a ceiling libpq says that it has no memory for the message, and the target
fails alone.
"""

from __future__ import annotations

import functools
import os
import resource
from types import TracebackType

_MOST_BYTES = 128 * 1024 * 1024
_DATA_FIELD = 5  # of /proc/PID/statm: what RLIMIT_DATA limits, and the stack (proc(5))


class MemoryLimit:
    """A limit of 128 MiB above what the process has now; in force inside ``with``.

    Only libpq is to run inside: anything else that asks for memory there may not get it. Does
    nothing where the kernel is not Linux.
    """

    def __init__(self) -> None:
        self._soft, self._hard = resource.getrlimit(resource.RLIMIT_DATA)
        self._lowered = self._soft
        file = _statm()
        if file is not None:
            pages = int(os.pread(file, 128, 0).split()[_DATA_FIELD])
            most_bytes = pages * resource.getpagesize() + _MOST_BYTES
            unlimited = self._soft == resource.RLIM_INFINITY
            self._lowered = most_bytes if unlimited else min(most_bytes, self._soft)

    def __enter__(self) -> None:
        """Lower the limit."""
        resource.setrlimit(resource.RLIMIT_DATA, (self._lowered, self._hard))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Put the limit back."""
        resource.setrlimit(resource.RLIMIT_DATA, (self._soft, self._hard))


@functools.cache
def _statm() -> int | None:
    """Open this process's figures for good; None where there are none."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
