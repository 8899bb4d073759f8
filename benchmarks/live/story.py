"""Defines what a story is: what happens, what should come of it, and who is to blame."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.live.stage import Stage


def nothing(_: Stage) -> None:
    """Leave the server empty."""


class Story(NamedTuple):
    """One thing that happens to a server, with real clients."""

    name: str
    what: str
    """In a line, for the person who reads the table."""
    play: Callable[[Stage], None]
    """What happens while the daemon watches."""
    before: Callable[[Stage], None] = nothing
    """What has been there before the daemon came."""
    watched_seconds: float = 15.0
    """How long the daemon has watched what was there, when it happens."""
    culprits: tuple[str, ...] = ()
    """Applications that it is right to blame, the most fitting first; none for a harmless story."""
    least_lead: float | None = None
    """Seconds from the page to the first refusal at least; None for a harmless story."""

    @property
    def incident(self) -> bool:
        """Whether logins are refused in the end."""
        return self.least_lead is not None
