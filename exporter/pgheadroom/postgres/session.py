"""Keeps one connection to a target, samples it, and replaces it when it is lost or hangs.

Never two at a time: a new connection is opened only after the old one was closed on our side, and
a login that the server does not finish is waited for again rather than repeated. A reading either
ends within its deadline or is cut off there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from pgheadroom.model.blockers import Blockers
from pgheadroom.model.postgres import PG_17
from pgheadroom.model.reading import Failure, Outcome, Sample
from pgheadroom.net import backoff
from pgheadroom.net.pending import PendingByAddress
from pgheadroom.net.retry import Retry
from pgheadroom.postgres import asides, libpq, refusal, rows
from pgheadroom.postgres.addresses import Address
from pgheadroom.postgres.cadence import Cost, Depth, Lately, Pulse, carry, depth, moved
from pgheadroom.postgres.login import ConnectOptions, enter, within
from pgheadroom.postgres.starting import Answer, Logins, Starting
from pgheadroom.postgres.statements import Plan, Statements

_ADMIN_SHUTDOWN = "57P01"
_NOT_PREPARED = "26000"
_UNSURE_IN_A_ROW = 4


class Session:
    """Samples one target through one connection that is kept."""

    def __init__(self, options: ConnectOptions, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock
        self._connection: libpq.Connection | None = None
        self._address: Address | None = None
        self._logins: PendingByAddress[libpq.Connection] = PendingByAddress(libpq.Connection.close)
        self._plan: Plan | None = None
        self._version = 0
        self._prepared = False
        self._keeps_state = True
        self._last: Sample | None = None
        self._lately = Lately()
        self._looked_again = False
        self._cost = Cost()
        self._starting = Logins()
        self._unsure = 0
        self._identifier = ""
        self._traced = False
        self.retry = Retry(options.backoff_first_seconds, options.backoff_longest_seconds)
        self._turn = asyncio.Lock()
        self._was_alive = False
        self._may_use_reserve = False
        self.ended_by = ""
        """What the server said when it ended our session last."""
        self.lost = False
        """A connection was lost since this was last set to False: worth a knock."""
        self.entered = False
        """We got in since this was last set to False."""

    @property
    def address(self) -> Address | None:
        """The address we are connected to, if we are."""
        return self._address if self._connection is not None else None

    @property
    def alive(self) -> bool:
        """Whether we hold a session, or held one when we last heard from the server."""
        return self._was_alive

    @property
    def newest(self) -> Sample | None:
        """The newest sample of this connection; None where there is no connection."""
        return self._last if self._connection is not None else None

    @property
    def login_hangs(self) -> bool:
        """Whether a server has taken up a login of ours and not finished it in time."""
        return self._logins.under_way

    async def read(self) -> Sample | Failure | None:
        """Ask the server once; None while the back-off after a failed attempt lasts.

        None too where no reading is due yet, as on large servers, and where the server cannot tell
        its count just now: see `cadence` and `logins`.

        A connection that turns out to be dead is replaced and asked again within the same
        reading, so that a restarted server or a terminated session leaves no gap.
        """
        async with self._turn:
            return await self._read()

    async def who_blocks(self) -> tuple[Blockers | None, float]:
        """Ask who waits for locks, and on whom; tell how many seconds that took.

        None where there is no answer: that is no failed reading.
        """
        async with self._turn:
            if self._connection is None or self._plan is None:
                return None, 0.0
            asked = asides.who_blocks(self._connection, self._plan.blockers)
            try:
                return await within(self._options.read_timeout_seconds, asked)
            except BaseException as error:
                self._drop()  # halfway through an answer
                if isinstance(error, TimeoutError):
                    return None, self._options.read_timeout_seconds
                raise

    async def _read(self) -> Sample | Failure | None:
        if self._connection is None:
            return await self._read_anew()
        try:
            return await within(self._options.read_timeout_seconds, self._sample(self._connection))
        except libpq.LibpqError as error:
            answer = refusal.parse(str(error))
            if answer.sqlstate == _NOT_PREPARED:
                # Somebody in between loses what a session was told, and hides that it is there.
                self._keeps_state = self._prepared = False
                return await self._read()
            if not self._connection.broken and not refusal.ends_session(answer.sqlstate):
                return self._query_failed(answer)
            self._drop()
            self.ended_by = answer.detail
            # Ended by order, and not by a crash: then "not now" means that the server goes down.
            self._was_alive = answer.sqlstate == _ADMIN_SHUTDOWN
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
        """Have full readings tell, or not tell, the process and port of each session."""
        self._traced = wanted

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
        failure = await self._connect_soon()
        if failure is not None:
            return self._refused(failure, began)
        connection = self._connection
        if connection is None:
            raise RuntimeError("a login that did not fail left no connection")
        try:
            return await within(self._options.read_timeout_seconds, self._sample(connection))
        except libpq.LibpqError as error:
            self._drop()
            answer = refusal.parse(str(error))
            outcome = refusal.outcome(answer, was_alive=self._was_alive)
            return self._refused(Failure(self._clock(), outcome, answer.detail), began)
        except TimeoutError:
            self._drop()
            detail = f"connected, then no answer within {self._options.read_timeout_seconds:g} s"
            return self._refused(Failure(self._clock(), Outcome.TIMEOUT, detail), began)
        except BaseException:
            self._drop()
            raise

    async def _connect_soon(self) -> Failure | None:
        """Connect, and try again at once where a reserve is kept for us."""
        failure = await self._connect()
        if failure is None or not self._may_use_reserve:
            return failure
        for pause in backoff.again_seconds(failure.outcome, self.retry.failed):
            await asyncio.sleep(pause)
            failure = await self._connect()
            if failure is None:
                break
        return failure

    async def _connect(self) -> Failure | None:
        """Log in again; return why not when no address lets us in."""
        server = libpq.connect_to_server
        alive = self._was_alive
        entered = await enter(
            self._options, self._logins, server, was_alive=alive, clock=self._clock
        )
        if isinstance(entered, Failure):
            return entered
        connection, self._address = entered
        self._connection = connection
        self.entered = True
        if connection.server_version != self._version:
            self._version = connection.server_version
            # The server gives up a little before we do: then the session is still of use.
            seconds = self._options.read_timeout_seconds * 0.8
            self._plan = Plan(self._version, seconds, self._options.limit_share)
        self._prepared = False
        # Another server, or another pooled one: nothing that was read before need hold there.
        self._last = None
        self._lately = Lately()
        self._cost = Cost()
        self._unsure = 0
        self._starting = Logins()
        return None

    async def _sample(self, connection: libpq.Connection) -> Sample | None:
        try:
            return await self._newest(connection)
        except rows.SenselessError as error:
            # An answer that cannot be parsed is not PostgreSQL's: treat the connection as lost.
            raise libpq.LibpqError(str(error)) from None

    async def _newest(self, connection: libpq.Connection) -> Sample | None:
        """Return the newest sample; None where none is due, or the server cannot tell its count."""
        last = self._last
        due = depth(last, self._clock(), self._lately)
        if last is None or due is Depth.FULL:
            sample = await self._full(connection)
            if last is None and sample is not None:
                self._identifier = await asides.identifier(connection)
            return self._took(sample)
        if due is Depth.NOTHING:
            return None
        pulse = await self._pulse(connection, last.postgres.slots.limits.max_connections)
        if pulse is not None and moved(last, pulse, self._lately):
            return self._took(await self._full(connection))
        return self._took(None if pulse is None else carry(last, pulse))

    async def _full(self, connection: libpq.Connection) -> Sample | None:
        table, seconds = await self._ask(connection, self._sql.full)
        sample, starting = rows.sample(
            table,
            at=self._clock(),
            duration_seconds=seconds,
            announced_pid=connection.backend_pid,
            extra_reserved=self._options.extra_reserved,
            rds_reserve=self._options.rds_reserve,
        )
        holders = sample.holders
        if self._last is None:
            if self._keeps_state and not sample.postgres.server.pooled and self._plan is not None:
                await connection.query(self._plan.prepare)
                self._prepared = True
            # The first of a connection fills the backend's caches: no measure for the next ones.
            cost = 0.0
        else:
            self._cost = self._cost.learn(holders.cost_seconds, holders.visible)
            cost = min(holders.cost_seconds, self._cost.of(holders.visible))
        sample = sample._replace(holders=holders._replace(cost_seconds=cost))
        if self._traced:
            backends = await asides.backends(connection)
            sample = sample._replace(facts=sample.postgres._replace(backends=backends))
        if self._version >= PG_17:
            return sample
        answer, pulses = await self._explained(
            connection, starting, sample.postgres.slots.limits.max_connections
        )
        if answer is None:
            return None
        if answer.look == 0:
            return sample.with_slots(sample.postgres.slots._replace(hidden=answer.logins))
        return carry(sample, replace(pulses[answer.look - 1], hidden=answer.logins))

    async def _pulse(self, connection: libpq.Connection, max_connections: int) -> Pulse | None:
        pulse, row = await self._look(connection, self._sql.pulse)
        if self._version >= PG_17:
            return pulse
        answer, further = await self._explained(connection, rows.starting(row), max_connections)
        if answer is None:
            return None
        return replace([pulse, *further][answer.look], hidden=answer.logins)

    async def _explained(
        self, connection: libpq.Connection, starting: Starting, max_connections: int
    ) -> tuple[Answer | None, list[Pulse]]:
        """Look again until it is known which of the *starting* processes are logins.

        Returns what was found, and the further looks: look 0 is the one that found *starting*.
        None where no look is sure: then there is no sample, except every fourth time, so that a
        server which is never sure is not lost from sight.
        """
        further: list[Pulse] = []
        logins = self._starting
        logins.begin(starting, time.monotonic(), self._options.read_timeout_seconds / 2)
        pauses = logins.pauses(max_connections)
        while (answer := logins.answer(time.monotonic())) is None:
            await asyncio.sleep(next(pauses))
            pulse, row = await self._look(connection, self._sql.again(logins.unexplained))
            logins.again(rows.starting(row), time.monotonic())
            further.append(pulse)
        self._looked_again = bool(further)
        self._unsure = 0 if answer.sure else (self._unsure + 1) % _UNSURE_IN_A_ROW
        return (None if self._unsure and self._last is not None else answer), further

    async def _look(self, connection: libpq.Connection, sql: bytes) -> tuple[Pulse, rows.Row]:
        answer, seconds = await self._ask(connection, sql)
        row = answer[0] if answer else ()
        return rows.pulse(row, at=self._clock(), duration_seconds=seconds), row

    async def _ask(self, connection: libpq.Connection, sql: bytes) -> tuple[list[rows.Row], float]:
        began = time.perf_counter()
        answer = await connection.query(sql)
        return answer, time.perf_counter() - began

    @property
    def _sql(self) -> Statements:
        if self._plan is None:
            raise RuntimeError("statements are made when the connection is")
        return self._plan.prepared if self._prepared else self._plan.whole

    def _took(self, sample: Sample | None) -> Sample | None:
        self.retry.succeeded()
        if sample is None:
            return None
        server = sample.postgres.server
        if server.identifier != self._identifier:
            server = replace(server, identifier=self._identifier)
            sample = sample._replace(facts=sample.postgres._replace(server=server))
        self._last = sample
        visible = sample.postgres.slots.visible
        self._lately = self._lately.add(sample.at, visible, again=self._looked_again)
        self._was_alive = True
        self._may_use_reserve = server.reserve or server.superuser
        return sample

    def _query_failed(self, answer: refusal.Refusal) -> Failure:
        """Report a statement that failed on a connection that lives on."""
        outcome = refusal.outcome(answer, was_alive=True)
        return Failure(self._clock(), outcome, answer.detail)

    def _refused(self, failure: Failure, began: float | None = None) -> Failure:
        """Take note of *failure*, of an attempt that *began* then, and put the next one off."""
        # A server that had sessions and now says "not now" is shutting down, until it is gone.
        self._was_alive &= failure.outcome is Outcome.SHUTTING_DOWN
        now = time.monotonic()
        self.retry.failed_with(failure.outcome, began or now)
        return failure

    def _drop(self) -> None:
        self.close()
        self.lost = True
