"""A story: a server, services, and what happens to them; played, it is a trace and its truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from benchmarks.arena.pool import PoolSettings
from benchmarks.arena.rhythm import DAY
from benchmarks.arena.server import Desk, Limits, Server
from benchmarks.arena.service import Curve, Service

MONDAY = 1_767_571_200.0
"""2026-01-05T00:00:00Z, the zero of every story's clock."""

_AT_REST = 6 * 3600.0
"""Connections of a pool that does not renew them are as old as this, when a story begins."""

_BEGINS_WITHIN = 900.0  # seconds after the family's clock

Act = Callable[[float], object]
"""Something that happens; it is told when."""


class MissedTruthError(ValueError):
    """A draw that is not what its family says: an incident without a refusal, or the reverse."""


class Phase(NamedTuple):
    """Until a moment of the story's clock there is a sample every so many seconds."""

    until: float
    step: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a story is, how closely it is watched, and what its truth is."""

    phases: tuple[Phase, ...]
    onset: float | None = None
    """When the cause of an incident begins; None for a benign story."""
    culprit: str | None = None
    """Who is to blame; None: whoever grew most between the onset and the first refusal."""
    blames: bool = True
    """False where a fair judge would blame nobody, since many did the same."""


@dataclass(slots=True)
class Scene:
    """What a family builds its story of."""

    rng: Random
    limits: Limits
    begin: float
    server: Server = field(init=False)
    services: list[Service] = field(default_factory=list)
    acts: list[tuple[float, int, Act]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = Server(self.limits)
        self.server.commits = self.rng.randrange(10**7, 10**9)
        self.server.opened = self.rng.randrange(10**4, 10**6)

    @property
    def slots(self) -> int:
        """How many slots there are for applications."""
        return self.limits.ordinary

    def service(
        self, name: str, settings: PoolSettings, rate: Curve, seconds: float | Curve = 0.02
    ) -> Service:
        """Return a new application, without a process yet."""
        takes = seconds if callable(seconds) else _always(seconds)
        desk = Desk(self.server)
        made = Service(name, settings, rate, takes, desk, Random(self.rng.random()))  # noqa: S311 - the same story each time
        self.services.append(made)
        return made

    def settled(self, service: Service, pods: int, held: int | None = None) -> Service:
        """Give *service* processes that have been there for long, holding so many connections."""
        rng, settings = self.rng, service.settings
        number = settings.least * pods if held is None else held
        span = settings.lifetime_seconds or _AT_REST
        started = service.start(self.begin - span - rng.random() * DAY, pods)
        for place, age in enumerate(
            sorted((rng.random() * span for _ in range(number)), reverse=True)
        ):
            born, pod = self.begin - age, started[place % pods]
            if service.desk.open(born, 1):
                pod.born.append(born)
                pod.used.append(self.begin - rng.random() * min(60.0, settings.idle_seconds))
        for pod in started:
            pod.used.sort(reverse=True)
        service.busy = min(number, round(service.rate(self.begin) * service.seconds(self.begin)))
        return service

    def at(self, moment: float, act: Act) -> None:
        """Let *act* happen at a moment of the clock; it is told the time."""
        self.acts.append((moment, len(self.acts), act))


class Family(NamedTuple):
    """A kind of story; *make* tells one of it, by chance."""

    make: Callable[[Scene], Plan]
    incident: bool
    first_day: bool = False
    """Whether the daemon that watches has been there for less than a day."""
    clock: float = 0.0
    """Where the story begins, in seconds since Monday, 00:00."""

    @property
    def name(self) -> str:
        """What the family is called: as the function that makes it."""
        return self.make.__name__


def scene_of(family: Family, seed: int, attempt: int) -> Scene:
    """Return an empty scene; the same for the same family, seed and attempt."""
    rng = Random(f"{family.name} {seed} {attempt}")  # noqa: S311 - the same story each time
    most = rng.choice((100, 100, 120, 150, 200, 300, 400))
    limits = Limits(most, 3, rng.choice((0, 0, 0, 5)))
    return Scene(rng, limits, family.clock + rng.random() * _BEGINS_WITHIN)


def _always(value: float) -> Curve:
    return lambda _: value
