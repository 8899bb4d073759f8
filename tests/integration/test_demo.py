"""Tests that the demo keeps its plan on a real server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest
from structlog.testing import capture_logs

from pgheadroom.demo.load import (
    CALM,
    CHECKOUT,
    CLEANER,
    REPORTS,
    Application,
    Script,
    Turn,
    calm,
    play,
)
from pgheadroom.demo.server import LIMITED_ROLE_CONNECTIONS, EmbeddedServer, embedded_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

DEADLINE_SECONDS = 30.0
STEADY = "steady"
ALL_DAY = [tenth / 10 for tenth in range(6000)]


def three(seconds: float, *, seed: int) -> Mapping[str, int]:
    """Want three connections, always."""
    del seconds, seed
    return {STEADY: 3}


async def knock(turn: Turn) -> None:
    """Use the connection a little, and often."""
    await turn.connection.execute("SELECT 1")
    await turn.pause(0.05)


STEADY_SCRIPT = Script(STEADY, three, (Application(STEADY, "shop", knock),))


@asynccontextmanager
async def playing(
    server: EmbeddedServer, script: Script = CALM
) -> AsyncIterator[psycopg.AsyncConnection]:
    """Play *script* on *server*, and give a superuser's connection to watch it with."""
    async with await psycopg.AsyncConnection.connect(
        server.dsn("postgres", "watcher"), autocommit=True
    ) as watcher:
        task = asyncio.create_task(play(server, seed=1, script=script))
        try:
            yield watcher
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def census(watcher: psycopg.AsyncConnection, column: str) -> Counter[str]:
    """Count the sessions of others by *column* of pg_stat_activity."""
    query = (
        f"SELECT {column}, count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"  # noqa: S608  a column's name
        " AND pid <> pg_backend_pid() AND application_name <> '' GROUP BY 1"
    )
    cursor = await watcher.execute(query.encode())
    return Counter(dict(await cursor.fetchall()))


async def until(
    watcher: psycopg.AsyncConnection, enough: Callable[[Counter[str]], bool]
) -> Counter[str]:
    """Count sessions by application until the counts are *enough*."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not enough(counts := await census(watcher, "application_name")):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.02)
        return counts


def test_the_plan_is_a_function_of_time_and_seed() -> None:
    """The same moment of the same play is always the same; another seed is another play."""
    assert [calm(t, seed=3) for t in ALL_DAY] == [calm(t, seed=3) for t in ALL_DAY]
    assert [calm(t, seed=3) for t in ALL_DAY] != [calm(t, seed=4) for t in ALL_DAY]


@pytest.mark.parametrize("seed", range(5))
def test_the_plan_stays_far_from_every_limit(seed: int) -> None:
    """A calm demo must not fire an alert."""
    plan = [calm(t, seed=seed) for t in ALL_DAY]
    assert max(sum(wanted.values()) for wanted in plan) <= 24
    assert {wanted[CHECKOUT] for wanted in plan} <= set(range(4, 13))
    assert {wanted[REPORTS] for wanted in plan} == set(range(7))
    assert max(wanted[REPORTS] for wanted in plan) < LIMITED_ROLE_CONNECTIONS
    assert {wanted[CLEANER] for wanted in plan} == {0, 1}


@pytest.mark.parametrize("seed", range(5))
def test_the_plan_never_stands_still(seed: int) -> None:
    """Whoever looks for two seconds sees a number change."""
    plan = [calm(t, seed=seed) for t in ALL_DAY]
    for start in range(len(plan) - 20):
        assert any(plan[start] != later for later in plan[start : start + 21])


async def test_every_application_is_seen_to_change() -> None:
    """What is planned is what pg_stat_activity shows, and nobody is refused."""
    seen: dict[str, set[int]] = {CHECKOUT: set(), REPORTS: set(), CLEANER: set()}
    states: set[str] = set()
    async with embedded_server() as server, playing(server) as watcher:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (
                all(len(counts) > 1 for counts in seen.values())
                and states >= {"active", "idle", "idle in transaction"}
            ):
                counts = await census(watcher, "application_name")
                assert counts.total() <= 24
                assert counts.keys() <= seen.keys()
                for name, numbers in seen.items():
                    numbers.add(counts[name])
                states |= (await census(watcher, "state")).keys()
                await asyncio.sleep(0.1)
        roles = await census(watcher, "usename")
        assert roles.keys() <= {"shop", "reports"}
        server_log = server.socket_directory.parent / "data" / "server.log"
        said = await asyncio.to_thread(server_log.read_bytes)
        assert b"too many" not in said
        assert b"remaining connection slots" not in said


async def test_a_cancelled_play_closes_every_connection() -> None:
    """Also those that were just being opened or were asleep in a query."""
    async with (
        embedded_server() as server,
        await psycopg.AsyncConnection.connect(
            server.dsn("postgres", "watcher"), autocommit=True
        ) as watcher,
    ):
        for seconds in (0.0, 0.005, 0.02, 0.1, 1.0):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(play(server, seed=2), seconds)
            await until(watcher, lambda counts: counts.total() == 0)


async def test_a_lost_connection_is_replaced() -> None:
    """A visitor who terminates sessions sees them come back."""
    async with embedded_server() as server, playing(server, STEADY_SCRIPT) as watcher:
        await until(watcher, lambda counts: counts[STEADY] == 3)
        cursor = await watcher.execute(
            "SELECT pid, pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = %s",
            [STEADY],
        )
        ended = await cursor.fetchall()
        assert [gone for _, gone in ended] == [True, True, True]
        await until(watcher, lambda counts: counts[STEADY] == 3)


async def test_a_refused_connection_is_tried_again() -> None:
    """A visitor who takes the slots does not end the demo."""
    async with (
        embedded_server() as server,
        await psycopg.AsyncConnection.connect(server.dsn("postgres"), autocommit=True) as owner,
    ):
        await owner.execute("ALTER ROLE shop CONNECTION LIMIT 1")
        async with playing(server, STEADY_SCRIPT) as watcher:
            await until(watcher, lambda counts: counts[STEADY] == 1)
            await owner.execute("ALTER ROLE shop CONNECTION LIMIT -1")
            await until(watcher, lambda counts: counts[STEADY] == 3)


async def test_it_ends_by_itself_and_says_so_once_when_the_server_goes() -> None:
    """A play on a server that is gone is over, and no error."""
    with capture_logs() as logs:
        async with embedded_server() as server:
            task = asyncio.create_task(play(server, seed=1))
            async with await psycopg.AsyncConnection.connect(
                server.dsn("postgres", "watcher"), autocommit=True
            ) as watcher:
                await until(watcher, lambda counts: counts[CHECKOUT] > 0)
            os.kill(server.pid, signal.SIGQUIT)
            await asyncio.wait_for(task, DEADLINE_SECONDS)
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [entry["event"] for entry in warnings] == ["demo ends: the embedded server is gone"]


async def test_a_mistake_in_a_script_is_not_hidden() -> None:
    """A habit that does not work ends the play with its error."""

    async def mistaken(turn: Turn) -> None:
        await turn.connection.execute("SELECT * FROM no_such_table")

    script = Script(STEADY, three, (Application(STEADY, "shop", mistaken),))
    async with embedded_server() as server:
        with pytest.raises(ExceptionGroup) as caught:
            await asyncio.wait_for(play(server, script=script), DEADLINE_SECONDS)
    assert caught.group_contains(psycopg.errors.UndefinedTable)
