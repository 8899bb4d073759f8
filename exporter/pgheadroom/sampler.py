"""Keep one target's state up to date: read it, knock at it, step, publish, say what changed."""

from __future__ import annotations

import asyncio
import time

import structlog
from psycopg import ProgrammingError

from pgheadroom.attempts import Attempt, HostUnknownError
from pgheadroom.board import Board
from pgheadroom.canary import Canary
from pgheadroom.changes import changes
from pgheadroom.knock import knock
from pgheadroom.reading import Condition, Knock, Reading, Visit, most_telling
from pgheadroom.session import Access, Session, resolve
from pgheadroom.step import Policy, step

log = structlog.get_logger("pgheadroom.sampler")

_KNOCK_SECONDS = 3.0


class Sampler:
    """One target's way from its server to the board."""

    def __init__(self, access: Access, policy: Policy, board: Board) -> None:
        self._access = access
        self._policy = policy
        self._board = board
        self._session = Session(access)
        self._canary = Canary(access.canary) if access.canary is not None else None
        self._knocking = False

    async def sample(self) -> None:
        """Take one reading; after a lost connection, knock too."""
        reading = await self._session.read()
        if reading is not None:
            self._publish(reading, self._session.retry_seconds)
        if self._session.lost:
            self._session.lost = False
            await self.knock()

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
        if self._canary is None or not self._canary.due(self._board.state(self._access.name)):
            return
        visit = await self._canary.visit(was_alive=self._session.alive, thorough=thorough)
        self._publish(visit, self._canary.retry_seconds)

    def close(self) -> None:
        """Give the connection up."""
        self._session.close()

    async def _knock(self) -> Knock | None:
        held = self._session.attempt
        try:
            candidates = [held] if held is not None else await self._candidates()
        except HostUnknownError as error:
            return Knock(time.time(), 0.0, Condition.HOST_UNKNOWN, f"cannot resolve {error}")
        except (OSError, ProgrammingError):
            # No file of ours, or no usable connection string: that is no news of the server, and
            # the next reading says it in words.
            return None
        answers: list[Knock] = []
        for candidate in candidates:
            try:
                answer = await knock(
                    candidate, was_alive=self._session.alive, timeout_seconds=_KNOCK_SECONDS
                )
            except OSError:
                return None  # we have no descriptor left: that is no news of the server either
            if answer.condition is Condition.OK:
                return answer
            answers.append(answer)
        return most_telling(answers)

    async def _candidates(self) -> list[Attempt]:
        try:
            async with asyncio.timeout(self._access.connect_timeout_seconds):
                return await resolve(self._access)
        except TimeoutError:
            raise HostUnknownError("the name, within the time allowed") from None

    def _publish(self, reading: Reading | Visit, retry_seconds: float | None = None) -> None:
        before = self._board.state(self._access.name)
        after = step(before, reading, self._policy)
        self._board.publish(after)
        for change in changes(before, after):
            extra = {"retry_seconds": _rounded(retry_seconds)} if change.retries else {}
            log.log(change.level, change.event, target=after.target, **change.fields, **extra)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
