"""Gives a test a network of its own to break.

Network namespaces of the kernel, which end with whoever is in them; making them takes root.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.parts.command import run

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_NETWORK: Final = 0x40000000  # CLONE_NEWNET and CLONE_NEWNS of linux/sched.h
_MOUNTS: Final = 0x00020000
_WORKING_FOLDER: Final = 0x00000200  # CLONE_FS: what threads share, and must not to change mounts
_PATHS: Final = {_NETWORK: "/proc/thread-self/ns/net", _MOUNTS: "/proc/thread-self/ns/mnt"}


def may_be_made() -> bool:
    """Tell whether this process may make namespaces, and links between them."""
    return os.geteuid() == 0 and Path("/dev/net/tun").exists()


class Namespace:
    """A network with nothing but a loopback interface; with *files*, files of its own too.

    *files* maps a path of the machine to what stands there for whoever is inside.
    """

    def __init__(self, files: dict[Path, Path] | None = None) -> None:
        kinds = _NETWORK | (_MOUNTS if files else 0)
        self._kinds: Final = [kind for kind in _PATHS if kinds & kind]
        before = self._open()
        try:
            _call("unshare", kinds)
            self._inside = self._open()
            if files:
                run(["mount", "--make-rprivate", "/"])
            for path, shown in (files or {}).items():
                run(["mount", "--bind", shown, path.resolve()])
            run(["ip", "link", "set", "lo", "up"])
        finally:
            self._enter(before)
            _close(before)

    def _open(self) -> dict[int, int]:
        return {kind: os.open(_PATHS[kind], os.O_RDONLY) for kind in self._kinds}

    def _enter(self, handles: dict[int, int]) -> None:
        cwd = Path.cwd()
        _call("unshare", _WORKING_FOLDER)
        for kind, handle in handles.items():
            _call("setns", handle, kind)
        os.chdir(cwd)  # a change of mounts forgets it

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Put this thread, and what it starts meanwhile, inside."""
        before = self._open()
        self._enter(self._inside)
        try:
            yield
        finally:
            self._enter(before)
            _close(before)

    def close(self) -> None:
        """Let go; what is inside stays until it ends."""
        _close(self._inside)


def _close(handles: dict[int, int]) -> None:
    for handle in handles.values():
        os.close(handle)


def _call(name: str, *arguments: int) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
