"""Defines what a server and the poolers in front of it have to do with each other."""

from __future__ import annotations

from typing import NamedTuple


class PoolerUse(NamedTuple):
    """What one pooler may take, and takes, of one server's slots."""

    pooler: str
    """The target that the pooler is."""
    pooled: int | None
    """Slots that are its; None where that cannot be told."""
    committed: int | None
    """Connections that the pools that exist may open; None where nothing limits them."""
    ceiling: int | None
    """Connections that its settings admit, pools that do not exist yet included; None for no
    limit."""
    reserve: int = 0
    """How many of *committed* are reserve pools."""
    unbounded_by: str = ""
    """The setting that would bound the ceiling; empty where it is bounded."""
    replicas: int = 1
    """Processes like it that were multiplied by."""
    pools: int = 0
    """Pools that were summed."""
    waiting: tuple[tuple[str, int], ...] = ()
    """Clients that queue at it, by application, those with most first."""


class Pooling(NamedTuple):
    """How targets belong together, at one moment; made of their states, not by asking anybody."""

    at: float
    uses: tuple[PoolerUse, ...] = ()
    """Of a server: the poolers in front of it."""
    direct: int | None = None
    """Of a server: slots in use that no pooler holds; None where that cannot be told."""
    serves: tuple[str, ...] = ()
    """Of a pooler: the targets behind it."""


_HOURS = 24
_HELD_SECONDS = 5.0
"""Server and pooler are read at different moments: while connections come, what one has counted
already and the other has not looks like direct use for a second."""


class HighWater(NamedTuple):
    """The highest value of the last day that was held for five seconds."""

    hours: tuple[tuple[int, int], ...] = ()
    """Hours since the epoch and the highest value in each, oldest first."""
    recent: tuple[tuple[float, int], ...] = ()
    """When, and what the value was, in the last five seconds; oldest first."""

    def add(self, at: float, value: int) -> HighWater:
        """Return it with one more *value*."""
        recent = (*(one for one in self.recent if 0 <= at - one[0] <= _HELD_SECONDS), (at, value))
        hour = int(at // 3600)
        kept = tuple(one for one in self.hours if hour - _HOURS < one[0] < hour)
        held = min(one for _, one in recent)
        now = max((most for at_hour, most in self.hours if at_hour == hour), default=held)
        if at - recent[0][0] < _HELD_SECONDS - 1:
            return HighWater(self.hours, recent)
        return HighWater((*kept, (hour, max(now, held))), recent)

    @property
    def highest(self) -> int:
        """The highest value of the last day; before there is one, the newest, or 0."""
        newest = self.recent[-1][1] if self.recent and not self.hours else 0
        return max((most for _, most in self.hours), default=newest)
