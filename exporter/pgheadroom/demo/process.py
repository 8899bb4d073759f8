"""Starts a PostgreSQL program so that it cannot outlive us.

Three nets, one under the other: an orderly stop with deadlines; a signal that the kernel sends when
our process dies without one; and an open lock file, inherited by every program started here, which
tells the next run whether anything of this one is still alive (see embedded_directory).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_UNPRIVILEGED = "nobody"
_PR_SET_PDEATHSIG: Final = 1
# An immediate shutdown: the data is not needed any more.
_SIGNAL_OF_OUR_DEATH: Final = signal.SIGQUIT
# PostgreSQL's fast shutdown, its immediate one, and the kernel's: how long each may take.
_STOP_SECONDS: Final = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))

_prctl = ctypes.CDLL(None, use_errno=True).prctl
_prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
_prctl.restype = ctypes.c_int

log: structlog.stdlib.BoundLogger = structlog.get_logger("pgheadroom.demo.server")


class EmbeddedUnavailable(Exception):  # noqa: N818  a state of the machine, named like the metric
    """No embedded PostgreSQL can run here; the message says why and what cures it."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that PostgreSQL runs as when it may not run as us."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return the account to switch to, or None when we are no root and need not switch."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError as error:
        message = (
            "PostgreSQL does not run as root, and this machine has no user "
            f"{_UNPRIVILEGED!r} to run it as; run pgheadroom as an ordinary user"
        )
        raise EmbeddedUnavailable(message) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def spawn(
    command: Sequence[str | Path], account: Account | None, *, lock: int, output: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start *command* as *account*, its output and errors going to *output*.

    The child dies with the **thread** that calls this, because that is what the kernel watches:
    a server that is to live long is started from the thread of the event loop, not from a worker.
    A session of its own keeps a terminal's Ctrl-C from reaching it before us.
    """
    return subprocess.Popen(  # noqa: S603  the command is ours, from the wheel's own directory
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        # Ours may be a directory that the account must not enter.
        cwd="/",
        # PGDATA, PGPORT and their like would change the server behind our back.
        env={"PATH": os.defpath, "LC_ALL": "C"},
        pass_fds=(lock,),
        start_new_session=True,
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else [],
        umask=0o077,
        # Nothing is imported, allocated for long or locked between fork and exec, which is what
        # makes a preexec_fn dangerous beside threads. It has to run there: the kernel forgets the
        # signal when the user changes, and the user changes just before.
        preexec_fn=partial(_die_with, os.getpid()),  # noqa: PLW1509  see above
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End *process* as gently as its deadlines allow, and return when it is gone."""
    for request, patience_seconds in _STOP_SECONDS:
        # Sends nothing to a process that was reaped already, so its number cannot be another's.
        process.send_signal(request)
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            if request is signal.SIGKILL:
                raise
            log.warning("embedded server is slow to stop", pid=process.pid, after=request.name)
        else:
            return


def _die_with(parent: int) -> None:
    """Ask the kernel, in the child, for a signal when *parent* dies; go if it has died already."""
    if _prctl(_PR_SET_PDEATHSIG, _SIGNAL_OF_OUR_DEATH, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent:
        os._exit(1)
