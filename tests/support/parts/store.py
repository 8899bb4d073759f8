"""Keeps the fetched parts, and says whether a bundle is whole.

One folder for all checkouts. A bundle is built on a bench beside its place and moved there by one
rename with its stamp inside, so that an interrupted install is never taken for a finished one.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.parts.part import Bundle, Part, UnavailableError, Workshop

_STAMP: Final = "complete"
_BENCH: Final = "bench-"
HINT: Final = "not fetched (python -m tests.support.parts install)"


def cache_folder() -> Path:
    """Return the folder that all parts are in; it need not exist yet."""
    if chosen := os.environ.get("PGHEADROOM_PARTS"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/pgheadroom")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pgheadroom"


def is_whole(bundle: Bundle) -> bool:
    """Tell whether the cache holds *bundle* as it is pinned today."""
    stamp = cache_folder() / bundle.name / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == bundle.pin


def parts_of(bundle: Bundle) -> tuple[Part, ...]:
    """Return the parts of *bundle*: from the cache, else from the system, else the reason."""
    if not is_whole(bundle):
        path = bundle.elsewhere()
        reason = "" if path else _failure(bundle) or HINT
        return tuple(Part(name, path, reason) for name in bundle.parts)
    return tuple(
        Part(name, path) if path.exists() else Part(name, None, "no build for this machine")
        for name, path in (
            (name, cache_folder() / bundle.name / place) for name, place in bundle.parts.items()
        )
    )


def install(bundle: Bundle, *, fresh: bool, say: Callable[[str], None]) -> None:
    """Fetch *bundle* unless it is there; a failure is kept as the reason `parts_of` gives."""
    if is_whole(bundle) or (bundle.elsewhere() and not fresh):
        return
    cache = cache_folder()
    with _lock(cache, say):
        if is_whole(bundle):
            return  # another run fetched it while this one waited
        for leftover in cache.glob(f"{_BENCH}*"):
            shutil.rmtree(leftover)
        bench = Path(tempfile.mkdtemp(prefix=_BENCH, dir=cache))
        bench.chmod(0o755)
        home = cache / bundle.name
        failure = _failure_file(bundle)
        failure.unlink(missing_ok=True)
        try:
            bundle.build(Workshop(bench, home, cache, fresh, say))
        except UnavailableError as error:
            shutil.rmtree(bench)
            failure.write_text(str(error), encoding="utf-8")
            return
        (bench / _STAMP).write_text(bundle.pin, encoding="utf-8")
        if home.exists():
            home.rename(cache / f"{_BENCH}old-{bench.name}")
        bench.rename(home)


def _failure_file(bundle: Bundle) -> Path:
    return cache_folder() / f"{bundle.name}.failed"


def _failure(bundle: Bundle) -> str:
    file = _failure_file(bundle)
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@contextmanager
def _lock(cache: Path, say: Callable[[str], None]) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another install")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
