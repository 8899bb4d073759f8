"""Stories of jobs at night, and of servers with few slots."""

from __future__ import annotations

from benchmarks.arena.fleet import background, elastic_service
from benchmarks.arena.pool import PoolSettings, on_demand
from benchmarks.arena.rhythm import DAY, HOUR, MINUTE, during, steady
from benchmarks.arena.server import Limits, Server
from benchmarks.arena.story import Family, Phase, Plan, Scene


def first_nightly_job(scene: Scene) -> Plan:
    """The first night that the daemon sees: a job takes nearly all that is left, for a while."""
    rng = scene.rng
    background(scene, rng.uniform(0.2, 0.35), ("web", "worker"))
    top = rng.uniform(0.8, 0.91) * scene.slots - scene.server.used
    begins = scene.begin + rng.uniform(2, 5) * HOUR
    lasts = rng.uniform(10, 50) * MINUTE
    workers = max(2, round(top))
    settings = PoolSettings(1, 1)
    job = scene.service("nightly", settings, during(begins, begins + lasts, workers * 2.0), 0.4)
    rise = rng.choice((5.0, 60.0, 300.0, 900.0))
    for number in range(workers):
        scene.at(begins + rise * number / workers, job.start)
        scene.at(begins + lasts + rng.random() * 120, job.stop)
    return Plan(
        (Phase(begins - 600, 15), Phase(begins + lasts + 600, 1), Phase(begins + 8 * HOUR, 15))
    )


def tiny_server(scene: Scene) -> Plan:
    """A server with 20 to 30 slots: each connection is a large share of them."""
    rng = scene.rng
    scene.limits = Limits(rng.randint(20, 30), 3)
    scene.server = Server(scene.limits)
    most = rng.uniform(0.7, 0.85) * scene.slots
    base = round(0.35 * scene.slots)
    api = scene.service("api", PoolSettings(base, base, lifetime_seconds=1800), steady(30.0), 0.03)
    scene.settled(api, 1)
    elastic_service(scene, "worker", 0.2 * scene.slots)
    tool = scene.service("admin", on_demand(2, idle_seconds=30), steady(0.02), 4.0)
    scene.settled(tool, 1, 0)
    cron = scene.service("cron", on_demand(max(1, round(most) - base - 6), 1), steady(0.0), 8.0)
    scene.settled(cron, 1, 0)
    cron.rate = lambda now: 2.0 if now % (15 * MINUTE) < rng.choice((20, 40)) else 0.0
    return Plan((Phase(scene.begin + DAY, 10),))


FAMILIES = (
    Family(first_nightly_job, incident=False, first_day=True, clock=21 * HOUR),
    Family(tiny_server, incident=False, first_day=True, clock=7 * HOUR),
)
