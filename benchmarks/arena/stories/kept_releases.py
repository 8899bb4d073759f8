"""Stories of releases: one more service each time, a larger pool, a canary, restarts that fit."""

from __future__ import annotations

import math

from benchmarks.arena.fleet import background
from benchmarks.arena.pool import PoolSettings
from benchmarks.arena.rhythm import DAY, HOUR, MINUTE, office, steady
from benchmarks.arena.story import Family, Phase, Plan, Scene


def services_one_by_one(scene: Scene) -> Plan:
    """A monolith is taken apart: every release adds a service, and each has a pool of its own."""
    rng = scene.rng
    background(scene, rng.uniform(0.25, 0.4), ("monolith", "worker", "reports"))
    size = max(2, round(scene.slots * rng.uniform(0.03, 0.1)))
    gap = math.exp(rng.uniform(math.log(4), math.log(300))) * MINUTE
    onset = scene.begin + rng.uniform(1.0, 3.0) * HOUR
    number, now, missing = 0, onset, scene.slots - scene.server.used
    while number * size <= missing + size:
        name = f"svc-{_PARTS[number % len(_PARTS)]}"
        settings = PoolSettings(size, size, lifetime_seconds=1800, fill_seconds=3)
        service = scene.service(name, settings, steady(0.15 * size / 0.02), 0.02)
        scene.at(now, service.start)
        now += gap * rng.uniform(0.6, 1.4)
        number += 1
    step = min(60.0, max(2.0, (now - onset) / 4000))
    return Plan((Phase(now + 60, step),), onset=onset, blames=False)


def larger_pool(scene: Scene) -> Plan:
    """A release calls a partner while it holds a connection, and has a larger pool for it."""
    rng = scene.rng
    background(scene, rng.uniform(0.25, 0.35))
    pods = rng.randint(3, 6)
    was = max(2, round(0.3 * scene.slots / pods))
    released = DAY * rng.choice((2, 3)) + rng.uniform(5.5, 8.3) * HOUR
    slow, load = rng.uniform(0.2, 0.4), office(rng, 0.1, 1.0)
    # From then on the day needs about all of the server; until then a fifth of that.
    rate = rng.uniform(0.8, 1.2) * scene.slots / slow
    api = scene.service(
        "api",
        PoolSettings(1, was, idle_seconds=300),
        lambda now: rate * load(now),
        lambda now: slow if now >= released else slow / 6,
    )
    scene.settled(api, pods, pods)
    larger = PoolSettings(1, max(was + 2, math.ceil(1.3 * scene.slots / pods)), idle_seconds=300)
    roll = rng.uniform(20, 60)
    for number in range(pods):
        scene.at(released + number * roll, lambda now: api.start(now, 1, larger))
        scene.at(released + number * roll + 15, lambda now: api.stop(now, 1, 5.0))
    return Plan((Phase(released - 600, 90), Phase(released + 12 * HOUR, 3)), onset=released)


def canary(scene: Scene) -> Plan:
    """A release goes to one process, to a quarter, then to all; each replaces an old one."""
    rng = scene.rng
    background(scene, rng.uniform(0.15, 0.25))
    pods, held = rng.randint(6, 14), rng.uniform(0.35, 0.5) * scene.slots
    size = max(1, round(held / pods))
    settings = PoolSettings(size, size, lifetime_seconds=1800, fill_seconds=2)
    api = scene.service("api", settings, steady(0.3 * held / 0.02), 0.02)
    scene.settled(api, pods)
    now, done = scene.begin + rng.uniform(0.5, 1.5) * HOUR, 0
    for share in (1 / pods, 0.25, 1.0):
        while done < min(pods, round(share * pods)):
            scene.at(now, api.start)
            scene.at(now + rng.uniform(8, 25), lambda at: api.stop(at, 1, 10.0))
            now += 30.0
            done += 1
        now += rng.uniform(5, 40) * MINUTE
    return Plan((Phase(now + 1.5 * HOUR, 2 if now - scene.begin < 3 * HOUR else 3),))


def restart_in_one(scene: Scene) -> Plan:
    """A service that has just come up is restarted at once, or beside itself, and both fit."""
    rng = scene.rng
    background(scene, rng.uniform(0.04, 0.12), ("worker", "reports"))
    pods, held = rng.randint(3, 9), rng.uniform(0.3, 0.39) * scene.slots
    size = max(1, round(held / pods))
    settings = PoolSettings(size, size, lifetime_seconds=1800, fill_seconds=rng.uniform(0.5, 4))
    api = scene.service("api", settings, steady(0.2 * held / 0.02), 0.02)
    now = scene.begin + rng.uniform(1, 20) * MINUTE
    scene.at(now, lambda at: api.start(at, pods))
    for number in range(rng.randint(1, 3)):
        now += rng.uniform(1.5, 25) * MINUTE
        beside = number == 0 or rng.random() < 0.5
        overlap = rng.uniform(10, 90)
        if beside:
            scene.at(now, lambda at: api.start(at, pods))
            scene.at(now + overlap, lambda at: api.stop(at, pods, 5.0))
        else:
            scene.at(now, lambda at: api.stop(at, pods))
            scene.at(now + overlap / 5, lambda at: api.start(at, pods))
    return Plan((Phase(now + 15 * MINUTE, 1), Phase(now + 3 * HOUR, 10)))


def scaled_out_and_stays(scene: Scene) -> Plan:
    """A release is scaled out in a few steps to four fifths of the limit, and stays there."""
    rng = scene.rng
    background(scene, rng.uniform(0.2, 0.35))
    size = max(1, round(scene.slots * rng.uniform(0.02, 0.06)))
    room = rng.uniform(0.74, 0.83) * scene.slots - scene.server.used
    api = scene.service(
        "api", PoolSettings(size, size, lifetime_seconds=1800, fill_seconds=2), steady(60.0), 0.02
    )
    scene.settled(api, 1)
    steps, pods = rng.randint(2, 5), max(2, int(room / size) - 1)
    now = scene.begin + rng.uniform(0.3, 1.0) * HOUR
    for step in range(steps):
        number = pods // steps + (step < pods % steps)
        scene.at(now, lambda at, n=number: api.start(at, n))  # type: ignore[misc]
        now += math.exp(rng.uniform(math.log(0.5), math.log(25))) * MINUTE
    return Plan((Phase(now + 600, 2), Phase(now + 6 * HOUR, 10)))


_PARTS = (
    *("cart", "mail", "media", "rates", "stock", "users", "votes", "pages"),
    *("forms", "taxes", "hooks", "flags", "notes", "teams", "plans", "tasks"),
    *("files", "audit", "quotes", "badges", "coupons", "reviews", "returns", "refunds"),
    *("carriers", "labels", "prints", "faxes", "tickets", "chats", "calls", "themes"),
    *("widgets", "banners", "feeds", "digests", "exports", "imports"),
)

FAMILIES = (
    Family(services_one_by_one, incident=True, first_day=True, clock=9 * HOUR),
    Family(larger_pool, incident=True, clock=0.0),
    Family(canary, incident=False, first_day=True, clock=10 * HOUR),
    Family(restart_in_one, incident=False, first_day=True, clock=12 * HOUR),
    Family(scaled_out_and_stays, incident=False, first_day=True, clock=13 * HOUR),
)
