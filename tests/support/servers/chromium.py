"""Starts a browser on a machine without a screen, perhaps as root."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ARGUMENTS: Final = (
    "--headless=new",
    # Its sandbox needs a user that is not root and kernel features that containers withhold.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


@dataclass(frozen=True, slots=True)
class Launch:
    """What a browser driver has to be told: which program, how, in which environment."""

    executable: Path
    arguments: tuple[str, ...] = ARGUMENTS

    def command(self, profile: Path, *more: str) -> list[str]:
        """Return the command line for a run without a driver, with its own *profile* folder."""
        return [str(self.executable), *self.arguments, f"--user-data-dir={profile}", *more]

    @staticmethod
    def environment(inherited: Mapping[str, str], home: Path) -> dict[str, str]:
        """Return *inherited* with a home that the browser may write to."""
        return {**inherited, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
