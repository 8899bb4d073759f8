"""How does an unpacked program find the libraries that were unpacked with it?

Through a short shell script in its place, which sets the environment and then *becomes* the
program, so that the process keeps its id and its signals.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path


def library_path(root: Path, home: Path) -> str:
    """Return LD_LIBRARY_PATH for what is unpacked below *root* and will be moved to *home*."""
    folders = sorted({library.parent for library in _libraries(root)})
    return ":".join(str(home / folder.relative_to(root)) for folder in folders)


def _libraries(root: Path) -> Iterator[Path]:
    for place in ("lib", "usr/lib"):
        # One level below lib: the architecture's folder. Deeper ones are plug-ins, but for what
        # systemd's programs share.
        yield from (root / place).glob("*-linux-gnu*/*.so*")
        yield from (root / place).glob("*-linux-gnu*/systemd/*.so*")


def write(script: Path, program: Path, env: Mapping[str, str], cwd: Path | None = None) -> None:
    """Write *script*, which runs *program* in *env*, and in the folder *cwd* if that is given."""
    script.parent.mkdir(parents=True, exist_ok=True)
    lines = ["#!/bin/sh"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in env.items() if value]
    lines += [f"cd {shlex.quote(str(cwd))} || exit"] if cwd else []
    lines += [f'exec {shlex.quote(str(program))} "$@"', ""]
    script.write_text("\n".join(lines))
    script.chmod(0o755)
