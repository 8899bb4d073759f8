"""The simulated server: its slots, whom it lets in, what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field

AGES = (60.0, 300.0, 1800.0)
"""Seconds; how many connections of an application are younger than each stands in a recording."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The slots of a server."""

    max_connections: int
    superuser_reserved: int = 3
    reserved: int = 0

    @property
    def ordinary(self) -> int:
        """Slots that a role without privileges can take."""
        return self.max_connections - self.superuser_reserved - self.reserved


@dataclass(slots=True)
class Server:
    """Lets connections in while there are slots, and remembers when it first did not."""

    limits: Limits
    used: int = 0
    opened: int = 0
    commits: int = 0
    refused_at: float | None = None

    def admit(self, now: float, number: int) -> int:
        """Return how many of *number* connections get a slot."""
        let_in = min(number, self.limits.ordinary - self.used)
        if let_in < number and self.refused_at is None:
            self.refused_at = now
        self.used += let_in
        self.opened += let_in
        return let_in


@dataclass(slots=True)
class Desk:
    """The door of one application: counts its connections by the moment they were opened."""

    server: Server
    held: int = 0
    cohorts: dict[float, int] = field(default_factory=dict)
    """How many connections of each birth are alive; in the order of time."""

    def open(self, now: float, number: int) -> int:
        """Return how many of *number* new connections were let in."""
        let_in = self.server.admit(now, number)
        if let_in:
            self.held += let_in
            self.cohorts[now] = self.cohorts.get(now, 0) + let_in
        return let_in

    def close(self, born: float) -> None:
        """Give back the connection that was opened at *born*."""
        self.held -= 1
        self.server.used -= 1
        self.cohorts[born] -= 1
        if not self.cohorts[born]:
            del self.cohorts[born]

    def younger(self, now: float) -> tuple[int, ...]:
        """Return how many connections are younger than each of ``AGES``."""
        counts = [0] * len(AGES)
        for born in reversed(self.cohorts):
            age = now - born
            if age >= AGES[-1]:
                break
            for place, limit in enumerate(AGES):
                if age < limit:
                    counts[place] += self.cohorts[born]
        return tuple(counts)
