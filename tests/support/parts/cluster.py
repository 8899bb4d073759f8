"""Checks that a PostgreSQL build runs here, and keeps a fresh data directory of it.

The answer to both is one `initdb`: a build is taken only after it made a data directory, and that
directory is kept as the template that every test server is a copy of.
"""

import shutil
import tempfile
from pathlib import Path

from tests.support.parts.account import hand_over
from tests.support.parts.command import run

SUPERUSER = "postgres"


def make_template(bin_folder: Path, template: Path) -> None:
    """Initialise *template* with the `initdb` of *bin_folder*."""
    with tempfile.TemporaryDirectory(prefix="pgheadroom-") as scratch:
        Path(scratch).chmod(0o755)
        data = Path(scratch, "data")
        data.mkdir(mode=0o700)
        hand_over(data)
        options = ("--no-locale", "--encoding=UTF8", "--auth=trust", "--no-sync", "--wal-segsize=1")
        run(
            [bin_folder / "initdb", *options, f"--username={SUPERUSER}", f"--pgdata={data}"],
            unprivileged=True,
        )
        # Contents only: under root the copy belongs to root, and may be read by everybody.
        shutil.copytree(data, template)
    for path in (template, *template.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
