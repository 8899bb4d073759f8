"""Takes readings of one target from its sources to the board: reads, steps, publishes, logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import structlog

from pgheadroom.board import Board
from pgheadroom.events.happened import happened
from pgheadroom.model.blockers import Blockers
from pgheadroom.model.event import Level
from pgheadroom.model.pooling import Pooling
from pgheadroom.model.reading import Reading, Recorded, Sample
from pgheadroom.step import Policy, step
from pgheadroom.watch.source import Source

log = structlog.get_logger("pgheadroom.watch.sampler")

_LEVELS = {
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.CRITICAL: logging.WARNING,  # it is the server's trouble, not a failure of ours
}

OnReading = Callable[[str, Recorded], None]
"""Called with what asking a target brought, by its name, before it is taken in.

Who blocks whom comes with the sample after it.
"""


class Sampler:
    """Keeps the state of one target up to date; *on_reading* gets each reading too."""

    def __init__(
        self,
        name: str,
        sources: Sequence[Source],
        policy: Policy,
        board: Board,
        on_reading: OnReading | None = None,
    ) -> None:
        self.sources = sources
        self._name = name
        self._policy = policy
        self._board = board
        self._on_reading = on_reading
        self._blockers: Blockers | None = None

    async def take(self, source: Source) -> None:
        """Ask *source* once, and then those that its reading calls for."""
        reading = await source.read()
        if reading is not None:
            self._publish(reading, source)
        for other in self.sources:
            if other.wanted:
                await self.take(other)

    def close(self) -> None:
        """Give up all that is open."""
        for source in self.sources:
            source.close()

    def _publish(self, reading: Reading, source: Source) -> None:
        if self._on_reading is not None:
            self._pass_on(reading, self._on_reading)
        before = self._board.state(self._name)
        after, news = happened(before, step(before, reading, self._policy), reading.at)
        self._board.publish(after)
        for one in news:
            extra = _pauses(source) if one.retries else {}
            log.log(_LEVELS[one.level], one.event, target=after.target, **one.fields, **extra)

    def _pass_on(self, reading: Reading, on_reading: OnReading) -> None:
        if isinstance(reading, Blockers):
            self._blockers = reading
        elif not isinstance(reading, Pooling):
            if isinstance(reading, Sample) and self._blockers is not None:
                facts = reading.postgres._replace(blockers=self._blockers)
                reading, self._blockers = reading._replace(facts=facts), None
            on_reading(self._name, reading)


def _pauses(source: Source) -> dict[str, float | None]:
    """Return how long the next attempt waits, and what that may grow to, for the log."""
    if source.retry is None:
        return {}
    pauses = {
        "retry_seconds": source.retry.seconds,
        "retry_seconds_at_most": source.retry.seconds_at_most,
    }
    return {name: pause and round(pause, 1) for name, pause in pauses.items()}
