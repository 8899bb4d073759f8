"""Logs in as an ordinary role, all the way, leaves at once, and reports how it went.

PostgreSQL checks its reserves and limits after it has judged the password (postinit.c), so nothing
less than a whole login tells what an application would be told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pgheadroom.model.reading import Failure, Outcome, Probe, ProbeKind, Sample
from pgheadroom.net.pending import Arrived, PendingByAddress
from pgheadroom.net.retry import Retry
from pgheadroom.postgres import libpq
from pgheadroom.postgres.login import ConnectOptions, enter

APPLICATION_NAME = "pgheadroom canary"

_EARLY_SECONDS = 0.5
"""`due` is polled once a second; starting half a second early keeps the mean interval right."""
_OUT_OF_SLOTS = (Outcome.FULL, Outcome.RESERVED_ONLY)
# As the server asks itself (has_privs_of_role); no row before PostgreSQL 16.
_MAY_USE_RESERVE = (
    b"SELECT pg_catalog.pg_has_role(oid, 'usage') FROM pg_catalog.pg_roles"
    b" WHERE rolname OPERATOR(pg_catalog.=) 'pg_use_reserved_connections'"
)


class _Inside(NamedTuple):
    """When it was let in, by both clocks, and why that says little about ordinary roles."""

    at: float
    monotonic: float
    privilege: str


class Canary:
    """Logs in by *options*, which are an ordinary role's; one login at a time."""

    def __init__(self, options: ConnectOptions, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock
        self.retry = Retry(
            options.backoff_first_seconds, options.backoff_longest_seconds, patient=True
        )
        self._starved = self._seen_starved = False
        self._logins: PendingByAddress[_Inside] = PendingByAddress()

    def due(self) -> bool:
        """Say whether it is time for the next login; to be asked every second."""
        return self.retry.due

    def notice(self, reading: Sample | Failure) -> None:
        """Take note of what is read beside it; a login may be due earlier for that.

        After a refusal because no slot was free, the next login is due as soon as readings have
        shown that there was none for ordinary roles, and then that there is one again.
        """
        if not self._starved:
            return
        if isinstance(reading, Failure):
            self._seen_starved |= reading.outcome in _OUT_OF_SLOTS
        elif reading.main.free == 0:
            self._seen_starved = True
        elif self._seen_starved:
            self.retry.at_once()

    async def log_in(self, *, was_alive: bool, thorough: bool = False) -> Probe:
        """Log in once and leave.

        *was_alive* tells a server that shuts down from one that starts (see ``refusal``). Only a
        *thorough* login asks a statement: whether the role may use the reserved slots.
        """
        began = time.monotonic()
        self._logins.forget()
        work = partial(self._in_and_out, thorough=thorough)
        entered = await enter(
            self._options, self._logins, work, was_alive=was_alive, clock=self._clock
        )
        if isinstance(entered, Failure):
            seconds = time.monotonic() - began
            return self._refused(
                Probe(ProbeKind.CANARY, entered.at, seconds, entered.outcome, entered.detail)
            )
        self._starved = False
        self.retry.succeeded(began + self._options.backoff_first_seconds - _EARLY_SECONDS)
        inside, _ = entered
        seconds = inside.monotonic - began
        return Probe(ProbeKind.CANARY, inside.at, seconds, Outcome.OK, privilege=inside.privilege)

    def close(self) -> None:
        """Give up a login that hangs."""
        self._logins.give_up()

    async def _in_and_out(self, conninfo: str, arrived: Arrived, *, thorough: bool) -> _Inside:
        connection = await libpq.connect(conninfo, arrived)
        try:
            at, monotonic = self._clock(), time.monotonic()
            privilege = "its role is a superuser" if connection.superuser else ""
            if thorough and not privilege:
                privilege = await self._privilege(connection)
        finally:
            connection.close()
        return _Inside(at, monotonic, privilege)

    async def _privilege(self, connection: libpq.Connection) -> str:
        async with asyncio.timeout(self._options.read_timeout_seconds):
            answer = await connection.query(_MAY_USE_RESERVE)
        may = answer == [(b"t",)]
        return "its role is a member of pg_use_reserved_connections" if may else ""

    def _refused(self, login: Probe) -> Probe:
        self._starved = login.outcome in _OUT_OF_SLOTS
        self._seen_starved = False
        self.retry.failed_with(login.outcome)
        return login
