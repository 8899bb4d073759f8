"""Connections as things with an age, in the pool of one process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

_LONGEST_JITTER = 0.05
"""Pools spread the retirement of connections, so that not all go at once: by this share."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many connections a pool keeps, and for how long."""

    least: int
    most: int
    idle_seconds: float = 600.0
    """A connection above *least* that was not used for so long is closed."""
    lifetime_seconds: float = 0.0
    """A connection of this age is replaced; 0 means never."""
    fill_seconds: float = 2.0
    """So long the pool of a process that has just started takes to open *least* connections."""


def fixed(size: int, lifetime_seconds: float = 1800.0) -> PoolSettings:
    """Return a pool as HikariCP makes it by default: always full, renewed every half hour."""
    return PoolSettings(size, size, lifetime_seconds=lifetime_seconds)


def on_demand(most: int, idle_seconds: float = 600.0, least: int = 0) -> PoolSettings:
    """Return a pool that opens what it needs and closes what is idle, as node-postgres does."""
    return PoolSettings(least, most, idle_seconds)


def never_shrinks(most: int) -> PoolSettings:
    """Return a pool that keeps whatever it once opened, as Prisma's does."""
    return PoolSettings(0, most, idle_seconds=float("inf"))


class Door(Protocol):
    """Where a process gets its connections, and gives them back."""

    def open(self, now: float, number: int) -> int:
        """Return how many of *number* new connections were let in."""

    def close(self, born: float) -> None:
        """Give back the connection that was opened at *born*."""


@dataclass(slots=True)
class Pod:
    """A process with a pool. Connections are borrowed from the front, so the last ones idle."""

    settings: PoolSettings
    started: float
    leaves: float = float("inf")
    """From then on it is gone, and its connections with it."""
    drains: float = float("inf")
    """From then on it gets no more work."""
    born: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    _look_again: float = 0.0

    def live(self, now: float, needed: int, door: Door) -> None:
        """Hold as many connections as *needed* at this moment, within the settings."""
        settings = self.settings
        least = self._least(now)
        more = max(least, min(needed, settings.most)) - len(self.born)
        if more > 0:
            let_in = door.open(now, more)
            self.born += [now] * let_in
            self.used += [now] * let_in
        if settings.most > settings.least:
            busy = min(needed, len(self.used))
            self.used[:busy] = [now] * busy
            while len(self.born) > least and now - self.used[-1] > settings.idle_seconds:
                self.used.pop()
                door.close(self.born.pop())
        if settings.lifetime_seconds and now >= self._look_again:
            self._renew(now, door)

    def end(self, door: Door) -> None:
        """Close all connections."""
        for born in self.born:
            door.close(born)
        self.born, self.used = [], []

    def _least(self, now: float) -> int:
        age, settings = now - self.started, self.settings
        if age >= settings.fill_seconds:
            return settings.least
        return int(settings.least * max(0.0, age) / settings.fill_seconds)

    def _renew(self, now: float, door: Door) -> None:
        lifetime, kept = self.settings.lifetime_seconds, []
        for place, born in enumerate(self.born):
            jitter = _LONGEST_JITTER * (place * 37 % 40) / 40
            if now - born < lifetime * (1 - jitter):
                kept.append((born, self.used[place]))
                continue
            door.close(born)
            if door.open(now, 1):
                kept.append((now, now))
        self.born, self.used = [born for born, _ in kept], [used for _, used in kept]
        oldest = min(self.born, default=now)
        self._look_again = max(now, oldest + lifetime * (1 - _LONGEST_JITTER))
