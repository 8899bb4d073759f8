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


class HighWater(NamedTuple):
    """The highest value of each hour of the last day."""

    hours: tuple[tuple[int, int], ...] = ()
    """Hours since the epoch and the highest value in each, oldest first."""

    def add(self, at: float, value: int) -> HighWater:
        """Return it with one more *value*."""
        hour = int(at // 3600)
        kept = tuple(one for one in self.hours if hour - _HOURS < one[0] < hour)
        now = max((most for at_hour, most in self.hours if at_hour == hour), default=value)
        return HighWater((*kept, (hour, max(now, value))))

    @property
    def highest(self) -> int:
        """The highest value of the last day; 0 before there was one."""
        return max((most for _, most in self.hours), default=0)


_HOURS = 24
