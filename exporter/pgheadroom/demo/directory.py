"""Keeps an embedded PostgreSQL's files in one directory, and removes it even after a crash.

Every run has a directory of its own under the temporary directory, with a file `owner` in it that
is locked for as long as any process of the run lives: ours, or a server that has yet to notice our
death, because each of them holds the same open file. A directory whose `owner` can be locked is
therefore dead, and the next run removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from pgheadroom.demo.process import Account

PORT = 5432
_PREFIX = "pgheadroom-demo-"
_OWNER = "owner"
_SOCKET_NAME = f".s.PGSQL.{PORT}"
# sun_path has 108 bytes and the last of them is a NUL.
_LONGEST_SOCKET_PATH = 107

log: structlog.stdlib.BoundLogger = structlog.get_logger("pgheadroom.demo.server")


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The directory of one run, and the descriptor whose lock says that the run is alive."""

    path: Path
    lock: int

    @property
    def data(self) -> Path:
        """Return PostgreSQL's data directory."""
        return self.path / "data"

    @property
    def server_log(self) -> Path:
        """Return the file that the server's own messages go to."""
        return self.data / "server.log"

    @property
    def socket(self) -> Path:
        """Return the directory of the Unix socket, which is what libpq calls the host."""
        return self.path / "socket"

    @property
    def install(self) -> Path:
        """Return where binaries are copied that cannot be run from where they are."""
        return self.path / "install"


def temporary_base(account: Account | None) -> Path:
    """Return the temporary directory, or /tmp where that one is too deep or closed to *account*."""
    base = Path(tempfile.gettempdir()).resolve()
    socket = base / f"{_PREFIX}xxxxxxxx" / "socket" / _SOCKET_NAME
    too_deep = len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH
    closed = account is not None and not all(
        folder.stat().st_mode & stat.S_IXOTH for folder in (base, *base.parents)
    )
    # The name below it is made by mkdtemp, so that no other user can have made it before.
    return Path("/tmp") if too_deep or closed else base  # noqa: S108  see above


def claim(base: Path, account: Account | None) -> RunDirectory:
    """Create the directory of a new run in *base*, for PostgreSQL to run in as *account*.

    The directories that PostgreSQL writes to belong to the account and admit no one else. The one
    around them stays ours, so that only we can be the author of an `owner` file.
    """
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    # Locked first and named second: an unlocked `owner` of a living run must never be seen.
    unnamed = path / f"{_OWNER}.new"
    lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(lock, f"{os.getpid()}\n".encode())
    unnamed.rename(path / _OWNER)
    run = RunDirectory(path, lock)
    for folder in (run.data, run.socket):
        folder.mkdir(mode=0o700)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
    if account is not None:
        os.chown(path, -1, account.gid)
        path.chmod(0o710)
    return run


def release(run: RunDirectory) -> None:
    """Remove the directory of *run*, whose processes have ended, and give up its lock."""
    try:
        # `owner` goes last: a removal that is itself cut short is then finished by the next run.
        for child in run.path.iterdir():
            if child.name != _OWNER:
                shutil.rmtree(child)
        (run.path / _OWNER).unlink()
        run.path.rmdir()
    finally:
        os.close(run.lock)


def remove_stale(base: Path) -> None:
    """Remove from *base* what runs of ours have left that were killed."""
    for path in base.glob(f"{_PREFIX}*"):
        lock = _lock_of_the_dead(path)
        if lock is not None:
            log.info("removing files that a killed run left behind", directory=str(path))
            try:
                release(RunDirectory(path, lock))
            except OSError as error:
                # Litter is no reason to refuse a start.
                log.warning("cannot remove it", directory=str(path), error=str(error))


def _lock_of_the_dead(path: Path) -> int | None:
    """Return the lock of the run in *path*, or None when it lives or is no run of this user."""
    try:
        entry = path.lstat()
        if not stat.S_ISDIR(entry.st_mode) or entry.st_uid != os.geteuid():
            return None
        lock = os.open(path / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        # Not yet a run, or just removed by the process that it belonged to.
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    if os.fstat(lock).st_nlink == 0:
        # Its owner removed it between our opening and our locking.
        os.close(lock)
        return None
    return lock
