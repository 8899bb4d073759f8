"""Stories of functions: each running instance has a connection of its own."""

from __future__ import annotations

import math

from benchmarks.arena.fleet import background
from benchmarks.arena.pool import on_demand
from benchmarks.arena.rhythm import HOUR, MINUTE
from benchmarks.arena.story import Family, Phase, Plan, Scene


def doubling_function(scene: Scene) -> Plan:
    """A function calls itself, or is called by a queue that grows: its concurrency doubles."""
    rng = scene.rng
    onset = scene.begin + rng.uniform(15, 45) * MINUTE
    doubles = math.exp(rng.uniform(math.log(6), math.log(150)))  # seconds
    base = rng.uniform(1.5, 5.0)
    seconds = rng.uniform(0.3, 2.0)
    background(scene, rng.uniform(0.15, 0.5))

    def rate(now: float) -> float:
        grown = math.exp2(min(12.0, max(0.0, now - onset) / doubles))
        return base * grown / seconds

    function = scene.service("thumbnails", on_demand(10_000, idle_seconds=300), rate, seconds)
    scene.settled(function, 1, round(base) + 3)
    end = onset + 9 * doubles + 120
    return Plan((Phase(onset - 240, 5), Phase(end, 1 if doubles < 60 else 2)), onset=onset)


def bursts_of_functions(scene: Scene) -> Plan:
    """Uploads come in bursts: a function runs many times at once, to a cap that fits."""
    rng = scene.rng
    background(scene, rng.uniform(0.15, 0.3))
    cap = round(rng.uniform(0.3, 0.5) * scene.slots)
    seconds = rng.uniform(0.5, 2.0)
    bursts = [
        (
            scene.begin + rng.uniform(0.3, 3.5) * HOUR,
            rng.uniform(0.5, 1.3) * cap,
            rng.uniform(20, 400),
        )
        for _ in range(rng.randint(4, 10))
    ]

    def rate(now: float) -> float:
        lift = sum(
            height * math.exp(-(now - begin) / lasts)
            for begin, height, lasts in bursts
            if now >= begin
        )
        return (1.0 + lift) / seconds

    function = scene.service("thumbnails", on_demand(cap, idle_seconds=240), rate, seconds)
    scene.settled(function, 1, 4)
    return Plan((Phase(scene.begin + 4 * HOUR, 2),))


FAMILIES = (
    Family(doubling_function, incident=True, first_day=True, clock=14 * HOUR),
    Family(bursts_of_functions, incident=False, first_day=True, clock=13 * HOUR),
)
