"""Makes a test server's data directory, settings and access rules."""

import re
import subprocess
from pathlib import Path
from typing import Final

from tests.support.parts import demotion
from tests.support.parts.command import run
from tests.support.servers.log import Log
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.scratch import make_folder, remove_folder

_RESERVED_SLOTS_SINCE: Final = 16
_SHARED_MEMORY_TABLE: Final = Path("/proc/sysvipc/shm")
_SHARED_MEMORY_LINE: Final = 6
TRUST: Final = tuple(
    f"{kind} {database} all {source} trust"
    for database in ("all", "replication")
    for kind, source in (("local", ""), ("host", f"{LOOPBACK}/32"))
)

Setting = str | int | float | bool


def default_settings(major: int) -> dict[str, Setting]:
    """Return the settings that the tests count on, small and quick."""
    settings: dict[str, Setting] = {
        "listen_addresses": LOOPBACK,
        "max_connections": 20,
        "superuser_reserved_connections": 3,
        "max_wal_senders": 4,
        "log_line_prefix": "%m [%p] ",
        # Nothing here survives the test anyhow, and a killed server should leave no segment.
        "fsync": False,
        "full_page_writes": False,
        "synchronous_commit": False,
        "dynamic_shared_memory_type": "mmap",
        "shared_buffers": "4MB",
        "min_wal_size": "2MB",
        "max_wal_size": "32MB",
        "huge_pages": "off",
        "jit": False,
    }
    if major >= _RESERVED_SLOTS_SINCE:
        settings["reserved_connections"] = 2
    return settings


class DataDirectory:
    """A copy of *template* in a temporary folder of its own."""

    def __init__(self, template: Path) -> None:
        self.folder: Final = make_folder()
        self.data: Final = self.folder / "data"
        self.log: Final = Log(self.folder / "log")
        # Copied by the user that will own it; umask 077 gives the modes PostgreSQL insists on.
        subprocess.run(
            ["cp", "-r", "--no-preserve=mode", template, self.data],
            check=True,
            umask=0o077,
            cwd="/",
            **demotion(),
        )
        self.major: Final = int((self.data / "PG_VERSION").read_text())

    def write_settings(self, settings: dict[str, Setting]) -> None:
        """Write postgresql.conf, whole; what ALTER SYSTEM set stays."""
        lines = (f"{name} = {_quoted(value)}\n" for name, value in settings.items())
        (self.data / "postgresql.conf").write_text("".join(lines))

    def has_alter_system(self) -> bool:
        """Tell whether ALTER SYSTEM was used."""
        text = (self.data / "postgresql.auto.conf").read_text()
        return any(line.strip() and not line.startswith("#") for line in text.splitlines())

    def forget_alter_system(self) -> None:
        """Undo every ALTER SYSTEM."""
        (self.data / "postgresql.auto.conf").write_text("")

    def write_access(self, rules: list[str]) -> None:
        """Write pg_hba.conf, whole."""
        (self.data / "pg_hba.conf").write_text("".join(f"{rule}\n" for rule in rules))

    def remove(self) -> None:
        """Remove everything, and the shared memory that a killed server left behind."""
        pid_file = self.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        if len(lines) > _SHARED_MEMORY_LINE and lines[_SHARED_MEMORY_LINE].strip():
            segment = lines[_SHARED_MEMORY_LINE].split()[1]
            if re.search(rf"^\s*\S+\s+{segment}\s", _SHARED_MEMORY_TABLE.read_text(), re.MULTILINE):
                run(["ipcrm", "-m", segment])
        remove_folder(self.folder)


def _quoted(value: Setting) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "'" + str(value).replace("'", "''") + "'"
