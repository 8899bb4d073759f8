"""Writes the exact versions to install, with their hashes, into the files beside this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

# The image installs run.txt; `make run` demo.txt and build.txt; `make test` all of it, dev.txt;
# `make fuzz` fuzz.txt beside it.
FILES: dict[str, tuple[str, ...]] = {
    "dev.txt": ("--extra", "demo", "--group", "dev", "--group", "build"),
    "demo.txt": ("--extra", "demo"),
    "run.txt": (),
}


def lock(name: str, options: tuple[str, ...], *, constraint: str | None) -> None:
    """Write the file *name*; at the versions of *constraint*, a file written before, if given."""
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--upgrade", "--universal"),
        *("--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"),
        *("--no-emit-index-url", "--no-emit-find-links", "--output-file", str(HERE / name)),
    ]
    if constraint is not None:
        command += ["--constraint", str(HERE / constraint)]
    source = () if name in ("build.txt", "fuzz.txt") else ("pyproject.toml",)
    subprocess.run([*command, *options, *source], cwd=HERE.parent, check=True)  # noqa: S603 - a command of our own


def main() -> None:
    """Write all of them, the largest first, so that the others agree with it."""
    for name, options in FILES.items():
        lock(name, options, constraint=None if name == "dev.txt" else "dev.txt")
    lock("build.txt", ("--group", "build"), constraint="dev.txt")
    lock("fuzz.txt", ("--group", "fuzz"), constraint="dev.txt")


if __name__ == "__main__":
    main()
