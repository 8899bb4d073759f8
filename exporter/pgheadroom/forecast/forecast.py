"""Defines a forecast: by which pattern, and when, the last slot goes."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Pattern(enum.StrEnum):
    """By what it is seen that slots run out."""

    CLIMB = "climb"
    JUMPS = "jumps"
    CYCLE = "cycle"
    LEAK = "leak"


class Forecast(NamedTuple):
    """One way in which slots may run out. A tuple, because one is made with every sample."""

    pattern: Pattern
    seconds: float
    """Until the last one goes; for jumps the earliest that is to be expected."""
    since: float
    """When what foretells it began, in seconds since the epoch."""
    until: float
    """When the use that it grew to was reached."""
    slots: float
    """What a climb took, the size of a jump, or by how much the peaks grow."""
    reached: int
    """The highest use that belongs to it."""
    next: bool = True
    """Whether the very next jump or peak is the one that does not fit."""
    period: float = 0.0
    """Seconds from one jump or peak to the next."""
    application_name: str | None = None
    """The application whose leak it is."""

    @property
    def lasts(self) -> float:
        """For how many seconds it stays true without anything new."""
        if self.pattern in (Pattern.CLIMB, Pattern.LEAK):
            return self.until - self.since
        return 2 * self.period
