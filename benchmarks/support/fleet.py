"""Defines the targets of a soak, and which of them are in trouble at any time.

A few real servers with many targets each, which differ by role. Steady targets lead to servers that
are left alone; the session of one target at a time is terminated again and again; one small server
after another, with two targets each, goes through the troubles; and two targets can never be
reached.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres

from benchmarks.support.figures import say
from benchmarks.support.troubles import TROUBLES, terminating

_STEADY_SERVERS: Final = 2
_VICTIMS: Final = 4
_TARGETS_OF_A_SMALL_SERVER: Final = 2
_SPARE_SLOTS: Final = 20
_SMALL_SLOTS: Final = 12


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble that was had."""

    name: str
    targets: tuple[str, ...]
    ended: float
    """When all was well again, in seconds since the epoch."""


@dataclass(slots=True)
class Fleet:
    """The servers, and the connection strings that lead to them."""

    steady: list[Postgres]
    small: list[Postgres]
    dsns: dict[str, str] = field(default_factory=dict)
    healthy: list[str] = field(default_factory=list)
    """Targets that nothing happens to."""
    victims: list[tuple[str, Postgres]] = field(default_factory=list)
    """Targets, also roles, whose sessions are terminated by turns, and where they are."""
    troubles: list[Trouble] = field(default_factory=list)


@contextlib.contextmanager
def fleet(home: Path, targets: int) -> Iterator[Fleet]:
    """Run the servers of *home* that so many targets need."""
    small = max(2, targets // 10)
    healthy = targets - small * _TARGETS_OF_A_SMALL_SERVER - _VICTIMS - 2
    slots = (healthy + _VICTIMS) // _STEADY_SERVERS + _SPARE_SLOTS
    with ExitStack() as stack:

        def start(most: int) -> Postgres:
            return stack.enter_context(Postgres(home, max_connections=most))

        made = Fleet(
            [start(slots) for _ in range(_STEADY_SERVERS)],
            [start(_SMALL_SLOTS) for _ in range(small)],
        )
        for server in made.small:
            server.sql("create role shop login")
        for number in range(healthy + _VICTIMS):
            name, server = f"t{number:02}", made.steady[number % _STEADY_SERVERS]
            _add(made, name, server)
            if number < healthy:
                made.healthy.append(name)
            else:
                made.victims.append((name, server))
        for number, server in enumerate(made.small):
            for letter in "ab"[:_TARGETS_OF_A_SMALL_SERVER]:
                _add(made, f"small{number}{letter}", server)
        made.dsns["port"] = f"host=127.0.0.1 port={free_port()} user=t00"
        made.dsns["dns"] = "host=nowhere.invalid user=t00"
        yield made


def _add(made: Fleet, name: str, server: Postgres) -> None:
    server.sql(f"create role {name} login in role pg_monitor")
    made.dsns[name] = server.dsn(user=name, sslmode="disable")


def trouble(made: Fleet, seconds: float, stop: threading.Event) -> None:
    """Have one small server after another in trouble for so long each, until *stop* is set.

    The next one's trouble begins when the former one's has ended.
    """
    turn = 0
    while not stop.is_set():
        place, rounds = turn % len(made.small), turn // len(made.small)
        kind = TROUBLES[(place + rounds) % len(TROUBLES)]
        victim, where = made.victims[turn % len(made.victims)]
        say(f"  small{place}: {kind.__name__}; sessions of {victim}: terminated")
        with kind(made.small[place]), terminating(where, victim):
            stop.wait(seconds)
        names = tuple(f"small{place}{letter}" for letter in "ab")
        made.troubles.append(Trouble(kind.__name__, names, time.time()))
        turn += 1
