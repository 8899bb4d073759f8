"""Writes files so that a kill, a full disk or a second daemon never leaves half of one.

Written beside the old one, made durable, and renamed over it. Who writes holds the directory's
lock; to read, none is needed, because at every moment each file is whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path
from threading import Lock

LARGEST_BYTES = 16 * 1024 * 1024

_LOCK = ".lock"
_ENDING, _UNFINISHED, _DAMAGED = ".json.gz", ".tmp", ".damaged"
_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class InUseError(OSError):
    """Another daemon writes to the directory."""


class StateDirectory:
    """A directory with one file per target. Every method may wait for the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._one_at_a_time = Lock()

    @property
    def ours(self) -> bool:
        """Whether we hold the lock."""
        return self._lock is not None

    def take(self) -> None:
        """Have the directory for ourselves, made if it is missing; raises OSError if we can't."""
        if self._lock is not None:
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | _SAFE, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for unfinished in self.path.glob(f"*{_ENDING}{_UNFINISHED}"):
                unfinished.unlink()
        except BaseException as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise InUseError(errno.EAGAIN, "another pgheadroom uses it") from None
            raise
        self._lock = lock

    def read(self, target: str) -> bytes | None:
        """Return what is kept of *target*; None if nothing is. Raises OSError."""
        try:
            file = os.open(self.file(target), os.O_RDONLY | _SAFE)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            with open(file, "rb", closefd=False) as opened:
                data = opened.read(LARGEST_BYTES + 1)
        finally:
            os.close(file)
        if len(data) > LARGEST_BYTES:
            raise OSError(errno.EFBIG, f"it is larger than {LARGEST_BYTES >> 20} MiB")
        return data

    def write(self, target: str, data: bytes) -> None:
        """Keep *data* of *target* in place of what was kept; raises OSError."""
        if len(data) > LARGEST_BYTES:
            raise OSError(errno.EFBIG, f"it would be larger than {LARGEST_BYTES >> 20} MiB")
        with self._one_at_a_time:
            self.take()
            try:
                self._replace(self.file(target), data)
            except FileNotFoundError:  # the directory was removed, and our lock with it
                self._release()
                raise

    def set_aside(self, target: str) -> Path:
        """Keep what can't be used under another name, and return that; raises OSError."""
        file = self.file(target)
        return file.replace(file.with_name(file.name + _DAMAGED))

    def file(self, target: str) -> Path:
        """Return where *target* is kept; its name is one that the settings allow."""
        return self.path / f"{target}{_ENDING}"

    def close(self) -> None:
        """Let others have the directory."""
        with self._one_at_a_time:
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _replace(self, file: Path, data: bytes) -> None:
        beside = file.with_name(file.name + _UNFINISHED)
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _SAFE, 0o600)
            with open(descriptor, "wb") as opened:  # noqa: PTH123 - a descriptor
                opened.write(data)
                opened.flush()
                os.fsync(descriptor)
            beside.replace(file)
        except OSError:
            with contextlib.suppress(OSError):  # the first one tells more
                beside.unlink()
            raise
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
