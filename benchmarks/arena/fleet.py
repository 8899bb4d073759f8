"""Ordinary services of which every story has some, and pools of a wanted size."""

from __future__ import annotations

import math

from benchmarks.arena.pool import PoolSettings, fixed, never_shrinks, on_demand
from benchmarks.arena.rhythm import steady
from benchmarks.arena.service import Curve, Service
from benchmarks.arena.story import Scene

_SPREAD = 4.4
"""A pool that is sampled for minutes holds its mean and so many standard deviations more."""


def mean_for(held: float) -> float:
    """Return how many connections are busy on average in a pool that came to hold *held*."""
    root = (-_SPREAD + math.sqrt(_SPREAD**2 + 4.0 * max(0.1, held))) / 2.0
    return root * root


def rate_for(held: float, pods: int, seconds: float) -> float:
    """Return the requests a second at which *pods* pools that grow on demand hold *held*."""
    return pods * mean_for(held / pods) / seconds


def follows(load: Curve, high: float, held: float, pods: int, seconds: float) -> Curve:
    """Return the rate at which pools hold *held* when *load* is *high*, and less in proportion."""
    rate = rate_for(held, pods, seconds)
    return lambda now: rate * load(now) / high


def fixed_service(scene: Scene, name: str, slots: float, busy: float = 0.25) -> Service:
    """Return a service whose pools are always full and hold about *slots* together."""
    size = scene.rng.choice((3, 5, 5, 10))
    size = max(1, min(size, round(slots / 2)))
    pods = max(1, round(slots / size))
    seconds = scene.rng.choice((0.005, 0.02, 0.08))
    rate = steady(busy * size * pods / seconds)
    return scene.settled(scene.service(name, fixed(size), rate, seconds), pods)


def elastic_service(
    scene: Scene, name: str, slots: float, rate: Curve | None = None, pods: int = 0
) -> Service:
    """Return a service whose pools grow on demand and hold about *slots* together."""
    pods = pods or max(1, min(6, round(slots / 6)))
    seconds = scene.rng.choice((0.01, 0.03, 0.1))
    most = max(2, math.ceil(1.3 * slots / pods))
    settings = on_demand(most, idle_seconds=scene.rng.choice((120.0, 300.0, 600.0)))
    usual = rate or steady(rate_for(slots, pods, seconds))
    return scene.settled(scene.service(name, settings, usual, seconds), pods, round(slots))


def kept_service(scene: Scene, name: str, slots: float) -> Service:
    """Return a service with pools of Prisma: what they once opened stays open."""
    pods = max(1, round(slots / 9))
    settings = never_shrinks(max(1, round(slots / pods)))
    service = scene.service(name, settings, steady(20.0 * pods), 0.03)
    return scene.settled(service, pods, settings.most * pods)


def background(
    scene: Scene, share: float, names: tuple[str, ...] = ("web", "worker", "reports")
) -> None:
    """Add ordinary services that hold about *share* of the slots together."""
    weights = [0.5 + scene.rng.random() for _ in names]
    makers = (fixed_service, elastic_service, kept_service)
    for place, name in enumerate(names):
        slots = max(1.0, share * scene.slots * weights[place] / sum(weights))
        makers[place % len(makers)](scene, name, slots)


__all__ = ["PoolSettings", "background", "elastic_service", "fixed_service", "follows"]
