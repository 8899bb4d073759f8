"""Runs jobs: a bug ends one of them loudly, and all of them can be ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from pgheadroom.metrics.own import SelfMetrics

log = structlog.get_logger("pgheadroom.daemon")

_GRACE_SECONDS = 1.0

OnBug = Callable[[Exception], None]


class Jobs:
    """The jobs that run: a bug ends one of them loudly, and all of them can be ended.

    A bug is logged and counted in *own*; *on_bug* is called with it too.
    """

    def __init__(self, own: SelfMetrics, on_bug: OnBug | None = None) -> None:
        self._own = own
        self._on_bug = on_bug
        self._running: dict[asyncio.Task[None], tuple[str, float]] = {}
        self._repeating: set[asyncio.Task[None]] = set()
        self._ended = False

    def guarded(
        self, name: str, work: Callable[[], Awaitable[object]]
    ) -> Callable[[], Awaitable[None]]:
        """Return *work* as a job that never raises: what it raises is logged and counted."""

        async def job() -> None:
            if self._ended:
                return  # its turn had come already
            task = asyncio.ensure_future(self._logged(name, work))
            self._running[task] = name, time.monotonic()
            task.add_done_callback(self._running.pop)
            await asyncio.wait([task])

        return job

    def longest_seconds(self, name: str) -> float:
        """Return for how long the oldest job *name* has been running; 0 if none runs."""
        now = time.monotonic()
        return max((now - at for which, at in self._running.values() if which == name), default=0.0)

    def repeat(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do *work*, which keeps its own beat, again and again until the end."""
        job = self.guarded(name, work)

        async def again_and_again() -> None:
            while True:
                await job()

        self._repeating.add(asyncio.create_task(again_and_again()))

    async def end(self) -> None:
        """Cancel what still runs, and wait a moment for it; nothing begins any more."""
        self._ended = True
        # What repeats first, or it would start again.
        tasks = [*self._repeating, *self._running]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE_SECONDS)

    async def _logged(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        # The one place where a bug is caught: it must not stop the other targets.
        except Exception as bug:
            self._own.bug(name)
            log.exception("unexpected exception", job=name)
            if self._on_bug is not None:
                self._on_bug(bug)
