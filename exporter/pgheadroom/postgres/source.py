"""Asks a PostgreSQL target in four ways: samples, knocks, logins of a canary, and who blocks whom.

They share one session's knowledge of the server: where it is, whether it was alive, whether a login
of ours hangs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import NamedTuple, Protocol

import structlog
from psycopg import ProgrammingError

from pgheadroom.model.blockers import FEWEST_WAITING, Blockers
from pgheadroom.model.reading import Failure, Outcome, Probe, ProbeKind, Sample, most_telling
from pgheadroom.net.pending import PendingByAddress
from pgheadroom.net.retry import Retry
from pgheadroom.postgres.addresses import Address, HostUnknownError
from pgheadroom.postgres.cadence import BlockersPace
from pgheadroom.postgres.canary import Canary
from pgheadroom.postgres.knock import OurFileError, knock
from pgheadroom.postgres.login import ConnectOptions, resolve
from pgheadroom.postgres.refusal import Refusal
from pgheadroom.postgres.session import Session

log = structlog.get_logger("pgheadroom.postgres.source")

_KNOCK_SECONDS = 3.0
_CANARY_SECONDS = 1.0
"""How often the canary is asked whether it is due."""
_AGAIN = 3
_WITHIN_SECONDS = 300.0
"""Ended _AGAIN times within this time is "again and again"; not ended for this long is "kept"."""


class Endings(NamedTuple):
    """When our session was ended lately, and whether that was told as a nuisance."""

    times: tuple[float, ...] = ()
    """The newest ends, oldest first, in seconds of one clock."""
    told: bool = False

    def add(self, at: float) -> tuple[Endings, str]:
        """Return what is known after an end *at* that time, and what to log of it; "" for nothing.

        The first one is told, and the third within five minutes as a nuisance.
        """
        times = (*(time for time in self.times if 0 <= at - time < _WITHIN_SECONDS), at)[-_AGAIN:]
        if len(times) == 1:
            return Endings(times), "session ended"
        if len(times) < _AGAIN or self.told:
            return self._replace(times=times), ""
        return Endings(times, told=True), "session ended again and again"

    def quiet(self, at: float) -> tuple[Endings, str]:
        """Return what is known *at* that time, without an end since, and what to log of it."""
        if self.told and not 0 <= at - self.times[-1] < _WITHIN_SECONDS:
            return Endings(), "session is kept again"
        return self, ""


class Kept(Protocol):
    """A connection that is kept, and asked for samples; a pooler's console is another."""

    retry: Retry
    ended_by: str
    """What the server said when it ended our session last."""
    lost: bool
    """A connection was lost since this was last set to False."""
    entered: bool
    """We got in since this was last set to False."""

    @property
    def alive(self) -> bool:
        """Whether we hold a session, or held one when we last heard from the server."""

    async def read(self) -> Sample | Failure | None:
        """Ask once; None where none is due."""

    def trace(self, *, wanted: bool) -> None:
        """Have samples tell, or not tell, the process and port of each session."""

    def close(self) -> None:
        """Give the connection up."""


class SampleSource:
    """Reads samples through one kept session."""

    name = "sample"
    wanted = False

    def __init__(
        self, options: ConnectOptions, session: Kept, canary: Canary | None, every_seconds: float
    ) -> None:
        self.every_seconds = every_seconds
        self._target = options.name
        self.retry: Retry | None = session.retry
        self._session = session
        self._canary = canary
        self._endings = Endings()

    async def read(self) -> Sample | Failure | None:
        """Take one reading; None where none is due."""
        self._session.lost = self._session.entered = False
        reading = await self._session.read()
        self._tell_end(ended=self._session.lost and not isinstance(reading, Failure))
        if self._canary is not None and reading is not None:
            self._canary.notice(reading)
        return reading

    def trace(self, *, wanted: bool) -> None:
        """Have samples tell, or not tell, the process and port of each session."""
        self._session.trace(wanted=wanted)

    def _tell_end(self, *, ended: bool) -> None:
        """Log that our session *ended* and was replaced within one reading; or that it is kept."""
        before, now = self._endings, time.monotonic()
        self._endings, event = before.add(now) if ended else before.quiet(now)
        if event:
            level = logging.WARNING if self._endings.told > before.told else logging.INFO
            reason = {"reason": self._session.ended_by} if ended else {}
            log.log(level, event, target=self._target, **reason)

    def close(self) -> None:
        """Give the connection up."""
        self._session.close()


_AGAIN_SECONDS = 5.0
"""Where a knock found no slot, the next one comes so soon."""
_NO_SLOT = (Outcome.FULL, Outcome.RESERVED_ONLY, Outcome.POOLER_FULL)


class KnockSource:
    """Knocks where our session is, or else at the first address that answers."""

    name = "knock"
    retry: Retry | None = None

    def __init__(self, options: ConnectOptions, session: Session, every_seconds: float) -> None:
        self.every_seconds = every_seconds
        self._options = options
        self._session = session
        self._pending: PendingByAddress[Refusal | None] = PendingByAddress()
        self._under_way = False
        self._refused = self._no_slot = False
        self._knocked_at = -_AGAIN_SECONDS
        self._cannot_knock = ""

    @property
    def wanted(self) -> bool:
        """Whether a knock is called for: the session was lost, is there again, or slots ran out.

        A knock that failed would else stay the newest one where knocks are turned off. And one that
        found no slot is the reason for a page: that it is over is not to be known late.
        """
        again = self._session.entered and self._refused
        late = time.monotonic() - self._knocked_at >= _AGAIN_SECONDS
        soon = self._no_slot and self._session.address is not None and late
        return (self._session.lost or again or soon) and not self._under_way

    async def read(self) -> Probe | None:
        """Knock once; None while one is under way, which will tell, or where none can be sent."""
        if self._under_way:
            return None
        self._under_way = True
        try:
            answer = await self._knock()
        finally:
            self._under_way = False
            self._knocked_at = time.monotonic()
            self._session.lost = self._session.entered = False
        if answer is not None:
            self._refused = answer.outcome is not Outcome.OK
            self._no_slot = answer.outcome in _NO_SLOT
        return answer

    def close(self) -> None:
        """Give up a knock that hangs."""
        self._pending.give_up()

    async def _knock(self) -> Probe | None:
        if self._session.login_hangs:
            # A knock would hang beside it, and might hold one more slot.
            return _unanswered(Outcome.TIMEOUT, "our own login is not answered")
        address = self._session.address
        try:
            candidates = [address] if address is not None else await self._candidates()
        except HostUnknownError as error:
            return _unanswered(Outcome.HOST_UNKNOWN, f"cannot resolve {error}")
        except (OSError, ProgrammingError):
            # No file of ours, or no usable connection string: that says nothing of the server, and
            # the next reading says it in words.
            return None
        self._pending.give_up(but={candidate.resolved for candidate in candidates})
        try:
            answer = await self._first_answer(candidates)
        except OurFileError as error:
            # No page: the next login says it in libpq's words.
            if str(error) != self._cannot_knock:
                log.warning("cannot knock", target=self._options.name, reason=str(error))
            self._cannot_knock = str(error)
            return None
        except OSError:
            return None  # we have no descriptor left: that says nothing of the server either
        self._cannot_knock = ""
        return answer

    async def _first_answer(self, candidates: list[Address]) -> Probe:
        """Return the first of the *candidates* that lets us in, or else what tells most."""
        answers: list[Probe] = []
        for candidate in candidates:
            answer = await knock(
                candidate,
                was_alive=self._session.alive,
                timeout_seconds=_KNOCK_SECONDS,
                pending=self._pending.at(candidate.resolved),
            )
            if answer.outcome is Outcome.OK:
                return answer
            answers.append(answer)
        return most_telling(answers)

    async def _candidates(self) -> list[Address]:
        try:
            async with asyncio.timeout(self._options.connect_timeout_seconds):
                return await resolve(self._options)
        except TimeoutError:
            raise HostUnknownError("the name, within the time allowed") from None


class CanarySource:
    """Has the canary log in when it is due."""

    name = "canary"
    wanted = False
    every_seconds = _CANARY_SECONDS

    def __init__(self, canary: Canary, session: Kept, *, thorough: bool) -> None:
        self.retry: Retry | None = canary.retry
        self._canary = canary
        self._session = session
        self._thorough = thorough

    async def read(self) -> Probe | None:
        """Log in; None while it is not time for it."""
        if not self._canary.due():
            return None
        return await self._canary.log_in(was_alive=self._session.alive, thorough=self._thorough)

    def close(self) -> None:
        """Give up a login that hangs."""
        self._canary.close()


class BlockersSource:
    """Asks who blocks whom, after a sample that says that sessions wait for locks."""

    name = "blockers"
    every_seconds = 0.0
    """It has no turns of its own: a server on which nobody waits must not pay for it."""
    retry: Retry | None = None

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pace = BlockersPace()
        self._under_way = False
        self._over_at = -1.0

    @property
    def wanted(self) -> bool:
        """Whether sessions wait, by the newest full reading and every answer since."""
        newest = self._session.newest
        return (
            newest is not None
            and newest.postgres.waiting >= FEWEST_WAITING
            and newest.holders.at != self._over_at
            and not self._under_way
            and self._pace.allows(time.monotonic())
        )

    async def read(self) -> Blockers | None:
        """Ask once; None where there is no answer."""
        newest = self._session.newest
        self._under_way = True
        try:
            answer, seconds = await self._session.who_blocks()
        finally:
            self._under_way = False
        self._pace = self._pace.asked(time.monotonic(), seconds)
        if newest is not None and answer is not None and answer.waiting < FEWEST_WAITING:
            # It is over, until a full reading says otherwise.
            self._over_at = newest.holders.at
        return answer

    def close(self) -> None:
        """Give nothing up: the session is the samples'."""


PostgresSource = SampleSource | BlockersSource | KnockSource | CanarySource
Sources = tuple[SampleSource, *tuple[PostgresSource, ...]]
"""The ways in which one target is asked, that for samples first."""


def postgres_sources(
    options: ConnectOptions,
    *,
    interval_seconds: float = 1.0,
    knock_interval_seconds: float = 0.0,
    thorough: bool = False,
) -> Sources:
    """Return the ways in which the target of *options* is asked.

    With a knock interval of 0 there are knocks only when a sample calls for one. *thorough* has
    the canary ask, too, whether its role may use the reserved slots.
    """
    session = Session(options)
    canary = None if options.canary is None else Canary(options.canary)
    samples = SampleSource(options, session, canary, interval_seconds)
    knocks = KnockSource(options, session, knock_interval_seconds)
    blockers = BlockersSource(session)
    if canary is None:
        return samples, blockers, knocks
    return samples, blockers, knocks, CanarySource(canary, session, thorough=thorough)


def _unanswered(outcome: Outcome, detail: str) -> Probe:
    return Probe(ProbeKind.KNOCK, time.time(), 0.0, outcome, detail)
