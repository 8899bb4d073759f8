"""Unpacks Debian packages without installing them, and without being root.

A private apt directory (sources, lists, archives) beside the system's, `apt-get download`, and
`dpkg -x` into the cache. The system's own apt state is read and never written.
"""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.support.parts.command import run
from tests.support.parts.part import UnavailableError
from tests.support.parts.sources import Source

_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_STATUS: Final = Path("/var/lib/dpkg/status")
_INST: Final = re.compile(r"^Inst (?P<name>\S+) (?:\[\S+\] )?\((?P<version>\S+) ", re.MULTILINE)
# Of what a program depends on, the shared objects; not what its package's scripts need.
_LIBRARY: Final = re.compile(r"lib(?!perl|pam-modules|systemd-shared)(?!.*-perl$).*")
# Whatever runs Debian's programs has these; a second C library beside the loader's own would clash.
_ALWAYS_THERE: Final = frozenset({"libc6", "libc-bin", "libcrypt1", "libgcc-s1", "gcc-12-base"})


class Apt:
    """A private apt in *folder*, for *sources* only.

    *fresh* makes it believe that nothing is installed, so that dependencies come too although this
    machine has them.
    """

    def __init__(self, folder: Path, sources: Iterable[Source], *, fresh: bool = False) -> None:
        if shutil.which("apt-get") is None or not _KEYRING.exists():
            text = "apt-get or Debian's archive keyring is not here"
            raise UnavailableError(text)
        self._folder = folder
        for name in ("lists/partial", "archives/partial", "etc/empty"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        lines = [
            f"deb [signed-by={_KEYRING}] {source.uri} {source.suite} main\n" for source in sources
        ]
        (folder / "etc" / "sources.list").write_text("".join(lines))
        (folder / "etc" / "nothing").touch()
        (folder / "etc" / "apt.conf").write_text(self._settings(fresh=fresh))
        self._run("update")

    def _settings(self, *, fresh: bool) -> str:
        etc = self._folder / "etc"
        return "\n".join(
            (
                # Images clean their caches in hooks, which an ordinary user may not run.
                "#clear APT::Update::Post-Invoke;",
                "#clear APT::Update::Post-Invoke-Success;",
                f'Dir::State "{self._folder}";',
                f'Dir::State::status "{etc / "nothing" if fresh else _STATUS}";',
                f'Dir::Cache "{self._folder}";',
                'Dir::Cache::pkgcache "";',
                'Dir::Cache::srcpkgcache "";',
                f'Dir::Etc::sourcelist "{etc / "sources.list"}";',
                f'Dir::Etc::sourceparts "{etc / "empty"}";',
                f'Dir::Etc::preferences "{etc / "nothing"}";',
                f'Dir::Etc::preferencesparts "{etc / "empty"}";',
                'Acquire::Languages "none";',
                'Acquire::Retries "3";',
                # The sandbox user may not write here; what arrives is checked by signature anyhow.
                f'APT::Sandbox::User "{"root" if os.geteuid() == 0 else ""}";',
                "",
            )
        )

    def _run(self, *words: str, cwd: Path = Path("/")) -> str:
        return run(["apt-get", "-q", "-c", self._folder / "etc" / "apt.conf", *words], cwd=cwd)

    def missing(self, *packages: str) -> tuple[str, ...]:
        """Return `name=version` of *packages* and of every dependency that is not installed."""
        plan = self._run("--simulate", "--no-install-recommends", "install", *packages)
        return tuple(
            f"{match['name']}={match['version']}"
            for match in _INST.finditer(plan)
            if match["name"] not in _ALWAYS_THERE
        )

    def libraries(self, *packages: str) -> tuple[str, ...]:
        """Return `name=version` of *packages* and of every library that they need, libc's too.

        For programs that are newer than this machine's release: of an apt that is *fresh*.
        """
        plan = self._run("--simulate", "--no-install-recommends", "install", *packages)
        return tuple(
            f"{match['name']}={match['version']}"
            for match in _INST.finditer(plan)
            if match["name"] in packages or _LIBRARY.fullmatch(match["name"])
        )

    def unpack(self, packages: Iterable[str], root: Path) -> None:
        """Download *packages*, exactly these, and unpack them below *root*."""
        archives = self._folder / "archives"
        self._run("download", *packages, cwd=archives)
        for archive in sorted(archives.glob("*.deb")):
            run(["dpkg", "-x", archive, root])
            archive.unlink()
