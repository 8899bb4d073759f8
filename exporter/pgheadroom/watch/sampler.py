"""Keeps one target's state up to date: reads, knocks, steps, publishes, logs changes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import structlog
from psycopg import ProgrammingError

from pgheadroom.board import Board
from pgheadroom.model.reading import Failure, Outcome, Probe, ProbeKind, Reading, most_telling
from pgheadroom.net.pending import PendingByAddress
from pgheadroom.postgres.addresses import Address, HostUnknownError
from pgheadroom.postgres.canary import Canary
from pgheadroom.postgres.endings import Endings
from pgheadroom.postgres.knock import OurFileError, knock
from pgheadroom.postgres.login import ConnectOptions, resolve
from pgheadroom.postgres.refusal import Refusal
from pgheadroom.postgres.session import Session
from pgheadroom.step import Policy, step
from pgheadroom.watch.alert_lines import Told, alert_lines, as_told
from pgheadroom.watch.changes import changes

log = structlog.get_logger("pgheadroom.watch.sampler")

_KNOCK_SECONDS = 3.0

OnReading = Callable[[str, Reading], None]
"""Told of each reading of a target, by name, before it is taken in."""


class Sampler:
    """Takes readings of one target from its server to the board; *on_reading* is told of each."""

    def __init__(
        self,
        options: ConnectOptions,
        policy: Policy,
        board: Board,
        on_reading: OnReading | None = None,
    ) -> None:
        self._options = options
        self._on_reading = on_reading
        self._policy = policy
        self._board = board
        self._session = Session(options)
        self._canary = Canary(options.canary) if options.canary is not None else None
        self._knocking = False
        self._told: Told | None = None
        self._knocks: PendingByAddress[Refusal | None] = PendingByAddress()
        self._cannot_knock = ""
        self._endings = Endings()

    async def sample(self) -> None:
        """Take one reading; knock too when the connection was lost, and when we got in again.

        A knock that failed would else stay the newest one where knocks are turned off.
        """
        reading = await self._session.read()
        if reading is not None:
            self._publish(reading, self._session)
        knock = self._board.state(self._options.name).knocks
        failed = knock.outcome is not Outcome.OK
        lost = self._session.lost
        due = lost or (self._session.entered and failed)
        self._session.lost = self._session.entered = False
        self._tell_end(ended=lost and not isinstance(reading, Failure))
        if due:
            await self.knock()

    def _tell_end(self, *, ended: bool) -> None:
        """Log that our session *ended* and was begun anew in one reading; or that it is kept."""
        before, now = self._endings, time.monotonic()
        self._endings, event = before.add(now) if ended else before.quiet(now)
        if event:
            level = logging.WARNING if self._endings.told > before.told else logging.INFO
            reason = {"reason": self._session.ended_by} if ended else {}
            log.log(level, event, target=self._options.name, **reason)

    async def knock(self) -> None:
        """Knock once: where our session is, or else at the first address that answers."""
        if self._knocking:
            return  # the one that is under way will tell
        self._knocking = True
        try:
            answer = await self._knock()
        finally:
            self._knocking = False
        if answer is not None:
            self._publish(answer)

    @property
    def has_canary(self) -> bool:
        """Whether a canary is to visit this target."""
        return self._canary is not None

    async def visit(self, *, thorough: bool = False) -> None:
        """Send the canary, if there is one and it is time to; to be called every second."""
        if self._canary is None or not self._canary.due(self._board.state(self._options.name)):
            return
        visit = await self._canary.visit(was_alive=self._session.alive, thorough=thorough)
        self._publish(visit, self._canary)

    def close(self) -> None:
        """Give the connection up."""
        self._knocks.give_up()
        if self._canary is not None:
            self._canary.close()
        self._session.close()

    async def _knock(self) -> Probe | None:
        if self._session.login_hangs:
            # A knock would hang beside it, and might hold one more slot.
            return Probe(
                ProbeKind.KNOCK, time.time(), 0.0, Outcome.TIMEOUT, "our own login is not answered"
            )
        held = self._session.address
        try:
            candidates = [held] if held is not None else await self._candidates()
        except HostUnknownError as error:
            return Probe(
                ProbeKind.KNOCK, time.time(), 0.0, Outcome.HOST_UNKNOWN, f"cannot resolve {error}"
            )
        except (OSError, ProgrammingError):
            # No file of ours, or no usable connection string: that is no news of the server, and
            # the next reading says it in words.
            return None
        self._knocks.give_up(but={candidate.resolved for candidate in candidates})
        try:
            answer = await self._first_answer(candidates)
        except OurFileError as error:
            # No page: the next login says it in libpq's words.
            if str(error) != self._cannot_knock:
                log.warning("cannot knock", target=self._options.name, reason=str(error))
            self._cannot_knock = str(error)
            return None
        except OSError:
            return None  # we have no descriptor left: that is no news of the server either
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
                pending=self._knocks.at(candidate.resolved),
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

    def _publish(self, reading: Reading, tries: Session | Canary | None = None) -> None:
        if self._on_reading is not None:
            self._on_reading(self._options.name, reading)
        before = self._board.state(self._options.name)
        after = step(before, reading, self._policy)
        self._board.publish(after)
        told = as_told(before.alerts) if self._told is None else self._told
        lines, self._told = alert_lines(told, after.alerts, reading.at)
        for change in (*changes(before, after), *lines):
            extra = _pauses(tries) if change.retries and tries is not None else {}
            log.log(change.level, change.event, target=after.target, **change.fields, **extra)


def _pauses(tries: Session | Canary) -> dict[str, float | None]:
    """Return how long the next attempt waits, and what that may grow to, for the log."""
    pauses = {
        "retry_seconds": tries.retry_seconds,
        "retry_seconds_at_most": tries.retry_seconds_at_most,
    }
    return {name: pause and round(pause, 1) for name, pause in pauses.items()}
