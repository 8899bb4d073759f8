"""Tests what is remembered of a pooler's queues."""

from pgheadroom.forecast.queues import Queues, followed
from pgheadroom.model.capacity import Capacity, CapacityKind, Scope

SHOP = Scope(CapacityKind.POOL, ("shop", "app"))


def pool(waiting: int, longest: float, scope: Scope = SHOP) -> Capacity:
    return Capacity(scope, 20, 20, waiting=waiting, longest_wait_seconds=longest)


def after(points: list[tuple[float, int, float]]) -> Queues:
    queues: Queues = {}
    for at, waiting, longest in points:
        queues = followed(queues, [pool(waiting, longest)], at)
    return queues


def test_a_queue_begins_with_the_first_that_waits_and_ends_with_the_last() -> None:
    assert after([(0.0, 0, 0.0)]) == {}
    queue = after([(0.0, 0, 0.0), (1.0, 3, 0.5), (2.0, 4, 1.5)])[SHOP]
    assert (queue.since, queue.newest.clients, queue.newest.longest_seconds) == (1.0, 4, 1.5)
    assert after([(1.0, 3, 0.5), (2.0, 0, 0.0)]) == {}


def test_a_minute_is_kept_of_it() -> None:
    queue = after([(float(n), 2, float(n)) for n in range(200)])[SHOP]
    assert queue.since == 0.0
    assert len(queue.points) == 61
    assert queue.before(15.0).at == 184.0
    assert queue.before(1000.0).at == 139.0


def test_of_very_many_queues_the_longest_are_followed() -> None:
    pools = [pool(n + 1, 1.0, Scope(CapacityKind.POOL, (f"db{n}", "app"))) for n in range(1000)]
    queues = followed({}, pools, 1.0)
    assert len(queues) == 200
    assert min(queue.newest.clients for queue in queues.values()) == 801


def test_a_clock_that_was_set_back_forgets_what_is_ahead() -> None:
    queue = after([(100.0, 2, 1.0), (50.0, 2, 2.0)])[SHOP]
    assert [point.at for point in queue.points] == [50.0]
