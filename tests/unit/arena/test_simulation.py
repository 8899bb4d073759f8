"""Tests the simulated pools, services and server of the arena."""

from random import Random

from benchmarks.arena.chance import binomial, peak, poisson
from benchmarks.arena.pool import PoolSettings, fixed, never_shrinks, on_demand
from benchmarks.arena.rhythm import DAY, HOUR, office, steady
from benchmarks.arena.server import Desk, Limits, Server
from benchmarks.arena.service import Service
from hypothesis import given
from hypothesis import strategies as st

ROOMY = Limits(1000)


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same draws each time


def service(settings: PoolSettings, rate: float, seconds: float, limits: Limits) -> Service:
    desk = Desk(Server(limits))
    return Service("api", settings, steady(rate), steady(seconds), desk, chance(1))


def test_as_many_are_busy_as_arrive_while_one_is_served() -> None:
    for seconds, step in ((0.02, 1.0), (0.5, 1.0), (20.0, 5.0), (0.5, 60.0)):
        one = service(on_demand(200), 10.0 / seconds, seconds, ROOMY)
        one.start(0.0)
        seen = []
        for number in range(1500):
            one.live(number * step, step)
            seen.append(one.busy)
        late = seen[300:]
        assert 9.0 < sum(late) / len(late) < 11.0, (seconds, step)


def test_commits_are_the_requests_that_ended() -> None:
    one = service(on_demand(200), 50.0, 0.1, ROOMY)
    one.start(0.0)
    for second in range(1000):
        one.live(float(second), 1.0)
    assert 49_000 < one.server.commits < 51_000


def test_a_fixed_pool_is_full_and_renews_its_connections() -> None:
    one = service(fixed(5, lifetime_seconds=1800.0), 1.0, 0.01, ROOMY)
    one.start(0.0, 2)
    for now in range(0, 6800, 10):
        one.live(float(now), 10.0)
    assert one.desk.held == 10
    assert one.server.opened == 10 * 4
    assert one.desk.younger(6800.0)[2] == 10


def test_a_pool_on_demand_gives_back_what_idles_and_prismas_does_not() -> None:
    for settings, kept in ((on_demand(50, idle_seconds=60.0), False), (never_shrinks(50), True)):
        one = service(settings, 300.0, 0.1, ROOMY)
        one.start(0.0)
        for second in range(60):
            one.live(float(second), 1.0)
        busy = one.desk.held
        assert busy > 25
        one.rate = steady(1.0)
        for second in range(60, 300):
            one.live(float(second), 1.0)
        assert (one.desk.held == busy) is kept
        assert kept or one.desk.held < 10


def test_a_server_lets_nobody_in_above_its_slots_and_notes_the_first_refusal() -> None:
    one = service(fixed(10), 1.0, 0.01, Limits(20, 3))
    one.start(0.0)
    one.live(2.0, 1.0)
    assert one.server.refused_at is None
    one.start(10.0)
    one.live(12.0, 1.0)
    assert one.server.refused_at == 12.0
    assert one.server.used == one.desk.held == 17
    one.stop(13.0, 1)
    one.live(14.0, 1.0)
    assert one.server.used == 10


def test_requests_behind_a_lock_keep_their_connections_until_it_is_released() -> None:
    one = service(on_demand(100), 20.0, 0.01, ROOMY)
    one.start(0.0)
    one.live(0.0, 1.0)
    one.locked = steady(0.5)
    for second in range(1, 6):
        one.live(float(second), 1.0)
    assert 25 < one.blocked < 75
    assert one.desk.held >= one.blocked
    one.locked = steady(0.0)
    for second in range(6, 30):
        one.live(float(second), 1.0)
    assert one.blocked == 0


@given(st.integers(0, 200), st.floats(0, 1), st.integers(0, 2**32))
def test_a_binomial_draw_is_within_its_range(number: int, share: float, seed: int) -> None:
    assert 0 <= binomial(chance(seed), number, share) <= number


def test_draws_have_their_means() -> None:
    rng = chance(5)
    for mean in (0.3, 4.0, 29.0, 80.0):
        draws = [poisson(rng, mean) for _ in range(4000)]
        assert abs(sum(draws) / len(draws) - mean) < 0.05 * mean + 0.05
        drawn = [binomial(rng, 120, mean / 120) for _ in range(4000)]
        assert abs(sum(drawn) / len(drawn) - mean) < 0.05 * mean + 0.05
        assert sum(peak(rng, mean, 100.0) for _ in range(400)) / 400 > mean


def test_a_day_at_the_office_peaks_by_day_and_weekends_are_calm() -> None:
    load = office(chance(1), 0.1, 1.0, weekend=0.2)
    for day in range(14):
        most = max(load(day * DAY + minute * 60) for minute in range(1440))
        assert (most > 0.9) is (day % 7 < 5)
        assert load(day * DAY + 3 * HOUR) < 0.15
