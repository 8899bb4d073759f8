"""Stories of many who each do a little more, and of peaks that the calendar brings."""

from __future__ import annotations

from benchmarks.arena.fleet import background, elastic_service, fixed_service, follows
from benchmarks.arena.pool import PoolSettings, never_shrinks
from benchmarks.arena.rhythm import DAY, HOUR, MINUTE, office, steady
from benchmarks.arena.service import Service
from benchmarks.arena.story import Family, Phase, Plan, Scene


def a_connection_more_each(scene: Scene) -> Plan:
    """Every tenant's process opens one connection more, one after the other, until none is left."""
    rng = scene.rng
    background(scene, rng.uniform(0.15, 0.25), ("web", "worker"))
    named = rng.choice(("tenant-{0}", "{1}", "tenants"))
    each = rng.randint(1, 2)
    number = max(8, round(rng.uniform(0.25, 0.4) * scene.slots / each))
    names = [named.format(place, _word(place)) for place in range(number)]
    tenants = [_tenant(scene, name, each) for name in names]
    onset = scene.begin + rng.uniform(30, 90) * MINUTE
    lasts = rng.uniform(10, 150) * MINUTE
    missing = scene.slots - scene.server.used
    order = rng.sample(tenants, number)
    for place in range(missing + 5):
        tenant = order[place % number]
        scene.at(onset + lasts * place / missing + rng.random() * 5, tenant.start)
    step = 2 if lasts < HOUR else 5
    plan = Plan((Phase(onset - 60, 15), Phase(onset + 1.2 * lasts + 60, step)), onset=onset)
    if named == "{1}":
        return Plan(plan.phases, onset, blames=False)
    return Plan(plan.phases, onset, culprit="tenants" if named == "tenants" else "tenant-*")


def monday_after_weekend(scene: Scene) -> Plan:
    """Two calm days, then Monday: as high as the Mondays before, after the lowest night."""
    rng = scene.rng
    _offices(scene, rng.uniform(0.72, 0.85), weekend=0.05)
    monday = 14 * DAY + 6 * HOUR
    return Plan((Phase(monday, 180), Phase(monday + 6 * HOUR, 3), Phase(15 * DAY + HOUR, 120)))


def month_end(scene: Scene) -> Plan:
    """The last two days of a month are a third higher than any day before, and fit."""
    rng = scene.rng
    usual, most = rng.uniform(0.56, 0.64), rng.uniform(1.7, 2.3)
    factors = [1.0] * 28
    factors[22:24] = [0.5 + most / 2, most]  # Tuesday and Wednesday of the fourth week
    web = _offices(scene, usual, weekend=0.2)
    rate = web.rate
    web.rate = lambda now: rate(now) * factors[min(27, int(now // DAY))]
    return Plan((Phase(22 * DAY, 300), Phase(24 * DAY, 45), Phase(26 * DAY, 300)))


def _offices(scene: Scene, peak: float, weekend: float) -> Service:
    rng = scene.rng
    fixed_service(scene, "worker", 0.1 * scene.slots)
    load = office(rng, rng.uniform(0.08, 0.2), 1.0, weekend)
    room = peak * scene.slots - scene.server.used
    pods = max(1, min(6, round(room / 8)))
    web = elastic_service(
        scene, "web", 0.9 * room, follows(load, 1.0, 0.9 * room, pods, 0.03), pods
    )
    web.seconds = lambda _: 0.03
    return web


def _tenant(scene: Scene, name: str, each: int) -> Service:
    settings = PoolSettings(each, each, lifetime_seconds=0.0)
    service = scene.service(name, settings, steady(0.5), 0.02)
    scene.settled(service, 1, each)
    service.settings = never_shrinks(1)
    service.settings = PoolSettings(1, 1)
    return service


def _word(place: int) -> str:
    """Return a customer's name that no rule of folding knows."""
    first = ("acme", "bolt", "crown", "delta", "ember", "fable", "grove", "haven", "iris", "jade")
    last = ("foods", "motors", "press", "labs", "media", "games", "tools", "farms", "books", "air")
    ending = ("", " north", " south", " west", " east")
    return first[place % 10] + " " + last[place // 10 % 10] + ending[place // 100 % 5]


FAMILIES = (
    Family(a_connection_more_each, incident=True, first_day=True, clock=14 * HOUR),
    Family(monday_after_weekend, incident=False, clock=0.0),
    Family(month_end, incident=False, clock=0.0),
)
