"""Stories of an autoscaler, and of pools that are full from the start."""

from __future__ import annotations

import math

from benchmarks.arena.fleet import background
from benchmarks.arena.pool import PoolSettings, fixed
from benchmarks.arena.rhythm import DAY, HOUR, MINUTE, office, steady
from benchmarks.arena.story import Family, Phase, Plan, Scene


def pod_a_minute(scene: Scene) -> Plan:
    """An autoscaler adds a pod at each of its beats, each with a pool, until nothing is left."""
    rng = scene.rng
    background(scene, rng.uniform(0.2, 0.4))
    size = max(2, round(scene.slots * rng.uniform(0.03, 0.07)))
    pods = rng.randint(2, 4)
    api = scene.service("api", fixed(size), steady(40.0 * size), 0.02)
    scene.settled(api, pods)
    onset = scene.begin + rng.uniform(20, 60) * MINUTE
    beat = rng.choice((30.0, 60.0, 60.0, 90.0))
    api.rate = lambda now: (pods if now < onset else 3 * pods) * size * 0.6 / 0.02
    missing = scene.slots - scene.server.used
    beats = missing // size + 6
    for number in range(beats):
        scene.at(onset + (number + 1) * beat + rng.uniform(0, 3), api.start)
    return Plan((Phase(onset - 120, 5), Phase(onset + (beats + 2) * beat, 1)), onset=onset)


def scales_with_the_day(scene: Scene) -> Plan:
    """An autoscaler follows the working day up and down again, on the daemon's first days."""
    rng = scene.rng
    background(scene, rng.uniform(0.15, 0.25))
    size = max(2, round(scene.slots * rng.uniform(0.03, 0.06)))
    most = round(rng.uniform(0.45, 0.6) * scene.slots / size)
    least = max(1, most // 5)
    load = office(rng, least, most)
    api = scene.service("api", fixed(size), lambda now: load(now) * size * 25.0, 0.02)
    scene.settled(api, round(load(scene.begin)))
    beat = rng.choice((15.0, 30.0, 60.0))

    def scale(now: float) -> None:
        wanted = math.ceil(load(now) * (1.0 + 0.04 * rng.gauss(0, 1)))
        have = sum(pod.drains == math.inf for pod in api.pods)
        # As Kubernetes does: up at once, down only after five minutes of lower load.
        if wanted > have or load(now - 300) < have - 1:
            api.scale(now, min(most, wanted), grace=10.0)

    end = scene.begin + 2 * DAY
    for number in range(int(2 * DAY / beat)):
        scene.at(scene.begin + number * beat, scale)
    return Plan((Phase(end, 30),))


def warm_pools(scene: Scene) -> Plan:
    """The first thing that the daemon sees: every pool starts, sized to most of the limit."""
    rng = scene.rng
    share = rng.uniform(0.84, 0.91)
    names = ("api", "worker", "scheduler", "admin")
    weights = [0.3 + rng.random() for _ in names]
    starts = scene.begin + rng.uniform(0.3, 15) * MINUTE
    within = rng.uniform(5, 180)
    for name, weight in zip(names, weights, strict=True):
        slots = share * scene.slots * weight / sum(weights)
        pods = max(1, round(slots / rng.choice((5, 10, 20))))
        size = max(1, round(slots / pods))
        settings = PoolSettings(size, size, lifetime_seconds=1800, fill_seconds=rng.uniform(0.5, 8))
        service = scene.service(name, settings, steady(0.2 * slots / 0.01), 0.01)
        for _ in range(pods):
            scene.at(starts + rng.random() * within, service.start)
    return Plan((Phase(starts + within + 300, 1), Phase(starts + 8 * HOUR, 10)))


FAMILIES = (
    Family(pod_a_minute, incident=True, first_day=True, clock=8.5 * HOUR),
    Family(scales_with_the_day, incident=False, first_day=True, clock=6 * HOUR),
    Family(warm_pools, incident=False, first_day=True, clock=11 * HOUR),
)
