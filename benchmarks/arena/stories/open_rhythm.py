"""Stories of the working day: the first one, the tenth, and a campaign on top of known ones."""

from __future__ import annotations

import math

from benchmarks.arena.fleet import elastic_service, fixed_service, follows
from benchmarks.arena.rhythm import DAY, HOUR, MINUTE, office
from benchmarks.arena.service import Service
from benchmarks.arena.story import Family, Phase, Plan, Scene


def campaign(scene: Scene) -> Plan:
    """After ten known days a campaign begins: on top of the day's load comes another one."""
    rng = scene.rng
    peak = rng.uniform(0.55, 0.72)
    shop = _day(scene, peak)
    day = rng.choice((10, 11, 14, 15)) * DAY
    onset = day + rng.uniform(9.0, 15.0) * HOUR
    rises = math.exp(rng.uniform(math.log(3), math.log(90))) * MINUTE
    usual, most = shop.rate, rng.uniform(3.5, 6.0)
    shop.rate = lambda now: (
        usual(now) * (1.0 if now < onset else 1.0 + (most - 1.0) * min(1.0, (now - onset) / rises))
    )
    close = max(20 * MINUTE, rises / 2)
    return Plan(
        (
            Phase(day, 180),
            Phase(onset - close, 20),
            Phase(onset + 2.5 * rises, 1 if rises < 40 * MINUTE else 3),
        ),
        onset=onset,
        culprit="shop",
    )


def first_monday(scene: Scene) -> Plan:
    """The daemon was installed an hour ago, on a Monday before work: the morning comes."""
    rng = scene.rng
    _day(scene, rng.uniform(0.72, 0.87))
    return Plan((Phase(scene.begin + 4 * HOUR, 3), Phase(scene.begin + 17 * HOUR, 20)))


def tenth_day(scene: Scene) -> Plan:
    """Watched since a Saturday: a calm weekend, then ordinary days, each as high as the last."""
    rng = scene.rng
    _day(scene, rng.uniform(0.72, 0.86))
    return Plan((Phase(14 * DAY, 240), Phase(15 * DAY, 30), Phase(19 * DAY, 240)))


def _day(scene: Scene, peak: float) -> Service:
    """Add services that follow the working day, to *peak* of the slots; return the largest."""
    rng = scene.rng
    fixed_service(scene, "worker", rng.uniform(0.05, 0.12) * scene.slots)
    load = office(rng, rng.uniform(0.05, 0.2), 1.0)
    room = peak * scene.slots - scene.server.used
    big, small = 0.75 * room, 0.25 * room
    made = []
    for name, slots in (("shop", big), ("search", small)):
        pods = max(1, min(6, round(slots / 8)))
        rate = follows(load, 1.0, slots, pods, 0.03)
        service = elastic_service(scene, name, slots, rate, pods)
        service.seconds = lambda _: 0.03
        made.append(service)
        held = max(1, round(slots * load(scene.begin)))
        while service.desk.held > held:  # it is morning, or night
            pod = max(service.pods, key=lambda pod: len(pod.born))
            pod.used.pop()
            service.desk.close(pod.born.pop())
    shop = made[0]
    for pod in shop.pods:
        pod.settings = type(pod.settings)(0, scene.slots, pod.settings.idle_seconds)
    return shop


FAMILIES = (
    Family(campaign, incident=True, clock=0.0),
    Family(first_monday, incident=False, first_day=True, clock=6 * HOUR),
    Family(tenth_day, incident=False, clock=5 * DAY),
)
