"""Samples like the daemon, serves nothing, and writes each reading to a recording."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Mapping

from pgheadroom.board import Board
from pgheadroom.commands.output import failure
from pgheadroom.config.resolve import identities, policy, sources
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.durations import moment
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.model.reading import Recorded
from pgheadroom.storage.recording import line_of
from pgheadroom.storage.recording_writer import RecordingWriter
from pgheadroom.watch.fleet import WatchedTarget
from pgheadroom.watch.jobs import Jobs
from pgheadroom.watch.sampler import Sampler
from pgheadroom.watch.schedule import Schedule

_FLUSH_SECONDS = 3.0
_PROGRESS_SECONDS = 60.0


class Output:
    """The standard output as a recording."""

    def __init__(self) -> None:
        self.readings = 0

    def write(self, reading: Recorded) -> None:
        """Write *reading* at once."""
        sys.stdout.write(line_of(reading) + "\n")
        sys.stdout.flush()
        self.readings += 1

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Do nothing: it stays open."""


class RecordingListener:
    """Writes every reading, as it comes, to the recording of its target."""

    def __init__(
        self, board: Board, recordings: Mapping[str, RecordingWriter], stop: asyncio.Event
    ) -> None:
        self._board = board
        self._recordings = recordings
        self._stop = stop

    def note(self, target: str, reading: Recorded) -> None:
        """Write *reading* of *target*; ask for the end when standard output takes no more."""
        self._recordings[target].write(reading)
        if failure() is not None:
            self._stop.set()

    async def flush(self) -> None:
        """Have every recording write what it holds back."""
        for recording in self._recordings.values():
            recording.flush()

    async def tell(self) -> None:
        """Tell the person at the terminal that it goes on."""
        now = moment(time.time())
        for state in self._board.states():
            used = "" if state.sample is None else f", {state.sample.main.used} in use"
            readings = self._recordings[state.target].readings
            words = f"{state.target}: {readings:,} readings; {state.outcome or 'none yet'}{used}"
            sys.stderr.write(f"{now}  {words}\n")


async def record(
    settings: Settings,
    targets: Mapping[str, TargetSettings],
    recordings: Mapping[str, RecordingWriter],
) -> None:
    """Sample *targets* and write each reading to its recording, until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for signalled in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signalled, stop.set)
    rules = policy(settings)
    board = Board(identities(targets), rules.thresholds)
    listener = RecordingListener(board, recordings, stop)
    schedule, own = Schedule(), SelfMetrics()
    jobs = Jobs(own)
    watched = [
        WatchedTarget(
            target,
            Sampler(name, sources(settings, name, target), rules, board, listener.note),
            jobs,
        )
        for name, target in targets.items()
    ]
    for number, target in enumerate(watched):
        target.begin(schedule, number, len(watched))
    schedule.every(_FLUSH_SECONDS, jobs.guarded("flush", listener.flush))
    if sys.stderr.isatty():
        progress = jobs.guarded("progress", listener.tell)
        schedule.every(_PROGRESS_SECONDS, progress, first_after_seconds=_PROGRESS_SECONDS)
    schedule.start()
    try:
        await stop.wait()
    finally:
        schedule.stop()
        await asyncio.gather(*(target.end() for target in watched))
        for recording in recordings.values():
            recording.close()
