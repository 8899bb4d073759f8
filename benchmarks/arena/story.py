"""A story: a server, services, and what happens to them; played, it is a trace and its truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from benchmarks.arena.pool import PoolSettings
from benchmarks.arena.rhythm import DAY
from benchmarks.arena.server import Desk, Limits, Server
from benchmarks.arena.service import Curve, Service

MONDAY = 1_767_571_200.0
"""2026-01-05T00:00:00Z, the zero of every story's clock."""

NEAR = 0.92
"""A page that this share of the ordinary slots follows within minutes was not for nothing."""

_NEAR_GAP = 300.0  # seconds; shorter gaps between two stretches near the limit are none
_STEPS_AFTER = 20  # so many samples after the first refusal a trace ends
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


@dataclass(slots=True)
class Player:
    """Plays one scene by its plan: samples first, then the truth of them."""

    family: Family
    scene: Scene
    plan: Plan
    _at_onset: dict[str, int] = field(default_factory=dict)
    _near: list[list[float]] = field(default_factory=list)
    _first: float = 0.0
    _last: float = 0.0
    _culprit: str | None = None

    def samples(self) -> Iterator[dict[str, Any]]:
        """Yield the samples as they stand in a recording; raises MissedTruthError."""
        scene, plan, server = self.scene, self.plan, self.scene.server
        shift = scene.rng.random()
        acts = sorted(scene.acts, key=lambda act: act[:2], reverse=True)
        now, left = scene.begin, math.inf
        self._first = MONDAY + now + shift
        for until, step in plan.phases:
            while now < until and left > 0:
                while acts and acts[-1][0] <= now:
                    acts.pop()[2](now)
                for service in scene.rng.sample(scene.services, len(scene.services)):
                    service.live(now, step)
                if plan.onset is not None and now >= plan.onset and not self._at_onset:
                    self._at_onset = {one.name: one.desk.held for one in scene.services}
                if server.refused_at is not None and left == math.inf:
                    left = self._refused(now)
                left -= 1
                self._last = MONDAY + now + shift
                yield self._sample(now, self._last)
                now += step
        self._check()

    def truth(self) -> dict[str, Any]:
        """Return what is true of the samples that were played."""
        plan, shift, refused = self.plan, self._first - MONDAY - self.scene.begin, None
        if self.scene.server.refused_at is not None:
            refused = round(MONDAY + self.scene.server.refused_at + shift, 3)
        incident = self.family.incident
        return {
            "family": self.family.name,
            "incident": incident,
            "onset": None if plan.onset is None else round(MONDAY + plan.onset + shift, 3),
            "exhaustion": refused,
            "near_misses": self._near,
            "step": plan.phases[-1].step,
            "culprit": self._culprit if incident else None,
            "first_day": self.family.first_day,
            "weeks": round((self._last - self._first) / (7 * DAY), 4),
        }

    def _refused(self, now: float) -> float:
        if not self.family.incident:
            raise MissedTruthError(f"{self.family.name}: benign, and full")
        if self.plan.onset is None or now < self.plan.onset:
            raise MissedTruthError(f"{self.family.name}: full before its cause")
        if self.plan.blames:
            grown = {
                one.name: one.desk.held - self._at_onset.get(one.name, 0)
                for one in self.scene.services
            }
            self._culprit = self.plan.culprit or max(grown, key=lambda name: grown[name])
        return _STEPS_AFTER

    def _check(self) -> None:
        if self.family.incident and self.scene.server.refused_at is None:
            raise MissedTruthError(f"{self.family.name}: an incident that nobody notices")

    def _sample(self, now: float, at: float) -> dict[str, Any]:
        scene, time = self.scene, round(at, 3)
        rows: dict[str, list[int]] = {}
        young: dict[str, list[int]] = {}
        for one in scene.services:
            held = one.desk.held
            if not held:
                continue
            parked = min(held, len(one.parked))
            active = min(held - parked, one.busy + one.blocked)
            row = rows.setdefault(one.name, [0, 0, 0])
            ages = young.setdefault(one.name, [0, 0, 0])
            for place, count in enumerate((active, held - parked - active, parked)):
                row[place] += count
            for place, count in enumerate(one.desk.younger(now)):
                ages[place] += count
        if scene.server.used >= NEAR * scene.slots:
            if self._near and time - self._near[-1][1] <= _NEAR_GAP:
                self._near[-1][1] = time
            else:
                self._near.append([time, time])
        states = ("active", "idle", "idle in transaction")
        since = min((one.parked[0] for one in scene.services if one.parked), default=None)
        further = {
            "commits": scene.server.commits,
            "opened": scene.server.opened,
            "young": [[name, *ages] for name, ages in young.items() if ages[-1]],
            "idle_transaction": None if since is None else round(now - since, 1),
            "waiting": sum(one.blocked for one in scene.services),
        }
        return {
            "time": time,
            "max_connections": scene.limits.max_connections,
            "superuser_reserved_connections": scene.limits.superuser_reserved,
            "reserved_connections": scene.limits.reserved,
            "connections": [
                [name, state, count]
                for name, counts in rows.items()
                for state, count in zip(states, counts, strict=True)
                if count
            ],
            **{
                key: value
                for key, value in further.items()
                if value is not None and (value or key == "young")
            },
        }


def without_signals(sample: dict[str, Any]) -> dict[str, Any]:
    """Return *sample* as an exporter knows it that only counts: no ages, no commits, no waiters."""
    signals = ("commits", "opened", "young", "idle_transaction", "waiting")
    return {key: value for key, value in sample.items() if key not in signals}


def _always(value: float) -> Curve:
    return lambda _: value
