"""Steps the clock of one program, while all others keep the time.

By libfaketime, which stands between a program and the C library and reads the step from a file.
"""

from pathlib import Path
from typing import Final


class StepClock:
    """The wall clock of whoever is started with `environment`; monotonic clocks go on as ever."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._file: Final = folder / "faketime"
        self.environment: Final = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.step(0)

    def step(self, seconds: int) -> None:
        """Set the clock so many seconds ahead of the machine's, or behind it."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.chmod(0o644)
        new.rename(self._file)
