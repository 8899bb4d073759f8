"""Stories of what runs by the clock: cron jobs that no longer end, exports, batches, backups."""

from __future__ import annotations

from benchmarks.arena.fleet import background, elastic_service, fixed_service, follows
from benchmarks.arena.pool import PoolSettings, on_demand
from benchmarks.arena.rhythm import DAY, HOUR, MINUTE, office, steady
from benchmarks.arena.service import Service
from benchmarks.arena.story import Act, Family, Phase, Plan, Scene


def cron_without_end(scene: Scene) -> Plan:
    """A job that starts every few minutes begins to hang: each run leaves connections behind."""
    rng = scene.rng
    background(scene, rng.uniform(0.3, 0.5))
    every = rng.choice((1.0, 2.0, 5.0, 5.0, 10.0, 15.0)) * MINUTE
    each = max(1, round(scene.slots * rng.uniform(0.01, 0.05)))
    job = scene.service("sync-job", PoolSettings(each, each, fill_seconds=1.0), steady(1.0), 0.5)
    first = scene.begin + every * rng.random()
    well = max(4, int(2 * HOUR / every))
    takes = min(0.6 * every, rng.uniform(10, 60))
    missing = scene.slots - scene.server.used
    runs = well + missing // each + 4
    for number in range(runs):
        begins = first + number * every
        scene.at(begins, job.start)
        if number < well:
            scene.at(begins + takes * rng.uniform(0.8, 1.2), job.stop)
    onset = first + well * every
    step = 2 if every <= 5 * MINUTE else 5
    return Plan((Phase(onset, 10), Phase(first + runs * every, step)), onset=onset)


def known_nightly_job(scene: Scene) -> Plan:
    """A job comes close to the limit each night; the sixth night is like the five before."""
    rng = scene.rng
    begin = scene.begin
    load = office(rng, 0.1, 1.0)
    slots = 0.4 * scene.slots
    elastic_service(scene, "web", slots, follows(load, 1.0, slots, 4, 0.03), 4)
    fixed_service(scene, "worker", 0.1 * scene.slots)
    top = rng.uniform(0.8, 0.88) * scene.slots
    base = 0.1 * scene.slots + 0.1 * slots + 3
    workers = max(2, round(top - base))
    job = scene.service("nightly", PoolSettings(1, 1), steady(workers * 2.0), 0.4)
    rise, starts = rng.choice((20.0, 120.0, 600.0)), rng.uniform(1.0, 4.5) * HOUR
    lasts = rng.uniform(15, 50) * MINUTE
    for day in range(1, 8):
        begins = day * DAY + starts + rng.uniform(0, 4) * MINUTE
        for number in range(workers):
            scene.at(begins + rise * number / workers, job.start)
            scene.at(begins + lasts + rng.random() * 60, job.stop)
    story = 6 * DAY + starts
    return Plan((Phase(story - 600, 90), Phase(story + lasts + 900, 1), Phase(begin + 7 * DAY, 90)))


def saw_teeth(scene: Scene) -> Plan:
    """A batch opens a connection for each of its parts, and closes them all; again and again."""
    rng = scene.rng
    background(scene, rng.uniform(0.2, 0.3))
    top = rng.uniform(0.35, 0.52) * scene.slots
    period = rng.uniform(4, 40) * MINUTE
    climbs = rng.uniform(0.3, 0.8) * period
    batch = scene.service("batch", PoolSettings(1, 1), steady(0.7 * top / 0.3), 0.3)
    end = scene.begin + 7 * HOUR
    begins = scene.begin + rng.random() * period
    while begins < end:
        parts = max(1, round(top * rng.uniform(0.9, 1.0)))
        for number in range(parts):
            scene.at(begins + climbs * number / parts, batch.start)
        scene.at(begins + climbs + 5, _stop_all(batch))
        begins += period * rng.uniform(0.97, 1.03)
    return Plan((Phase(end, 4),))


def export_fan_out(scene: Scene) -> Plan:
    """A nightly export reads many tables at once; each reader leaves when its table is done."""
    rng = scene.rng
    background(scene, rng.uniform(0.2, 0.35))
    readers = round(rng.uniform(0.72, 0.86) * scene.slots - scene.server.used)
    begins = scene.begin + rng.uniform(1, 4) * HOUR
    export = scene.service("export", PoolSettings(1, 1), steady(readers * 3.0), 0.5)
    within = rng.uniform(0.5, 20)
    longest = rng.uniform(5, 60) * MINUTE
    for _ in range(readers):
        scene.at(begins + rng.random() * within, export.start)
        scene.at(begins + within + longest * rng.random() ** 2, export.stop)
    visitors = scene.service("php", on_demand(scene.slots // 20, 0.0), steady(20.0), 0.03)
    visitors.session_each = True
    scene.settled(visitors, 1, 0)
    return Plan((Phase(begins - 60, 10), Phase(begins + 900, 1), Phase(begins + 7 * HOUR, 10)))


def _stop_all(service: Service) -> Act:
    def stop(now: float) -> None:
        service.stop(now, len(service.pods))

    return stop


FAMILIES = (
    Family(cron_without_end, incident=True, first_day=True, clock=8 * HOUR),
    Family(known_nightly_job, incident=False, clock=12 * HOUR),
    Family(saw_teeth, incident=False, first_day=True, clock=10 * HOUR),
    Family(export_fan_out, incident=False, first_day=True, clock=20 * HOUR),
)
