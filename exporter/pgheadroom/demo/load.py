"""Plays a load on the embedded server, so that there is something to watch.

A script is a plan, a pure function of time that says how many connections each application wants,
and what each application does with a connection it has. `play` converges to the plan.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, Protocol

import psycopg
import structlog

from pgheadroom.demo.pooler import PORT as POOLER_PORT
from pgheadroom.demo.server import APPLICATION_ROLE, DATABASE, LIMITED_ROLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pgheadroom.demo.pooler import PoolerPlan
    from pgheadroom.demo.server import EmbeddedServer

CHECKOUT = "checkout-api"
REPORTS = "report-worker"
CLEANER = "session-cleaner"

_BEAT_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_CONNECT_TIMEOUT_SECONDS = 5
_CLEANER_EVERY_SECONDS = 1.6
_CLEANER_STAYS_SECONDS = 0.9

log: structlog.stdlib.BoundLogger = structlog.get_logger("pgheadroom.demo.load")


class Wanted(Protocol):
    """The plan of a script."""

    def __call__(self, seconds: float, *, seed: int) -> Mapping[str, int]:
        """Return how many connections each application wants *seconds* into the play."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One connection at the moment its application does something with it."""

    connection: psycopg.AsyncConnection
    chance: Random
    leaving: asyncio.Event

    async def pause(self, seconds: float) -> None:
        """Do nothing for *seconds*, or until the connection is no longer wanted."""
        await _pause(self.leaving, seconds)


@dataclass(frozen=True, slots=True)
class Application:
    """A named client: its role, and what it does again and again while connected."""

    name: str
    """By which the plan knows it."""
    role: str
    habit: Callable[[Turn], Awaitable[None]]
    entry: str = ""
    """The pooler's database that it logs in to; empty for the server itself."""
    shown: str = ""
    """As what it logs in, where several in the plan are one application."""


@dataclass(frozen=True, slots=True)
class Act:
    """What happens at a moment of a play, in words for who watches."""

    seconds: float
    words: str


@dataclass(frozen=True, slots=True)
class Script:
    """A load that can be played."""

    name: str
    wanted: Wanted
    applications: tuple[Application, ...]
    max_connections: int = 40
    """How many slots the server should have that it is played on."""
    round_seconds: float = 0.0
    """When it starts again; 0 if it just goes on."""
    acts: tuple[Act, ...] = ()
    """What happens in a round."""
    pooler: PoolerPlan | None = None
    """The PgBouncer that the script needs in front of the server."""


def calm(seconds: float, *, seed: int) -> Mapping[str, int]:
    """Return the plan of a healthy day: never more than 19 connections, never the same for long.

    >>> calm(15.0, seed=1) == calm(15.0, seed=1)
    True
    """
    # A pool that breathes once a minute between 4 and 12, and fidgets every other second.
    fidget = _chance(seed, CHECKOUT, seconds // 2).randint(-1, 1)
    checkout = 8 + round(3 * math.sin(math.tau * seconds / 60)) + fidget
    # A queue that fills every 40 seconds: a worker a second until there are enough, then fewer.
    into_the_burst = seconds % 40 - 5
    workers = _chance(seed, REPORTS, seconds // 40).randint(3, 6)
    reports = math.ceil(min(into_the_burst, workers, (25 - into_the_burst) / 2))
    # One short connection after another.
    cleaner = seconds % _CLEANER_EVERY_SECONDS < _CLEANER_STAYS_SECONDS
    return {CHECKOUT: checkout, REPORTS: max(reports, 0), CLEANER: int(cleaner)}


async def _serve_a_checkout(turn: Turn) -> None:
    """Mostly wait for a customer; now and then query, or think inside a transaction."""
    match turn.chance.choices(("query", "think", "wait"), weights=(5, 3, 12)):
        case ["query"]:
            await turn.connection.execute("SELECT pg_sleep(%s)", [turn.chance.uniform(0.1, 0.8)])
        case ["think"]:
            await turn.connection.execute("BEGIN")
            await turn.connection.execute("SELECT 1")
            await turn.pause(turn.chance.uniform(0.3, 1.2))
            await turn.connection.execute("COMMIT")
        case _:
            await turn.pause(turn.chance.uniform(0.4, 1.6))


async def _compute_a_report(turn: Turn) -> None:
    """Keep the server busy, with short breaths."""
    await turn.connection.execute("SELECT pg_sleep(%s)", [turn.chance.uniform(0.3, 0.9)])
    await turn.pause(turn.chance.uniform(0.1, 0.4))


async def _clean_up(turn: Turn) -> None:
    """Ask one quick thing and stay until told to leave, which is soon."""
    await turn.connection.execute("SELECT pg_catalog.count(*) FROM pg_catalog.pg_class")
    await turn.leaving.wait()


CALM = Script(
    "calm",
    calm,
    (
        Application(CHECKOUT, APPLICATION_ROLE, _serve_a_checkout),
        Application(REPORTS, LIMITED_ROLE, _compute_a_report),
        Application(CLEANER, APPLICATION_ROLE, _clean_up),
    ),
)


async def play(
    server: EmbeddedServer, *, seed: int = 0, script: Script = CALM, speed: float = 1.0
) -> None:
    """Play *script* on *server* until cancelled, or until the server is gone.

    Its plan is followed *speed* times as fast as it is written; habits keep their pace. Every
    connection is closed on the way out. Refusals and lost connections are part of the play; a habit
    that fails for any other reason ends it with that error.
    """
    clock = asyncio.get_running_loop().time
    started_at = clock()
    # One event for every connection that is held or sought; setting it sends that one home.
    connections: dict[str, list[asyncio.Event]] = {each.name: [] for each in script.applications}
    opened = 0
    async with asyncio.TaskGroup() as sessions:
        while server.running:
            targets = script.wanted((clock() - started_at) * speed, seed=seed)
            for application in script.applications:
                holding = connections[application.name]
                while len(holding) > targets[application.name]:
                    holding.pop(0).set()
                while len(holding) < targets[application.name]:
                    leaving = asyncio.Event()
                    chance = _chance(seed, application.name, opened)
                    sessions.create_task(_keep(server, application, leaving, chance))
                    holding.append(leaving)
                    opened += 1
            await asyncio.sleep(_BEAT_SECONDS)
        log.warning("demo ends: the embedded server is gone", script=script.name)
        for leaving in chain.from_iterable(connections.values()):
            leaving.set()


async def _keep(
    server: EmbeddedServer, application: Application, leaving: asyncio.Event, chance: Random
) -> None:
    """Hold a connection and use it until it is to leave; replace it when it is lost."""
    connect = partial(
        psycopg.AsyncConnection.connect,
        server.dsn(
            application.role,
            application.shown or application.name,
            application.entry or DATABASE,
            POOLER_PORT if application.entry else None,
        ),
        autocommit=True,
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        # A statement that was prepared is another session's, behind a pooler.
        prepare_threshold=None,
    )
    while not leaving.is_set():
        try:
            async with await connect() as connection:
                turn = Turn(connection, chance, leaving)
                while not leaving.is_set():
                    await application.habit(turn)
        # What a server does to a session, by refusing or ending it; mistakes in a habit's SQL are
        # other classes. InternalError is the idle-in-transaction timeout.
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as error:
            log.debug("demo session lost", application_name=application.name, error=str(error))
            await _pause(leaving, _RETRY_SECONDS)


async def _pause(leaving: asyncio.Event, seconds: float) -> None:
    """Return after *seconds*, or as soon as *leaving* is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await leaving.wait()


def _chance(seed: int, name: str, turn: float) -> Random:
    """Return the same dice for the same arguments, in every process."""
    return Random(f"{seed} {name} {turn}")  # noqa: S311  a load to look at, not a secret
