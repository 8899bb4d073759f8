"""Keeps a test server's files for as long as it lives."""

import shutil
import tempfile
from pathlib import Path

from tests.support.parts import hand_over
from tests.support.servers import warden


def make_folder() -> Path:
    """Make a temporary folder that the unprivileged user owns and everybody may read."""
    # Directly below /tmp and not in pytest's: a unix socket's path may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="pgh-", dir="/tmp"))
    warden.watch(folder)
    folder.chmod(0o755)
    hand_over(folder)
    return folder


def remove_folder(folder: Path) -> None:
    """Remove what `make_folder` made."""
    shutil.rmtree(folder)
    warden.forget(folder)
