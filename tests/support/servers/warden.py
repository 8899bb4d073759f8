"""Tidies up when the test run itself is killed.

A process beside the test run that is told of every temporary folder and does nothing until its
standard input ends. What still works in a folder that is left then is killed, and the folder goes.
Run as a script, this file is that process; it imports the standard library only.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import IO, Final

_GRACE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.05
_LOCK: Final = threading.Lock()  # benchmarks start servers from several threads


def watch(folder: Path) -> None:
    """Have *folder* removed if this process dies before it says `forget`."""
    _tell(f"+{folder}")


def forget(folder: Path) -> None:
    """Say that *folder* has been removed."""
    _tell(f"-{folder}")


def _tell(line: str) -> None:
    with _LOCK:
        ear = _ear()
        ear.write(f"{line}\n")
        ear.flush()


@cache
def _ear() -> IO[str]:
    process = subprocess.Popen(
        [sys.executable, "-I", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # an interrupt from the keyboard is not for it
    )
    atexit.register(process.communicate)
    if process.stdin is None:
        raise AssertionError  # a pipe was asked for
    return process.stdin


def _listen(lines: Iterable[str]) -> None:
    folders: set[Path] = set()
    for line in lines:
        folder = Path(line[1:].rstrip("\n"))
        if line.startswith("+"):
            folders.add(folder)
        else:
            folders.discard(folder)
    deadline = time.monotonic() + _GRACE_SECONDS
    # The kernel has told the programs to end; those that are stopped hear it only now.
    while _signal_all(folders, signal.SIGCONT) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    while _signal_all(folders, signal.SIGKILL):
        time.sleep(_PAUSE_SECONDS)
    for folder in folders:
        shutil.rmtree(folder)


def _signal_all(folders: set[Path], number: signal.Signals) -> int:
    """Send *number* to every process that works in one of *folders*; return how many there are."""
    found = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            cwd = (entry / "cwd").readlink()
            if folders & {cwd, *cwd.parents}:
                os.kill(int(entry.name), number)
                found += 1
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended meanwhile, or somebody else's
    return found


if __name__ == "__main__":
    _listen(sys.stdin)
