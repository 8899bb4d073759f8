"""Chooses the user as which the fetched programs run.

PostgreSQL and PgBouncer refuse to run as root, so under root everything runs as `nobody`; an
ordinary user runs everything as himself.
"""

import os
import pwd
from functools import cache
from pathlib import Path
from typing import TypedDict


class Demotion(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@cache
def _nobody() -> tuple[int, int]:
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def demotion() -> Demotion:
    """Return the arguments that make a child process run unprivileged."""
    if os.geteuid() != 0:
        return {}
    user, group = _nobody()
    return {"user": user, "group": group, "extra_groups": []}


def hand_over(path: Path) -> None:
    """Make the unprivileged user the owner of *path* and of all that is below it."""
    if os.geteuid() != 0:
        return
    user, group = _nobody()
    os.chown(path, user, group)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder, name), user, group, follow_symlinks=False)
