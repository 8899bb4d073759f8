"""Tests that the libraries of an unpacked program are found, also in a private folder."""

from pathlib import Path

import pytest
from tests.support.parts.libraries import library_folders, require_libraries
from tests.support.parts.part import UnavailableError

LIBC = "libc.so.6"
PROGRAM = Path("/bin/true")  # it needs the C library, and nothing else


def _copy(source: Path, place: Path, needs: str = LIBC) -> None:
    """Copy an ELF file to *place*, with the C library that it needs called *needs* there."""
    assert len(needs) == len(LIBC)
    place.parent.mkdir(parents=True, exist_ok=True)
    content = source.read_bytes()
    place.write_bytes(content.replace(LIBC.encode() + b"\0", needs.encode() + b"\0"))


@pytest.fixture(scope="module")
def libc() -> Path:
    """Return the C library that this process runs with."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").split()
    return next(Path(word) for word in maps if word.endswith(f"/{LIBC}"))


def test_a_private_folder_is_on_the_path_when_something_needs_it(
    tmp_path: Path, libc: Path
) -> None:
    """One that is found needs another one in turn; a folder of plug-ins alone is no path."""
    lib = tmp_path / "usr/lib/x86_64-linux-gnu"
    _copy(PROGRAM, tmp_path / "usr/bin/program", needs="liba.so.6")
    _copy(PROGRAM, lib / "liba.so.6", needs="libp.so.6")
    _copy(PROGRAM, lib / "first/libp.so.6", needs="libq.so.6")
    _copy(libc, lib / "first/second/libq.so.6")
    _copy(PROGRAM, lib / "plugins/plugin.so")
    (lib / "libgone.so.1").symlink_to("nowhere")
    found = [str((tmp_path / folder).relative_to(lib)) for folder in library_folders(tmp_path)]
    assert found == [".", "first", "first/second"]


def test_all_that_is_nowhere_is_named_at_once(tmp_path: Path) -> None:
    """A part whose libraries cannot be had says which: all of them, not the loader's first."""
    for number, name in enumerate(("libq.so.6", "libp.so.6")):
        _copy(PROGRAM, tmp_path / f"usr/bin/program{number}", needs=name)
    with pytest.raises(UnavailableError, match=r"not here: libp\.so\.6, libq\.so\.6"):
        library_folders(tmp_path)
    with pytest.raises(UnavailableError, match=r"libp\.so\.6, libq\.so\.6"):
        require_libraries((tmp_path / "usr/bin").iterdir())
