"""Stories of statements that get slow, and of transactions that nobody ends."""

from __future__ import annotations

import math

from benchmarks.arena.fleet import background
from benchmarks.arena.pool import PoolSettings
from benchmarks.arena.rhythm import HOUR, MINUTE, during, steady
from benchmarks.arena.story import Family, Phase, Plan, Scene


def retry_storm(scene: Scene) -> Plan:
    """A statement loses its index, requests take longer and longer, and clients try again."""
    rng = scene.rng
    background(scene, rng.uniform(0.2, 0.4))
    onset = scene.begin + rng.uniform(15, 50) * MINUTE
    worsens = math.exp(rng.uniform(math.log(40), math.log(900)))
    quick = rng.uniform(0.01, 0.05)
    slots = rng.uniform(0.1, 0.2) * scene.slots
    pods = rng.randint(3, 6)
    least = max(1, round(slots / pods))
    settings = PoolSettings(least, scene.slots, idle_seconds=300.0)
    usual = rng.uniform(0.08, 0.2) * slots / quick

    def seconds(now: float) -> float:
        # The more wait already, the slower each gets: they compete for the same processors.
        slower = 1.0 + 9.0 * min(1.5, max(0.0, now - onset) / worsens)
        return quick * slower * (1.0 + api.busy / (0.7 * scene.slots) if slower > 1.0 else 1.0)

    def rate(now: float) -> float:
        # Whose request is slow tries again, beside the first one.
        again = min(2.0, max(0.0, seconds(now) / quick - 3.0) / 6.0)
        return usual * (1.0 + again)

    api = scene.service("api", settings, rate, seconds)
    api.retries = 0.5
    scene.settled(api, pods)
    return Plan((Phase(onset - 180, 5), Phase(onset + 3 * worsens + 60, 1)), onset=onset)


def forgotten_transactions(scene: Scene) -> Plan:
    """A code path begins a transaction and never ends it: each takes a connection for good."""
    rng = scene.rng
    background(scene, rng.uniform(0.3, 0.5))
    onset = scene.begin + rng.uniform(30, 120) * MINUTE
    lasts = math.exp(rng.uniform(math.log(8), math.log(240))) * MINUTE
    rate = rng.uniform(10, 60)
    share = scene.slots * 0.55 / lasts / rate
    pods = rng.randint(2, 4)
    settings = PoolSettings(2, scene.slots, idle_seconds=120.0)
    booking = scene.service("booking", settings, steady(rate), 0.02)
    booking.forgetful = during(onset, math.inf, share)
    scene.settled(booking, pods)
    step = 1 if lasts < 30 * MINUTE else 3
    return Plan((Phase(onset - 120, 10), Phase(onset + 2 * lasts, step)), onset=onset)


def slow_half_hour(scene: Scene) -> Plan:
    """An analyst's report makes everything slower for a while: busier, and then as before."""
    rng = scene.rng
    background(scene, rng.uniform(0.2, 0.35))
    begins = scene.begin + rng.uniform(1, 2) * HOUR
    lasts = rng.uniform(5, 40) * MINUTE
    quick, held = 0.03, 0.15 * scene.slots
    usual = 0.2 * held / quick
    takes = rng.uniform(0.25, 0.42) * scene.slots
    slower = takes / (usual * quick)
    bound = rng.uniform(30, 240)

    def seconds(now: float) -> float:
        if not begins <= now < begins + lasts:
            return quick
        return quick * (1.0 + (slower - 1.0) * min(1.0, (now - begins) / bound))

    pods = rng.randint(2, 5)
    settings = PoolSettings(max(1, round(held / pods)), scene.slots, idle_seconds=180.0)
    api = scene.service("api", settings, steady(usual), seconds)
    scene.settled(api, pods)
    report = scene.service("analyst", PoolSettings(1, 1), steady(0.0), 1.0)
    scene.at(begins, report.start)
    scene.at(begins + lasts, report.stop)
    return Plan(
        (Phase(begins - 60, 10), Phase(begins + lasts + 900, 1), Phase(begins + 5 * HOUR, 10))
    )


FAMILIES = (
    Family(retry_storm, incident=True, first_day=True, clock=11 * HOUR),
    Family(forgotten_transactions, incident=True, first_day=True, clock=9 * HOUR),
    Family(slow_half_hour, incident=False, first_day=True, clock=9 * HOUR),
)
