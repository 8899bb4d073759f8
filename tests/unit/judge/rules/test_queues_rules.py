"""Tests when a pooler's queue pages, when a pause warns, and what is said of it."""

from collections.abc import Callable, Sequence

import pytest
from tests.support.readings import POLICY, pooler_sample

from pgheadroom.model.alert import Alert, AlertName
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.pooler import Database, Pool, PoolerConfig
from pgheadroom.model.reading import Failure, Group, Outcome
from pgheadroom.state import State
from pgheadroom.status.advice import to_do
from pgheadroom.status.standing import Standing, standing
from pgheadroom.step import step

START = 1_000_000.0
PATIENCE = 30.0

Course = Callable[[float], tuple[int, float]]
"""How many wait, and for how long the oldest does, so many seconds after the start."""


def fresh() -> State:
    return State("pool").of(Identity("pooler", TargetKind.PGBOUNCER))


def after(
    course: Course, seconds: int, state: State | None = None, config: PoolerConfig | None = None
) -> State:
    """Return the state after a sample a second of a pool whose queue goes as *course* says."""
    state = state or fresh()
    begin = START if state.sample is None else state.sample.at + 1
    for second in range(seconds):
        waiting, longest = course(float(second))
        pool = Pool(
            "shop",
            "app",
            waiting=waiting,
            wait_seconds=longest,
            servers=(("active", 20),),
            size=20,
        )
        groups = (Group("web-1", "waiting", waiting, None), Group("jobs", "active", 20, None))
        found = pooler_sample(begin + second, pools=(pool,), groups=groups, config=config)
        state = step(state, found, POLICY)
    return state


def firing(state: State, name: AlertName = AlertName.QUEUE) -> Alert | None:
    return next((alert for alert in state.alerts if alert.name is name), None)


def first_page(course: Course, within: int) -> int | None:
    """Return the second at which the queue pages; None if it does not *within* so many."""
    state = fresh()
    for second in range(within):
        at = float(second)
        state = after(lambda _, at=at: course(at), 1, state)  # type: ignore[misc]
        if firing(state):
            return second
    return None


def stuck(second: float) -> tuple[int, float]:
    """Nobody is served, and two more come each second."""
    return int(2 + 2 * second), second


def overload(second: float) -> tuple[int, float]:
    """More come than leave: the wait grows by a tenth of a second each second."""
    return int(2 + 10 * second), 0.1 * second


def burst(second: float) -> tuple[int, float]:
    """Ninety come at once; five a second are served, the last after 18 seconds."""
    return max(0, int(90 - 5 * second)), min(second, 18.0)


def stands(second: float) -> tuple[int, float]:
    """As many leave as come: thirty clients share twenty connections, and nobody waits long."""
    del second
    return 10, 0.3


def closed_loop(second: float) -> tuple[int, float]:
    """Twenty clients, one connection, half a second each: the wait grows at first, then stands."""
    return 19, min(second, 9.4)


def long_burst(second: float) -> tuple[int, float]:
    """Ninety come at once, two a second are served: the last waits for 45 seconds."""
    return max(0, int(90 - 2 * second)), min(second, 45.0)


def alone(second: float) -> tuple[int, float]:
    """One waits for a long statement of its own application."""
    return 1, min(second, 45.0)


def test_a_queue_that_nobody_serves_pages_in_a_quarter_of_a_minute() -> None:
    assert first_page(stuck, 60) == 15


def test_a_queue_that_outgrows_its_pool_pages_before_anybody_is_thrown_out() -> None:
    second = first_page(overload, 600)
    assert second is not None
    assert 0.1 * second < PATIENCE
    assert PATIENCE - 0.1 * second <= 0.1 * 61


@pytest.mark.parametrize("course", [burst, long_burst, closed_loop, stands, alone])
def test_what_drains_or_stands_or_waits_alone_does_not_page(course: Course) -> None:
    assert first_page(course, 120) is None


def test_one_that_waits_alone_for_a_minute_pages() -> None:
    assert first_page(lambda second: (1, second), 120) == 60


def test_a_shorter_timeout_counts_in_place_of_our_patience() -> None:
    short = PoolerConfig(most_clients=100, size=20, wait_timeout_seconds=5.0)
    state = after(lambda second: (3, min(second, 5.0)), 10, config=short)
    assert firing(state)


@pytest.mark.parametrize(("timeout", "second"), [(40.0, 36), (20.0, 18), (5.0, None)])
def test_one_that_waits_alone_pages_before_it_is_thrown_out(
    timeout: float, second: int | None
) -> None:
    config = PoolerConfig(most_clients=100, size=20, wait_timeout_seconds=timeout)
    course = lambda at: (1, at)  # noqa: E731 - a course
    if second is None:  # it is told within seconds by its own error
        assert not firing(after(lambda at: (1, min(at, timeout)), 60, config=config))
        return
    assert not firing(after(course, second, config=config))
    assert firing(after(course, second + 1, config=config))


def test_it_is_over_when_nobody_waits_long() -> None:
    state = after(stuck, 60)
    assert firing(state)
    hold = int(state.thresholds.resolve_hold_seconds) + 2
    assert firing(after(lambda _: (5, 20.0), 30, state)), "still longer than half of it"
    assert firing(after(lambda _: (0, 0.0), hold, state)) is None


def test_the_words_say_what_it_is() -> None:
    alert = firing(after(stuck, 20))
    assert alert is not None
    assert alert.application_name == "web-*"
    assert alert.description == (
        "pool: 40 clients wait for a server connection of pool shop/app, the oldest for 19 s;"
        " nobody was served in the last 15 s; 10 waited 15 s ago. All 20 server connections are"
        " in use (pool_size 20). Clients are disconnected after 2 min (query_wait_timeout)."
    )


def words(
    servers: int, databases: Sequence[Database], config: PoolerConfig, *, paused: bool = False
) -> str:
    state = fresh()
    for second in range(20):
        pool = Pool(
            next(iter(databases)).name,
            "app",
            waiting=9,
            wait_seconds=float(second),
            servers=(("active", servers),),
            size=20,
        )
        found = pooler_sample(
            START + second,
            pools=(pool,),
            databases=tuple(databases),
            config=config,
            paused=paused,
        )
        state = step(state, found, POLICY)
    alert = firing(state)
    assert alert is not None
    return alert.description


USUAL = PoolerConfig(most_clients=100, size=20, wait_timeout_seconds=120.0)


@pytest.mark.parametrize(
    ("servers", "database", "config", "paused", "expected"),
    [
        (0, Database("shop"), USUAL, False, "the server does not let the pooler in"),
        (7, Database("shop"), USUAL, False, "It has 7 server connections, though pool_size is 20"),
        (20, Database("shop", paused=True), USUAL, False, "RESUME shop lets its clients go on"),
        (
            20,
            Database("my-db", paused=True),
            USUAL,
            False,
            'RESUME "my-db" lets its clients go on',
        ),
        (20, Database("shop"), USUAL, True, "The pooler is PAUSEd: RESUME lets clients go on"),
        (
            20,
            Database("shop"),
            USUAL._replace(wait_timeout_seconds=None),
            False,
            "Clients wait forever, because query_wait_timeout is 0.",
        ),
    ],
)
def test_the_words_say_why(
    servers: int,
    database: Database,
    config: PoolerConfig,
    paused: bool,  # noqa: FBT001 - a parameter of the table
    expected: str,
) -> None:
    assert expected in words(servers, [database], config, paused=paused)


def test_while_fewer_wait_somebody_is_served() -> None:
    config = PoolerConfig(most_clients=100, size=20, wait_timeout_seconds=50.0)
    alert = firing(after(lambda second: (90 - int(second), second), 60, config=config))
    assert alert is not None
    assert "nobody was served" not in alert.description


def test_a_queue_before_the_first_login_is_timed_by_us() -> None:
    """PgBouncer has clients wait then, and tells no time."""
    assert first_page(lambda _: (10, 0.0), 60) == 15


def test_of_an_exporter_nothing_is_said_of_the_timeout() -> None:
    unknown = PoolerConfig(most_clients=100, size=20, from_settings=True)
    alert = firing(after(stuck, 20, config=unknown))
    assert alert is not None
    assert "forever" not in alert.description


def test_many_queues_are_one_page() -> None:
    state = fresh()
    for second in range(20):
        pools = tuple(
            Pool(f"db{n}", "app", waiting=3 + n, wait_seconds=second + n, size=20)
            for n in range(12)
        )
        state = step(state, pooler_sample(START + second, pools=pools), POLICY)
    alert = firing(state)
    assert alert is not None
    assert "pool db11/app" in alert.description
    assert alert.description.endswith("11 more pools queue.")
    assert sum(one.name is AlertName.QUEUE for one in state.alerts) == 1


def test_who_waits_for_long_is_told_before_it_pages() -> None:
    """Never "all is well" beside clients that have waited for seconds."""
    state = after(stuck, 10)
    assert not state.alerts
    assert standing(state) is Standing.QUEUEING
    assert to_do(state).startswith("Clients wait at the pooler")
    assert standing(after(stands, 10)) is Standing.WELL


def test_a_queue_that_still_waits_is_no_recovery() -> None:
    """Its alert only waits to resolve, and the oldest client has waited for nine seconds."""
    state = after(stuck, 20)
    assert firing(state) is not None
    slower = after(lambda second: (19, min(9.4, 3.0 + second)), 40, state)
    assert standing(slower) is Standing.ALARMED
    assert standing(after(stands, 20, slower)) is Standing.RECOVERING


def test_a_forgotten_pause_warns_after_five_minutes_and_resolves() -> None:
    state = fresh()
    databases = (Database("shop", paused=True), Database("bill", disabled=True))
    for second in range(301):
        state = step(state, pooler_sample(START + second, databases=databases), POLICY)
        assert bool(firing(state, AlertName.PAUSED)) == (second >= 300)
    alert = firing(state, AlertName.PAUSED)
    assert alert is not None
    assert "paused or disabled: shop, bill" in alert.description
    for second in range(302, 604):
        state = step(state, pooler_sample(START + second), POLICY)
    assert firing(state, AlertName.PAUSED) is None


def test_places_for_clients_have_alerts_of_their_own() -> None:
    """The same judge as for slots, under other names; and none of a server's."""
    state = fresh()
    for second in range(120):
        used = min(100, 10 + second)
        groups = (Group("leak", "active", used, None),)
        found = pooler_sample(START + second, used=used, groups=groups)
        state = step(state, found, POLICY)
        if used == 99:
            alert = firing(state, AlertName.CLIENTS_IMMINENT)
            assert alert is not None
            assert "1 of 100 places for clients free" in alert.description
    names = {alert.name for alert in state.alerts}
    assert AlertName.CLIENTS_EXHAUSTED in names
    assert all(name.startswith("Pooler") for name in names)


def test_a_refusal_of_the_console_means_that_no_place_is_left() -> None:
    state = step(fresh(), Failure(START, Outcome.POOLER_FULL, "no more"), POLICY)
    assert state.free == 0
    alert = firing(state, AlertName.CLIENTS_EXHAUSTED)
    assert alert is not None
    assert alert.description.startswith("pool: no place for clients is free")
