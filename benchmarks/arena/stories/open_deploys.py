"""Stories of deploys: blue and green side by side, and replicas that are replaced one by one."""

from __future__ import annotations

from benchmarks.arena.fleet import background
from benchmarks.arena.pool import PoolSettings
from benchmarks.arena.rhythm import HOUR, MINUTE, steady
from benchmarks.arena.service import Service
from benchmarks.arena.story import Family, Phase, Plan, Scene


def blue_and_green(scene: Scene) -> Plan:
    """Green starts beside blue, as large as blue, and both together do not fit."""
    rng = scene.rng
    background(scene, rng.uniform(0.1, 0.2), ("worker", "reports"))
    held = rng.uniform(0.5, 0.68) * scene.slots
    blue, pods = _service(scene, "api", held)
    scene.settled(blue, pods)
    onset = scene.begin + rng.uniform(20, 60) * MINUTE
    within = rng.uniform(20, 240)
    for number in range(pods):
        scene.at(onset + within * number / pods + rng.random() * 2, blue.start)
    return Plan((Phase(onset - 120, 5), Phase(onset + within * 2 + 60, 1)), onset=onset)


def surge_after_start(scene: Scene) -> Plan:
    """A service has just come up when its replicas are replaced one by one, a new one first."""
    rng = scene.rng
    background(scene, rng.uniform(0.05, 0.15), ("worker", "reports"))
    held = rng.uniform(0.3, 0.4) * scene.slots
    api, pods = _service(scene, "api", held)
    up = scene.begin + rng.uniform(3, 20) * MINUTE
    for _ in range(pods):
        scene.at(up + rng.random() * 8, api.start)
    again = up + rng.uniform(1.5, 12) * MINUTE
    done = _one_by_one(scene, api, again, pods, surge=rng.choice((1, max(1, pods // 4), pods)))
    return Plan((Phase(done + 10 * MINUTE, 1), Phase(done + 3 * HOUR, 10)))


def surge_of_the_day(scene: Scene) -> Plan:
    """Two or three deploys on an ordinary day, each replaces replicas one by one."""
    rng = scene.rng
    background(scene, rng.uniform(0.1, 0.2), ("worker", "reports"))
    held = rng.uniform(0.4, 0.6) * scene.slots
    api, pods = _service(scene, "api", held)
    scene.settled(api, pods)
    begins = scene.begin
    for _ in range(rng.randint(2, 3)):
        begins += rng.uniform(0.8, 2.0) * HOUR
        _one_by_one(scene, api, begins, pods, surge=max(1, pods // rng.randint(4, 6)))
    return Plan((Phase(begins + 1.5 * HOUR, 3),))


def _service(scene: Scene, name: str, held: float) -> tuple[Service, int]:
    rng = scene.rng
    pods = rng.randint(4, 12)
    size = max(1, round(held / pods))
    settings = PoolSettings(size, size, lifetime_seconds=1800, fill_seconds=rng.uniform(0.5, 6))
    return scene.service(name, settings, steady(0.25 * held / 0.02), 0.02), pods


def _one_by_one(scene: Scene, service: Service, begins: float, pods: int, surge: int) -> float:
    """Replace all pods, *surge* at a time: start the new, and when they are ready stop the old."""
    rng, now, left = scene.rng, begins, pods
    ready, grace = rng.uniform(5, 40), rng.uniform(1, 30)
    while left > 0:
        number = min(surge, left)
        scene.at(now, lambda at, n=number: service.start(at, n))  # type: ignore[misc]
        scene.at(now + ready, lambda at, n=number: service.stop(at, n, grace))  # type: ignore[misc]
        now += ready + rng.uniform(1, 5)
        left -= number
    return now + grace


FAMILIES = (
    Family(blue_and_green, incident=True, first_day=True, clock=15 * HOUR),
    Family(surge_after_start, incident=False, first_day=True, clock=9 * HOUR),
    Family(surge_of_the_day, incident=False, first_day=True, clock=11 * HOUR),
)
