"""Finds the shared objects that an unpacked program needs, and those that are missing.

The system's own loader is asked (`ldd`), with the path that the program will be started with: it
knows what this machine has, and reads a program's needs as it will read them at the start.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.support.parts.command import run
from tests.support.parts.part import UnavailableError

_MISSING: Final = re.compile(
    r"^\s*(?P<name>\S+) => not found$|: version `(?P<version>[^']+)' not found", re.MULTILINE
)
_MAGIC: Final = b"\x7fELF"
_NOT_DYNAMIC: Final = 1  # ldd's exit code when one of several files needs nothing


def library_folders(root: Path) -> tuple[Path, ...]:
    """Return the folders, relative to *root*, in which what is unpacked there finds its libraries.

    The architecture's folders, and after them those in which a library lies that something below
    *root* needs and that is found nowhere else, such as a package's private ones. Raises
    `UnavailableError` with the name of every library that is nowhere.
    """
    files = [path for path in sorted(root.rglob("*")) if _is_elf(path)]
    usual = {*root.glob("lib/*-linux-gnu*"), *root.glob("usr/lib/*-linux-gnu*")}
    folders = sorted(usual & {path.parent for path in files})
    missing = missing_libraries(files, folders)
    while private := _folders_of(missing, files) - set(folders):
        folders += sorted(private)
        missing = missing_libraries(files, folders)  # what was just found needs others in turn
    _refuse(missing)
    return tuple(folder.relative_to(root) for folder in folders)


def require_libraries(programs: Iterable[Path]) -> None:
    """Raise `UnavailableError` with the name of every library that *programs* lack."""
    _refuse(missing_libraries([path for path in programs if _is_elf(path)], ()))


def missing_libraries(files: Sequence[Path], folders: Sequence[Path]) -> tuple[str, ...]:
    """Return the libraries *files* need that are neither in *folders* nor on the system."""
    if not files:
        return ()
    answer = run(
        ["ldd", *files],
        env={"LD_LIBRARY_PATH": ":".join(map(str, folders))} if folders else {},
        accepted=(0, _NOT_DYNAMIC),
    )
    found = (match["name"] or match["version"] for match in _MISSING.finditer(answer))
    return tuple(sorted(set(found)))


def _folders_of(names: Iterable[str], files: Iterable[Path]) -> set[Path]:
    """Return one folder for each of *names* that is one of *files*: the one nearest the root."""
    by_name: dict[str, Path] = {}
    for path in sorted(files, key=lambda path: (len(path.parts), path)):
        by_name.setdefault(path.name, path.parent)
    return {by_name[name] for name in names if name in by_name}


def _refuse(missing: Sequence[str]) -> None:
    if missing:
        text = f"shared objects that are not here: {', '.join(missing)}"
        raise UnavailableError(text)


def _is_elf(path: Path) -> bool:
    if not path.is_file():  # which a link to nowhere is not, either
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC
