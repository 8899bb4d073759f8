"""Tells a target what it has to do with the others: servers with the poolers in front of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from pgheadroom.board import Board
from pgheadroom.judge.pooling import pooling
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.pooling import Pooling
from pgheadroom.model.reading import Sample
from pgheadroom.net.retry import Retry


class Traced(Protocol):
    """A source whose samples can tell the sessions of a server one by one."""

    def trace(self, *, wanted: bool) -> None:
        """Have its samples tell, or not tell, the process and port of each session."""


class PoolingSource:
    """Looks at the other targets on the board whenever there is a new sample; asks nobody."""

    name = "pooling"
    every_seconds = 0.0
    """It has no turns of its own: a server that is behind no pooler must not pay for it."""
    retry: Retry | None = None

    def __init__(
        self,
        target: str,
        board: Board,
        samples: Traced,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._board = board
        self._samples = samples
        self._clock = clock
        self._seen: Sample | None = None

    @property
    def wanted(self) -> bool:
        """Whether there was a sample since the last look, and a pooler is or was there."""
        state = self._board.state(self._target)
        if state.sample is self._seen:
            return False
        return state.pooling is not None or bool(self._board.poolers())

    async def read(self) -> Pooling | None:
        """Return how the target and the others belong together; None where they do not."""
        poolers = self._board.poolers()
        self._samples.trace(wanted=bool(poolers))
        state = self._board.state(self._target)
        self._seen = state.sample
        if not poolers:
            # A pooler may have been taken off the settings.
            return None if state.pooling is None else Pooling(self._clock())
        others = poolers if state.kind is TargetKind.POSTGRES else self._board.states()
        return pooling(state, others, self._clock())

    def close(self) -> None:
        """Give nothing up: nothing is open."""
