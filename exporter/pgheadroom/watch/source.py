"""Defines a source: one way to learn about a target, asked at its own interval."""

from __future__ import annotations

from typing import Protocol

from pgheadroom.model.reading import Reading
from pgheadroom.net.retry import Retry


class Source(Protocol):
    """One way to learn about one target; expected trouble is a Reading, never an exception."""

    @property
    def name(self) -> str:
        """What it is called in the log and in ``pgheadroom_bugs_total``."""

    @property
    def every_seconds(self) -> float:
        """How often it is asked; 0 for only when it is wanted."""

    @property
    def wanted(self) -> bool:
        """Whether what another source has just read calls for asking this one at once."""

    @property
    def retry(self) -> Retry | None:
        """When it tries again after a failure; None where it keeps its beat all the same."""

    async def read(self) -> Reading | None:
        """Ask once; None where there is nothing to tell: a back-off lasts, or none is due."""

    def close(self) -> None:
        """Give up what is open, without waiting for anybody."""
