"""Plays a story: its samples as they stand in a recording, and then what is true of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.arena.rhythm import DAY
from benchmarks.arena.story import MONDAY, Family, MissedTruthError, Plan, Scene

NEAR = 0.92
"""A page that this share of the ordinary slots follows within minutes was not for nothing."""

_NEAR_GAP = 300.0  # seconds; shorter gaps between two stretches near the limit are none
_STEPS_AFTER = 20  # so many samples after the first refusal a trace ends
_ALSO_TO_BLAME = 1 / 3
"""Who grew by this share of what the culprit grew by is no wrong name either."""


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
    _culprits: list[str] = field(default_factory=list)

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
            "culprit": self._culprits[0] if self._culprits else None,
            "culprits": self._culprits,
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
            most = max(grown.values())
            self._culprits = (
                [self.plan.culprit]
                if self.plan.culprit
                else [
                    name
                    for name in sorted(grown, key=lambda name: -grown[name])
                    if grown[name] >= _ALSO_TO_BLAME * most
                ]
            )
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
        since = min(
            (one.parked[0] for one in scene.services if one.parked and one.desk.held), default=None
        )
        further = {
            "commits": scene.server.commits,
            "opened": scene.server.opened,
            "young": [[name, *ages] for name, ages in young.items() if ages[-1]],
            "idle_transaction": None if since is None else round(now - since, 1),
            "waiting": sum(one.blocked for one in scene.services) or None,
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
            **{key: value for key, value in further.items() if value is not None},
        }


def without_signals(sample: dict[str, Any]) -> dict[str, Any]:
    """Return *sample* as an exporter knows it that only counts: no ages, no commits, no waiters."""
    signals = ("commits", "opened", "young", "idle_transaction", "waiting")
    return {key: value for key, value in sample.items() if key not in signals}
