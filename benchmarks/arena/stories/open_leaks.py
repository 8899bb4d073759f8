"""Stories of connections that nobody gives back: in an hour, and behind nightly restarts."""

from __future__ import annotations

from benchmarks.arena.fleet import background, elastic_service
from benchmarks.arena.pool import never_shrinks
from benchmarks.arena.rhythm import DAY, HOUR, MINUTE, office, steady
from benchmarks.arena.service import Service
from benchmarks.arena.story import Act, Family, Phase, Plan, Scene


def leak_on_the_first_day(scene: Scene) -> Plan:
    """An hour after the daemon was installed a service begins to leak, and is full in an hour."""
    rng = scene.rng
    background(scene, rng.uniform(0.3, 0.5))
    onset = scene.begin + rng.uniform(30, 90) * MINUTE
    lasts = rng.uniform(35, 110) * MINUTE
    leaky = _leaky(scene, "checkout")
    _leak(scene, leaky, onset, onset + 2 * lasts, scene.slots * 0.6 / lasts)
    return Plan((Phase(onset - 60, 10), Phase(onset + 2 * lasts, 3)), onset=onset)


def restarts_hide_a_leak(scene: Scene) -> Plan:
    """A service is restarted each night, and leaks a little faster each day than the last."""
    rng = scene.rng
    background(scene, rng.uniform(0.2, 0.3), ("web", "worker"))
    slots = rng.uniform(0.1, 0.15) * scene.slots
    elastic_service(scene, "search", slots)
    leaky = _leaky(scene, "invoices")
    load = office(rng, 0.15, 1.0, weekend=0.8)
    first, growth = rng.uniform(0.15, 0.25) * scene.slots, rng.uniform(1.15, 1.35)
    last = 14
    for day in range(last):
        begins = day * DAY + 3 * HOUR
        scene.at(begins, lambda now: _restart(leaky, now))
        rate = first * growth**day / (11 * HOUR)
        now = begins
        while now < begins + DAY:
            now += rng.expovariate(rate)
            if rng.random() < load(now):
                scene.at(now, _take_one(leaky))
    room = scene.slots - scene.server.used
    days = 0
    while first * growth**days * 0.8 < room and days < last - 1:
        days += 1
    onset = max(0, days - 5) * DAY + 3 * HOUR
    watched = max(1, days - 1) * DAY
    return Plan((Phase(watched, 240), Phase((days + 2) * DAY, 20)), onset=max(onset, scene.begin))


def slow_tide(scene: Scene) -> Plan:
    """A service takes more and more for hours, as an import runs, and then gives all of it back."""
    rng = scene.rng
    background(scene, rng.uniform(0.25, 0.4))
    importer = _leaky(scene, "importer")
    begins = scene.begin + rng.uniform(1, 3) * HOUR
    lasts = rng.uniform(2, 6) * HOUR
    takes = rng.uniform(0.25, 0.38) * scene.slots
    _leak(scene, importer, begins, begins + lasts, takes / lasts, at_most=round(takes))
    scene.at(begins + lasts + 900, lambda now: _restart(importer, now))
    return Plan((Phase(begins + lasts + 3 * HOUR, 10),))


def _leaky(scene: Scene, name: str) -> Service:
    """Return a service that loses a connection now and then: its handler forgets to close it."""
    settings = never_shrinks(scene.slots * 2)
    service = scene.service(name, settings, steady(20.0), 0.02)
    return scene.settled(service, 1, 4)


def _take_one(service: Service, at_most: int | None = None) -> Act:
    def take(now: float) -> None:
        if at_most is not None and service.desk.held >= at_most:
            return
        pod = service.pods[-1]
        if service.desk.open(now, 1):
            pod.born.append(now)
            pod.used.append(now)

    return take


def _leak(
    scene: Scene,
    service: Service,
    begins: float,
    ends: float,
    rate: float,
    at_most: int | None = None,
) -> None:
    now = begins
    while now < ends:
        now += scene.rng.expovariate(rate)
        scene.at(now, _take_one(service, at_most))


def _restart(service: Service, now: float) -> None:
    service.stop(now, len(service.pods))
    service.start(now)


FAMILIES = (
    Family(leak_on_the_first_day, incident=True, first_day=True, clock=12 * HOUR),
    Family(restarts_hide_a_leak, incident=True, clock=0.0),
    Family(slow_tide, incident=False, first_day=True, clock=8 * HOUR),
)
