"""Stories of a lock: queues behind it that fill the server, and queues that dissolve."""

from __future__ import annotations

import math

from benchmarks.arena.fleet import background
from benchmarks.arena.pool import PoolSettings, fixed
from benchmarks.arena.rhythm import HOUR, MINUTE, during, steady
from benchmarks.arena.service import Service
from benchmarks.arena.story import Family, Phase, Plan, Scene

_NAMES = ("orders", "billing", "storefront", "inventory")


def lock_queue(scene: Scene) -> Plan:
    """A transaction holds a lock on a hot table, and every application that needs it queues."""
    rng = scene.rng
    held_at = scene.begin + rng.uniform(20, 50) * MINUTE
    background(scene, rng.uniform(0.15, 0.35), ("web", "worker"))
    fills = rng.uniform(25, 240)
    queues = _applications(scene, rng.uniform(0.1, 0.25), room=1.5)
    _lock(scene, queues, held_at, math.inf, scene.slots / fills)
    end = held_at + 4 * fills + 60
    return Plan((Phase(held_at - 300, 5), Phase(end, 1)), onset=held_at)


def short_locks(scene: Scene) -> Plan:
    """Several times a lock is held for some seconds; the queue behind it dissolves."""
    rng = scene.rng
    background(scene, rng.uniform(0.15, 0.3), ("web", "worker"))
    queues = _applications(scene, 0.15, room=rng.uniform(0.3, 0.5))
    for _ in range(rng.randint(3, 7)):
        begins = scene.begin + rng.uniform(0.2, 3.3) * HOUR
        lasts = rng.uniform(8, 90)
        takes = rng.uniform(0.1, 0.4) * scene.slots
        _lock(scene, queues, begins, begins + lasts, takes / lasts)
    return Plan((Phase(scene.begin + 3.5 * HOUR, 2),))


def _applications(scene: Scene, share: float, room: float) -> list[Service]:
    """Return applications that hold *share* of the slots, and may take *room* of them."""
    rng, made = scene.rng, []
    number = rng.randint(2, len(_NAMES))
    for name in rng.sample(_NAMES, number):
        pods = rng.randint(2, 4)
        least = max(1, round(share * scene.slots / number / pods))
        most = max(least + 1, math.ceil(room * scene.slots / number / pods))
        seconds = rng.choice((0.02, 0.05))
        settings = PoolSettings(least, most, idle_seconds=rng.choice((60.0, 300.0)))
        rate = steady(rng.uniform(0.1, 0.4) * least * pods / seconds)
        made.append(scene.settled(scene.service(name, settings, rate, seconds), pods))
    return made


def _lock(scene: Scene, queues: list[Service], begins: float, ends: float, takes: float) -> None:
    """Hold a lock between two moments; *takes* requests a second run into it, of all together."""
    rng = scene.rng
    weights = [0.3 + rng.random() for _ in queues]
    for queue, weight in zip(queues, weights, strict=True):
        wanted = takes * weight / sum(weights)
        share = min(0.95, wanted / queue.rate(begins))
        before = queue.locked
        now_locked = during(begins, ends, share)
        queue.locked = lambda now, old=before, new=now_locked: max(old(now), new(now))  # type: ignore[misc]
    holder = scene.service("psql", fixed(1), steady(0.0))
    scene.at(begins - 15, holder.start)
    scene.at(begins, lambda now: holder.parked.append(now))  # noqa: PLW0108 - the list is replaced
    if ends < math.inf:
        scene.at(ends, lambda _: holder.parked.clear())
        scene.at(ends + 5, holder.stop)


FAMILIES = (
    Family(lock_queue, incident=True, first_day=True, clock=10 * HOUR),
    Family(short_locks, incident=False, first_day=True, clock=9.5 * HOUR),
)
