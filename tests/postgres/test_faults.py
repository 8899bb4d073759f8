"""Tests sampling when the server is killed, restarted, frozen or taken away."""

import asyncio
import time
from itertools import pairwise

import pytest
from structlog.testing import capture_logs
from tests.postgres.conftest import Watch, Watcher
from tests.support.servers.clients import Clients
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import auntil

from pgheadroom.model.reading import Failure, Outcome
from pgheadroom.model.slots import Tier
from pgheadroom.status.figures import free_for

OURS = "select count(*) from pg_stat_activity where application_name = 'pgheadroom'"


async def until_condition(watched: Watch, outcome: Outcome, seconds: float = 10.0) -> None:
    async def reached() -> bool:
        return (await watched.sample()).outcome is outcome

    await auntil(reached, seconds, f"state {outcome}")


async def test_killed_and_started_again(pg: Postgres, watch: Watcher) -> None:
    """The last use and the limits stay, and the first reading of the new server is a sample."""
    watched = watch(pg.dsn())
    before = await watched.sample()
    pg.kill()
    state = await watched.sample()
    assert state.outcome is Outcome.UNREACHABLE
    assert state.sample is before.sample
    assert state.knocks.newest is not None
    assert state.knocks.newest.outcome is Outcome.UNREACHABLE, (
        "a lost connection is followed by a knock"
    )
    pg.start()
    state = await watched.sample()
    assert state.outcome is Outcome.OK
    assert state.sample is not before.sample
    assert state.knocks.newest is not None
    assert state.knocks.newest.outcome is Outcome.OK, "once we are in again, another one is sent"


async def test_restarted_with_other_limits(pg: Postgres, watch: Watcher) -> None:
    """A restart between two readings leaves no gap, and the new limits count at once."""
    watched = watch(pg.dsn())
    await watched.sample()
    pg.restart(max_connections=30, superuser_reserved_connections=5)
    state = await watched.sample()
    assert state.outcome is Outcome.OK
    assert state.sample is not None
    assert state.sample.postgres.slots.limits.max_connections == 30
    assert free_for(state, Tier.SUPERUSER) == 29


async def test_restarted_while_everybody_comes_back(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """The others are quicker: we are refused, know why, and get in when one leaves."""
    watched = watch(pg.dsn())
    await watched.sample()
    pg.restart()
    sessions, refused = clients.fill(pg.tcp)
    assert refused is not None
    state = await watched.sample()
    assert state.outcome is Outcome.FULL
    assert state.sample is not None
    assert state.sample.postgres.slots.limits.max_connections == 20
    assert [free_for(state, tier) for tier in Tier] == [0, 0, 0]
    sessions[0].close()
    await until_condition(watched, Outcome.OK)


async def test_frozen(pg: Postgres, watch: Watcher) -> None:
    """A frozen server holds nobody up longer than the deadline, and is read when it thaws."""
    watched = watch(pg.dsn(), read_timeout_seconds=1.0, connect_timeout_seconds=1.0)
    await watched.sample()
    pg.pause()
    began = time.monotonic()
    reading = await watched.session.read()
    assert 1.0 <= time.monotonic() - began < 2
    assert isinstance(reading, Failure)
    assert reading.outcome is Outcome.TIMEOUT
    assert (await watched.sample()).outcome is Outcome.TIMEOUT
    pg.resume()
    await until_condition(watched, Outcome.OK)


async def test_a_frozen_server_does_not_delay_another(pg: Postgres, watch: Watcher) -> None:
    frozen, fine = watch(pg.dsn(), read_timeout_seconds=2.0), watch(pg.dsn())
    await frozen.sample()
    pg.pause()
    reading = asyncio.create_task(frozen.sample())
    late = [await lateness() for _ in range(20)]
    assert max(late) < 0.5, "a quarter of the time that the reading hangs"
    assert not reading.done()
    pg.resume()
    await reading
    assert (await fine.sample()).outcome is Outcome.OK


async def lateness() -> float:
    """Return by how much a wait of 50 ms took longer than that."""
    began = time.monotonic()
    await asyncio.sleep(0.05)  # what is measured, not a way to wait for something
    return time.monotonic() - began - 0.05


async def test_terminated_again_and_again(pg: Postgres, watch: Watcher) -> None:
    """Each time the connection is replaced within the same reading, and never doubled."""
    watched = watch(pg.dsn())
    await watched.sample()
    for _ in range(5):
        pg.sql(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where application_name = 'pgheadroom'"
        )
        state = await watched.sample()
        assert state.outcome is Outcome.OK
        assert pg.sql(OURS) == [("1",)]
    assert not state.failures


async def test_a_session_that_is_ended_again_and_again_is_told(
    pg: Postgres, watch: Watcher
) -> None:
    watched = watch(pg.dsn())
    with capture_logs() as log:
        await watched.sample()
        for _ in range(5):
            pg.sql(f"select pg_terminate_backend({watched.backend_pid}, 5000)")
            assert (await watched.sample()).outcome is Outcome.OK
    told = [(line["log_level"], line["event"]) for line in log if "ended" in line["event"]]
    assert told == [("info", "session ended"), ("warning", "session ended again and again")]
    reasons = [line["reason"] for line in log if "ended" in line["event"]]
    assert reasons == ["terminating connection due to administrator command (SQLSTATE 57P01)"] * 2


async def test_the_servers_idle_session_timeout_does_not_end_ours(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Our session is idle from one reading to the next, on purpose."""
    watched = watch(pg.dsn())
    await watched.sample()
    pg.sql("create role watcher login in role pg_monitor")
    pg.sql("alter role watcher set idle_session_timeout = 1000")
    others = watch(pg.dsn(user="watcher"))
    await others.sample()
    pg.reload(idle_session_timeout=200)
    pids = watched.backend_pid, others.backend_pid
    idle = clients.admitted(pg.tcp)
    slower = clients.admitted(pg.tcp, user="watcher")
    ended = {idle.pid, slower.pid}
    await auntil(lambda: not ended & set(pg.client_pids()), 10, "end of the idle sessions")
    for one in (watched, others):
        assert (await one.sample()).outcome is Outcome.OK
    assert (watched.backend_pid, others.backend_pid) == pids


async def test_never_more_than_one_connection(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """Through refusals and retries, the server never holds two of ours."""
    watched = watch(pg.dsn())
    most = 0
    for round_ in range(30):
        if round_ % 10 == 5:
            pg.disconnect_everybody()
        elif round_ % 10 == 7:
            clients.fill(pg.tcp)
            watched.close()
        elif round_ % 10 == 8:
            clients.close()
        await watched.sample()
        counted = clients.connect(pg.unix)
        if isinstance(counted, Session):
            most = max(most, int(counted.query(OURS)[0][0] or 0))
            counted.close()
    assert most == 1


async def test_a_locked_catalog_costs_a_reading_and_no_more(
    pg: Postgres, clients: Clients, watch: Watcher
) -> None:
    """The statement times out on the server before we do, so the session survives."""
    watched = watch(pg.dsn(), read_timeout_seconds=1.0)
    await watched.sample()
    pid = watched.backend_pid
    locker = clients.admitted(pg.tcp)
    locker.query("begin; lock table pg_catalog.pg_database in access exclusive mode")
    state = await watched.sample()
    assert state.outcome is Outcome.TIMEOUT
    locker.query("rollback")
    assert (await watched.sample()).outcome is Outcome.OK
    assert watched.backend_pid == pid


async def test_back_off_grows_and_a_knock_follows_the_first_loss_only(
    pg: Postgres, watch: Watcher
) -> None:
    watched = watch(pg.dsn(), backoff_first_seconds=0.2, backoff_longest_seconds=1.0)
    await watched.sample()
    pg.stop()
    attempts: list[float] = []
    failures = 0

    async def four_attempts() -> bool:
        nonlocal failures
        state = await watched.sample()
        count = sum(state.failures.values())
        if count > failures:
            failures = count
            attempts.append(time.monotonic())
        return len(attempts) == 5

    await auntil(four_attempts, 10, "fifth attempt")
    pauses = [later - earlier for earlier, later in pairwise(attempts)]
    assert pauses[0] >= 0.15
    assert pauses[2] > pauses[0]
    assert max(pauses) < 1.2
    assert sum(watched.state.knocks.failures.values()) == 1


async def test_what_was_prepared_may_be_lost(pg: Postgres, watch: Watcher) -> None:
    """By a pooler that does not show, say: then statements are sent whole; nothing is missed."""
    watched = watch(pg.dsn())
    await watched.sample()
    pid = watched.backend_pid
    await watched.lose_prepared()
    for _ in range(3):
        assert (await watched.sample()).outcome is Outcome.OK
        await watched.lose_prepared()
    assert watched.backend_pid == pid
    assert not watched.state.failures


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_after_a_stop_the_state_says_what_is_left(
    pg: Postgres, watch: Watcher, mode: str
) -> None:
    watched = watch(pg.dsn())
    await watched.sample()
    pg.stop("fast" if mode == "fast" else "immediate")
    await until_condition(watched, Outcome.UNREACHABLE)
    assert watched.state.free is not None


async def test_a_login_that_hangs_is_not_repeated(pg: Postgres, watch: Watcher) -> None:
    """A frozen server that thaws finds one login of ours, however long it took, then a knock."""
    watched = watch(pg.dsn(), connect_timeout_seconds=0.2, read_timeout_seconds=0.2)
    start = pg.log.size()
    pg.reload(log_connections="on")
    pg.pause()
    for _ in range(5):
        assert (await watched.sample()).outcome is Outcome.TIMEOUT
        knocked = (await watched.knock()).knocks.newest
        assert knocked is not None
        assert knocked.outcome is Outcome.TIMEOUT
    pg.resume()
    await until_condition(watched, Outcome.OK)
    assert pg.log.read(start).count("connection received: host=127.0.0.1") == 2
