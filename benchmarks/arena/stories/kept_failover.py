"""Stories of a failover: the load of another primary comes onto this one, and fits or does not."""

from __future__ import annotations

from benchmarks.arena.fleet import background
from benchmarks.arena.pool import PoolSettings
from benchmarks.arena.rhythm import HOUR, MINUTE, steady
from benchmarks.arena.story import Family, Phase, Plan, Scene

_NAMES = ("ledger", "pricing", "shipping", "accounts", "search")


def failover_too_big(scene: Scene) -> Plan:
    """Another primary is lost; its applications come here one after the other, and do not fit."""
    rng = scene.rng
    background(scene, rng.uniform(0.4, 0.6))
    moved = scene.begin + rng.uniform(20, 60) * MINUTE
    room = scene.slots - scene.server.used
    within = _move(scene, moved, room * rng.uniform(1.25, 1.9))
    return Plan((Phase(moved - 120, 5), Phase(moved + 2 * within + 60, 1)), onset=moved)


def failover_that_fits(scene: Scene) -> Plan:
    """Another primary is lost; its applications come here, and there is room for them."""
    rng = scene.rng
    background(scene, rng.uniform(0.3, 0.4))
    moved = scene.begin + rng.uniform(20, 60) * MINUTE
    comes = rng.uniform(0.68, 0.84) * scene.slots - scene.server.used
    within = _move(scene, moved, comes)
    return Plan(
        (Phase(moved - 120, 5), Phase(moved + 2 * within + 600, 1), Phase(moved + 5 * HOUR, 10))
    )


def _move(scene: Scene, moved: float, slots: float) -> float:
    """Let applications with *slots* connections come; return within how many seconds they do."""
    rng = scene.rng
    chosen = rng.sample(_NAMES, rng.randint(2, 4))
    weights = [0.4 + rng.random() for _ in chosen]
    within = rng.uniform(15, 200)  # until the last resolver has forgotten the old address
    for name, weight in zip(chosen, weights, strict=True):
        share = slots * weight / sum(weights)
        pods = max(1, round(share / rng.choice((4, 8))))
        size = max(1, round(share / pods))
        settings = PoolSettings(size, size, lifetime_seconds=1800, fill_seconds=rng.uniform(1, 6))
        service = scene.service(name, settings, steady(0.3 * share / 0.02), 0.02)
        for _ in range(pods):
            scene.at(moved + rng.random() * within, service.start)
    return within


FAMILIES = (
    Family(failover_too_big, incident=True, first_day=True, clock=16 * HOUR),
    Family(failover_that_fits, incident=False, first_day=True, clock=10 * HOUR),
)
