"""Keeps one connection to PgBouncer's console, samples it, and replaces it when it is lost.

The console takes the simple protocol only, one statement at a time, without comments. It lets
stats_users in when the places for clients have run out, but not when PgBouncer has no descriptor
left: so the connection is kept, like one to a server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from pgheadroom.model.capacity import Capacity, CapacityKind, Scope
from pgheadroom.model.pooler import Database, PoolerFacts, capacities
from pgheadroom.model.reading import Failure, Holders, Outcome, Sample
from pgheadroom.net.pending import PendingByAddress
from pgheadroom.net.retry import Retry
from pgheadroom.pgbouncer import clients, rows
from pgheadroom.pgbouncer.cadence import Full, full_due, lately_due
from pgheadroom.postgres import libpq, refusal
from pgheadroom.postgres.libpq import Table
from pgheadroom.postgres.login import ConnectOptions, enter, within
from pgheadroom.postgres.rows import SenselessError
from pgheadroom.postgres.whereabouts import seen_from

_MOST_ADDRESSES = 1000
_STATE_SINCE = (1, 19)
_PEERS_SINCE = (1, 19)
_USER_LIMITS_SINCE = (1, 23)


class _Known(NamedTuple):
    """What the newest full reading found; most samples carry it along."""

    full: Full
    holders: Holders
    facts: PoolerFacts


class _Lately(NamedTuple):
    """What is asked every few seconds: it changes seldom, or only its rate is of interest."""

    at: float
    databases: tuple[Database, ...]
    waited_seconds: tuple[tuple[str, float], ...]
    paused: bool


class Console:
    """Samples one PgBouncer through one connection that is kept."""

    def __init__(self, options: ConnectOptions, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock
        self._connection: libpq.Connection | None = None
        self._logins: PendingByAddress[libpq.Connection] = PendingByAddress(libpq.Connection.close)
        self._known: _Known | None = None
        self._lately: _Lately | None = None
        self._version: tuple[int, ...] = ()
        self._addresses: dict[tuple[str, int], str] = {}
        self.retry = Retry(options.backoff_first_seconds, options.backoff_longest_seconds)
        self._alive = False
        self.ended_by = ""
        """What it said when it ended our session last."""
        self.lost = False
        """A connection was lost since this was last set to False."""
        self.entered = False
        """We got in since this was last set to False."""

    @property
    def alive(self) -> bool:
        """Whether it answered when we last heard from it."""
        return self._alive

    async def read(self) -> Sample | Failure | None:
        """Ask the console once; None while the back-off after a failed attempt lasts.

        A connection that turns out to be dead is replaced and asked again within the same reading.
        """
        if self._connection is None:
            return await self._read_anew()
        try:
            return await self._sampled(self._connection)
        except libpq.LibpqError as error:
            self.ended_by = refusal.parse(str(error)).detail
            self._drop()
            return await self._read_anew()
        except TimeoutError:
            self._drop()
            detail = f"no answer within {self._options.read_timeout_seconds:g} s"
            return self._refused(Failure(self._clock(), Outcome.TIMEOUT, detail))
        except BaseException:
            # Cancelled halfway through an answer: what is left of it would be the next one's.
            self._drop()
            raise

    def trace(self, *, wanted: bool) -> None:
        """Do nothing: a pooler's samples always tell its server connections."""

    def close(self) -> None:
        """Give the connection up, without waiting for anybody."""
        self._logins.give_up()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _read_anew(self) -> Sample | Failure | None:
        if not self.retry.due and not self._logins.answered:
            return None
        began = time.monotonic()
        entered = await enter(
            self._options,
            self._logins,
            libpq.connect_to_console,
            was_alive=self._alive,
            clock=self._clock,
        )
        if isinstance(entered, Failure):
            return self._refused(entered, began)
        connection, _ = entered
        self._connection, self._known, self._lately = connection, None, None
        self.entered = True
        self._version = rows.version_of(connection.server_version_text)
        try:
            return await self._sampled(connection)
        except libpq.LibpqError as error:
            self._drop()
            answer = refusal.parse(str(error))
            outcome = refusal.outcome(answer, was_alive=self._alive)
            return self._refused(Failure(self._clock(), outcome, answer.detail), began)
        except TimeoutError:
            self._drop()
            detail = f"connected, then no answer within {self._options.read_timeout_seconds:g} s"
            return self._refused(Failure(self._clock(), Outcome.TIMEOUT, detail), began)
        except BaseException:
            self._drop()
            raise

    async def _sampled(self, connection: libpq.Connection) -> Sample:
        try:
            sample = await within(self._options.read_timeout_seconds, self._newest(connection))
        except SenselessError as error:
            raise libpq.LibpqError(str(error)) from None
        self.retry.succeeded()
        self._alive = True
        return sample

    async def _newest(self, connection: libpq.Connection) -> Sample:
        began = time.perf_counter()
        lists = rows.lists(await connection.table(b"SHOW LISTS"))
        used, servers = lists.get("used_clients", 0), lists.get("used_servers", 0)
        known, lately = self._known, self._lately
        if known is None or full_due(known.full, self._clock(), used, servers):
            known = self._known = await self._full(connection, used, servers)
        if lately is None or lately_due(lately.at, self._clock()):
            lately = self._lately = await self._now_and_then(connection)
        pools = rows.pools(
            await connection.table(b"SHOW POOLS"),
            {database.name: database for database in lately.databases},
            {user.name: user for user in known.facts.users},
            Database("", size=known.facts.config.size, reserve=known.facts.config.reserve),
        )
        facts = known.facts._replace(
            databases=lately.databases,
            pools=pools,
            paused=lately.paused,
            waited_seconds=lately.waited_seconds,
        )
        limit = facts.config.most_clients
        logins = lists.get("login_clients", 0)
        main = Capacity(Scope(CapacityKind.CLIENTS), used, limit, logins=logins)
        at, seconds = self._clock(), time.perf_counter() - began
        return Sample(at, seconds, main, capacities(facts), known.holders, facts)

    async def _now_and_then(self, connection: libpq.Connection) -> _Lately:
        databases = rows.databases(await connection.table(b"SHOW DATABASES"), self._address)
        totals = await connection.table(b"SHOW STATS_TOTALS")
        waited = rows.totals(totals, "wait_time")
        return _Lately(
            self._clock(),
            databases,
            tuple((name, microseconds / 1e6) for name, microseconds in waited),
            await self._paused(connection),
        )

    async def _full(self, connection: libpq.Connection, used: int, servers: int) -> _Known:
        began = time.perf_counter()
        table = await connection.table(b"SHOW CLIENTS")
        links = rows.links(await connection.table(b"SHOW SERVERS"))
        cost = time.perf_counter() - began
        config = rows.config(await connection.table(b"SHOW CONFIG"))
        users = rows.users(await connection.table(b"SHOW USERS"), default_size=config.size)
        peers: Table | None = None
        if self._version >= _PEERS_SINCE:
            peers = await connection.table(b"SHOW PEERS")
        at = self._clock()
        facts = PoolerFacts(
            software="PgBouncer",
            version=connection.server_version_text.partition("/")[0],
            users=users,
            users_known=self._version >= _USER_LIMITS_SINCE,
            links=links,
            pause_known=self._version >= _STATE_SINCE,
            config=config,
            peers=0 if peers is None else len(peers.rows),
        )
        holders = Holders(
            at, len(table.rows), clients.groups(table, at), complete=True, cost_seconds=cost
        )
        return _Known(Full(at, cost, used, servers), holders, facts)

    def _address(self, host: str, port: int) -> str:
        """Return where *host* and *port* lead, as PgBouncer's machine means them."""
        place = host, port
        if place not in self._addresses:
            if len(self._addresses) >= _MOST_ADDRESSES:
                self._addresses.clear()
            self._addresses[place] = seen_from(self._options.conninfo, host, port)
        return self._addresses[place]

    async def _paused(self, connection: libpq.Connection) -> bool:
        """Say whether all is paused; up to 1.18 that cannot be asked."""
        if self._version < _STATE_SINCE:
            return False
        return rows.paused(await connection.table(b"SHOW STATE"))

    def _refused(self, failure: Failure, began: float | None = None) -> Failure:
        self._alive &= failure.outcome is Outcome.SHUTTING_DOWN
        self.retry.failed_with(failure.outcome, began or time.monotonic())
        return failure

    def _drop(self) -> None:
        self.close()
        self.lost = True
