"""When is whose turn: calls each target's jobs on time, never one twice at once.

The only module that knows of APScheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

Job = Callable[[], Awaitable[None]]
End = Callable[[], None]

# A target whose reading takes longer than the interval says so in its state; APScheduler would say
# it every second.
logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


class Schedule:
    """A timetable; jobs must not raise."""

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

    def every(self, seconds: float, job: Job, *, first_after_seconds: float = 0.0) -> End:
        """Call *job* every so many *seconds*, for the first time after *first_after_seconds*.

        Return what takes it off the timetable; not to be called after ``stop``.
        """
        first = datetime.now(UTC) + timedelta(seconds=first_after_seconds)
        entry = self._scheduler.add_job(job, "interval", seconds=seconds, next_run_time=first)
        return entry.remove  # type: ignore[no-any-return] # the library has no types

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no job any more. Jobs that run are the caller's to end."""
        if self._scheduler.running:
            self._scheduler.pause()
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown(wait=False)
