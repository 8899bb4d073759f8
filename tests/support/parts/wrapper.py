"""Starts an unpacked program with the libraries that were unpacked with it.

Through a short shell script in its place, which sets the environment and then *becomes* the
program, so that the process keeps its id and its signals.
"""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path


def library_path(folders: Iterable[Path], place: Path) -> str:
    """Return LD_LIBRARY_PATH for *folders*, which are relative to *place*."""
    return ":".join(str(place / folder) for folder in folders)


def write_with_loader(script: Path, program: Path, root: Path) -> None:
    """Write *script*, which runs *program* with the loader and the libraries below *root* alone."""
    script.parent.mkdir(parents=True, exist_ok=True)
    (loader,) = {path.resolve() for path in root.glob("usr/lib*/ld-linux-*.so.*")}
    folders = sorted({path.parent for path in root.glob("usr/lib/*-linux-gnu/**/*.so*")})
    path = ":".join(map(str, folders))
    words = [str(loader), "--library-path", path, "--argv0", program.name, str(program)]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)


def write(script: Path, program: Path, env: Mapping[str, str], cwd: Path | None = None) -> None:
    """Write *script*, which runs *program* in *env*, and in the folder *cwd* if that is given."""
    script.parent.mkdir(parents=True, exist_ok=True)
    lines = ["#!/bin/sh"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in env.items() if value]
    lines += [f"cd {shlex.quote(str(cwd))} || exit"] if cwd else []
    lines += [f'exec {shlex.quote(str(program))} "$@"', ""]
    script.write_text("\n".join(lines))
    script.chmod(0o755)
