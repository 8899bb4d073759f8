"""Tells a target what it has to do with the others: servers with the poolers in front of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from pgheadroom.board import Board
from pgheadroom.judge.pooling import pooling
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.pooling import Pooling
from pgheadroom.net.retry import Retry

_EVERY_SECONDS = 1.0


class Traced(Protocol):
    """A source whose samples can tell the sessions of a server one by one."""

    def trace(self, *, wanted: bool) -> None:
        """Have its samples tell, or not tell, the process and port of each session."""


class PoolingSource:
    """Looks at the other targets on the board; asks nobody."""

    name = "pooling"
    wanted = False
    every_seconds = _EVERY_SECONDS
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

    async def read(self) -> Pooling | None:
        """Return how the target and the others belong together; None where they do not."""
        states = self._board.states()
        poolers = any(state.kind is not TargetKind.POSTGRES for state in states)
        self._samples.trace(wanted=poolers)
        state = self._board.state(self._target)
        if not poolers:
            # A pooler may have been taken off the settings.
            return None if state.pooling is None else Pooling(self._clock())
        others = (other for other in states if other.target != self._target)
        return pooling(state, others, self._clock())

    def close(self) -> None:
        """Give nothing up: nothing is open."""
