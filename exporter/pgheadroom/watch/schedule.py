"""Calls each target's jobs on time, and never one of them twice at once.

The only module that knows of APScheduler.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

_WATCH_SECONDS = 0.5
_STEP_SECONDS = 0.5

Job = Callable[[], Awaitable[None]]
End = Callable[[], None]

# A target whose reading takes longer than the interval says so in its state; APScheduler would say
# it every second.
logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


class Schedule:
    """A timetable; jobs must not raise.

    APScheduler goes by the wall clock: set back by an hour, it would call nothing for an hour. So
    when the clock has been set back, the timetable is too.
    """

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={
                # One reading in flight per target; turns missed meanwhile are not made up for.
                "max_instances": 1,
                "coalesce": True,
                "misfire_grace_time": None,
            },
        )
        self._ahead_seconds = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def every(self, seconds: float, job: Job, *, first_after_seconds: float = 0.0) -> End:
        """Call *job* every *seconds* seconds, for the first time after *first_after_seconds*.

        Return what takes it off the timetable; not to be called after ``stop``.
        """
        first = datetime.now(UTC) + timedelta(seconds=first_after_seconds)
        entry = self._scheduler.add_job(job, "interval", seconds=seconds, next_run_time=first)
        return entry.remove  # type: ignore[no-any-return] # the library has no types

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._scheduler.start()
        self._ahead_seconds = _ahead_seconds()
        self._watch_clock()

    def _watch_clock(self) -> None:
        stepped = _ahead_seconds() - self._ahead_seconds
        self._ahead_seconds += stepped
        # Less is slewing. Ahead, everybody's turn has come at once, and is taken once.
        if stepped < -_STEP_SECONDS:
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=job.next_run_time + timedelta(seconds=stepped))
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(_WATCH_SECONDS, self._watch_clock)

    def stop(self) -> None:
        """Begin no job any more. Jobs that run are the caller's to end."""
        if self._watch is not None:
            self._watch.cancel()
        if self._scheduler.running:
            self._scheduler.pause()
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown(wait=False)


def _ahead_seconds() -> float:
    """Return by how much the wall clock is ahead of the monotonic one."""
    return time.time() - time.monotonic()
