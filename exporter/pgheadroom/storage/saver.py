"""Saves each target's snapshot from time to time, and says once when that fails.

Each target once a minute, and at once when an alert begins or ends. Nothing that goes wrong here
stops a sample.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import structlog

from pgheadroom.board import Board
from pgheadroom.durations import moment
from pgheadroom.log import Trouble
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.state import State
from pgheadroom.storage.directory import StateDirectory
from pgheadroom.storage.snapshot import Snapshot, restored, taken
from pgheadroom.storage.snapshot_file import DamagedError, pack, unpack

log = structlog.get_logger("pgheadroom.state")

FORMER_NAME = "default"
"""What a target without a name was called before it was called by its address."""

EVERY_SECONDS = 60.0
_LAST_SECONDS = 3.0


class SnapshotSaver:
    """Keeps the states on *board* in *directory*.

    *unnamed* is the target without a name: what was saved under its former name is its own.
    """

    def __init__(
        self,
        directory: StateDirectory,
        board: Board,
        own: SelfMetrics,
        unnamed: str | None = None,
    ) -> None:
        self._directory = directory
        self._unnamed = unnamed
        self._board = board
        self._own = own
        self._due: dict[str, float] = {}
        self._firing: dict[str, object] = {}
        self._failing: set[str] = set()
        self._trouble = Trouble(
            log, "cannot save state: a restart would lose it", "state saved again"
        )
        own.keeps_state()
        board.when_gone(self._gone)

    async def recall(self, targets: Iterable[str] | None = None) -> None:
        """Publish what is remembered of each of *targets*, which are on the board; of all if None.

        To be called before the first of them is sampled.
        """
        now = time.time()
        names = None if targets is None else frozenset(targets)
        states = [state for state in self._board.states() if names is None or state.target in names]
        snapshots = await asyncio.to_thread(self._read, states, now)
        for target, snapshot in snapshots.items():
            self._board.publish(restored(self._board.state(target), snapshot, now))
        # Spread over the minute, so that the disk never has them all at once.
        for number, state in enumerate(states, 1):
            self._due[state.target] = time.monotonic() + EVERY_SECONDS * number / len(states)
            self._firing[state.target] = _firing(self._board.state(state.target))
        if snapshots:
            log.info(
                "state restored",
                directory=str(self._directory.path),
                targets=len(snapshots),
                oldest_seconds=round(now - min(snapshot.at for snapshot in snapshots.values()), 1),
            )
        for state in states:
            for alert in self._board.state(state.target).alerts:
                log.info(
                    "alert was firing before the restart",
                    target=state.target,
                    alertname=str(alert.name),
                    severity=str(alert.severity),
                    since=f"{moment(alert.since)} UTC",
                    reason=alert.description,
                )

    async def turn(self) -> None:
        """Keep the states that are due; to be called every second."""
        for state in self._board.states():
            news = _firing(state) != self._firing.get(state.target)
            if news or time.monotonic() >= self._due.get(state.target, 0.0):
                await self._keep(state)

    async def finish(self) -> None:
        """Keep every state, as many as can be within a few seconds, and let go of the directory."""
        if await self.keep(state.target for state in self._board.states()):
            self._directory.close()

    async def keep(self, targets: Iterable[str]) -> bool:
        """Keep the states of *targets* now; return whether there was time for all of them."""
        left = set(targets)
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                for target in tuple(left):
                    await self._keep(self._board.state(target))
                    left.discard(target)
        except TimeoutError:
            log.warning("not every state was saved in time", targets_left=len(left))
        return not left

    def _gone(self, target: str) -> None:
        """Forget *target*, but not its file: it may come back."""
        self._due.pop(target, None)
        self._firing.pop(target, None)
        self._failing.discard(target)

    def _read(self, states: Iterable[State], now: float) -> dict[str, Snapshot]:
        try:
            self._directory.take()
            self._take_over({state.target for state in states}, now)
        except OSError as error:
            self._failed("", error)
        snapshots: dict[str, Snapshot] = {}
        for state in states:
            target = state.target
            try:
                data = self._directory.read(target)
                if data is not None:
                    snapshots[target] = unpack(data, target, now)
            except (DamagedError, OSError) as error:
                self._set_aside(target, _why(error))
        return snapshots

    def _take_over(self, targets: set[str], now: float) -> None:
        """Have the unnamed target go on with what it left under its former name."""
        name = self._unnamed
        if name is None or name not in targets or FORMER_NAME in targets:
            return
        if self._directory.file(name).exists():
            return
        try:
            data = self._directory.read(FORMER_NAME)
            if data is None:
                return
            snapshot = unpack(data, FORMER_NAME, now)
        except (DamagedError, OSError) as error:
            self._set_aside(FORMER_NAME, _why(error))
            return
        self._directory.write(name, pack(snapshot, name))
        self._directory.file(FORMER_NAME).unlink()
        log.info("saved state renamed", target=name, formerly=FORMER_NAME)

    def _set_aside(self, target: str, reason: str) -> None:
        words = "saved state is unusable; starting without it"
        aside: str | None = None
        if self._directory.ours:
            try:
                aside = str(self._directory.set_aside(target))
            except OSError as error:
                reason += f" (and it cannot be set aside: {_why(error)})"
        file = str(self._directory.file(target))
        log.warning(words, target=target, file=file, reason=reason, set_aside_as=aside)

    async def _keep(self, state: State) -> None:
        # Whatever comes of it: what fails is tried again in a minute, not every second.
        self._due[state.target] = time.monotonic() + EVERY_SECONDS
        self._firing[state.target] = _firing(state)
        if not state.usage.history.rungs[0] and not state.active:
            return
        now = time.time()
        try:
            await asyncio.to_thread(self._write, state, now)
        except OSError as error:
            self._own.state_saved(None)
            self._failed(state.target, error)
            return
        self._own.state_saved(now)
        self._failing -= {state.target, ""}
        if not self._failing:
            self._trouble.end(directory=str(self._directory.path))

    def _write(self, state: State, now: float) -> None:
        self._directory.write(state.target, pack(taken(state, now), state.target))

    def _failed(self, target: str, error: OSError) -> None:
        self._failing.add(target)
        self._trouble.begin(directory=str(self._directory.path), reason=_why(error))


def _firing(state: State) -> object:
    return [alert.key for alert in state.alerts]


def _why(error: DamagedError | OSError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
