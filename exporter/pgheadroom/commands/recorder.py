"""Samples like the daemon, serves nothing, and writes each reading to a recording."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping

from pgheadroom.board import Board
from pgheadroom.config.resolve import connect_options, policy
from pgheadroom.config.settings import Settings, TargetSettings
from pgheadroom.durations import moment
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.model.reading import Failure, Reading
from pgheadroom.state import State
from pgheadroom.storage.recording import line_of
from pgheadroom.storage.recording_writer import RecordingWriter
from pgheadroom.watch.jobs import Jobs
from pgheadroom.watch.sampler import Sampler
from pgheadroom.watch.schedule import Job, Schedule

_FLUSH_SECONDS = 3.0
_PROGRESS_SECONDS = 60.0


class Output:
    """The standard output as a tape."""

    def __init__(self) -> None:
        self.readings = 0

    def write(self, reading: Reading) -> None:
        """Write *reading* at once; raises BrokenPipeError when nobody reads on."""
        try:
            sys.stdout.write(line_of(reading) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still held back would fail again at the interpreter's end, and change the
            # exit status (docs.python.org, library/signal, note on SIGPIPE).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise
        self.readings += 1

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Do nothing: it stays open."""


class RecordingListener:
    """Writes down every state that the board is told, as the reading that led to it."""

    def __init__(
        self, board: Board, tapes: Mapping[str, RecordingWriter], stop: asyncio.Event
    ) -> None:
        self._board = board
        self._before = {state.target: state for state in board.states()}
        self._tapes = tapes
        self._stop = stop
        board.subscribe(self._note)

    def _note(self, state: State) -> None:
        reading = came(self._before[state.target], state, time.time())
        self._before[state.target] = state
        try:
            self._tapes[state.target].write(reading)
        except BrokenPipeError:
            self._stop.set()

    async def flush(self) -> None:
        """Have every tape write what it holds back."""
        for tape in self._tapes.values():
            tape.flush()

    async def tell(self) -> None:
        """Tell the person at the terminal that it goes on."""
        now = moment(time.time())
        for state in self._board.states():
            used = "" if state.sample is None else f", {state.sample.slots.used} slots in use"
            readings = self._tapes[state.target].readings
            words = f"{state.target}: {readings:,} readings; {state.outcome or 'none yet'}{used}"
            sys.stderr.write(f"{now}  {words}\n")


async def record(
    settings: Settings, targets: Mapping[str, TargetSettings], tapes: Mapping[str, RecordingWriter]
) -> None:
    """Sample *targets* and write what was read to the tape of each, until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for signalled in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signalled, stop.set)
    board = Board(targets)
    rules = policy(settings)
    samplers = [
        Sampler(connect_options(settings, name, target), rules, board)
        for name, target in targets.items()
    ]
    secretary = RecordingListener(board, tapes, stop)
    schedule, jobs = Schedule(), Jobs(SelfMetrics())

    def every(seconds: float, share: float, name: str, job: Job) -> None:
        if seconds:
            first = seconds * share
            schedule.every(seconds, jobs.guarded(name, job), first_after_seconds=first)

    for number, sampler in enumerate(samplers):
        every(settings.interval_seconds, number / len(samplers), "sample", sampler.sample)
        every(settings.knock_interval_seconds, number / len(samplers), "knock", sampler.knock)
    every(_FLUSH_SECONDS, 1, "flush", secretary.flush)
    every(_PROGRESS_SECONDS if sys.stderr.isatty() else 0, 1, "progress", secretary.tell)
    schedule.start()
    try:
        await stop.wait()
    finally:
        schedule.stop()
        await jobs.end()
        for sampler in samplers:
            sampler.close()
        for tape in tapes.values():
            tape.close()


def came(before: State, after: State, now: float) -> Reading:
    """Return the reading that led from one state to the next; a failure is dated *now*."""
    if after.sample is not None and after.sample is not before.sample:
        return after.sample
    if after.knock is not None and after.knock is not before.knock:
        return after.knock
    assert after.outcome is not None  # noqa: S101 - neither sample nor knock: it failed
    return Failure(now, after.outcome, after.detail)
