"""Observes with one quiet scraper whether samples come on time and /metrics answers.

The page holds when each target's newest sample was taken. Read more often than samples are taken,
it shows every one of them; a sample that the observer itself missed makes a gap, and so counts as
late: what is said here errs on the strict side.
"""

from __future__ import annotations

import gzip
import itertools
import re
import threading
import time
from collections.abc import Iterable
from http.client import HTTPException
from types import TracebackType
from typing import Final, NamedTuple, Self

from benchmarks.support.watchers import Scraper, Watcher

_STAMP: Final = re.compile(
    rb'^pgheadroom_sample_timestamp_seconds\{server="[^"]*",target="([^"]+)"\} (\S+)$', re.MULTILINE
)


class Scrape(NamedTuple):
    """How one scrape of the observer went."""

    at: float
    """Seconds since the epoch."""
    seconds: float | None
    """How long it took; None if it failed."""


class Observer:
    """Scrapes every *pause* seconds through one kept connection, for as long as the context lasts.

    It knows of each target when its samples were taken, and of each scrape how long it took.
    """

    def __init__(self, watcher: Watcher, pause: float, interval: float = 1.0) -> None:
        self._watcher = watcher
        self._pause = pause
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.stamps: dict[str, list[float]] = {}
        self.scrapes: list[Scrape] = []
        self.page = b""

    def _watch(self) -> None:
        scraper = Scraper(self._watcher)
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause, time.monotonic())
            at, began = time.time(), time.perf_counter()
            try:
                page = scraper.scrape()
            except (OSError, HTTPException):
                self.scrapes.append(Scrape(at, None))
                scraper.close()  # the next scrape opens it anew
                continue
            self.scrapes.append(Scrape(at, time.perf_counter() - began))
            self.page = gzip.decompress(page)
            for name, stamp in _STAMP.findall(self.page):
                known = self.stamps.setdefault(name.decode(), [])
                if not known or known[-1] != float(stamp):
                    known.append(float(stamp))
        scraper.close()

    def late(self, targets: Iterable[str], begin: float, end: float) -> list[float]:
        """Return how many seconds too late the samples of *targets* came from *begin* to *end*.

        The distance to the sample before, less the interval; one that never came by *end* counts
        as having come then. Times are seconds since the epoch.
        """
        found = []
        for target in targets:
            pairs = itertools.pairwise([*self.stamps[target], end])
            found += [max(0.0, b - a - self._interval) for a, b in pairs if begin < b <= end]
        return found

    def took(self, begin: float, end: float) -> list[float]:
        """Return how many seconds the scrapes from *begin* to *end* took that did not fail."""
        return [s.seconds for s in self.scrapes if begin <= s.at <= end and s.seconds is not None]

    def failed(self, begin: float, end: float) -> int:
        """Return how many scrapes from *begin* to *end* failed."""
        return sum(1 for s in self.scrapes if begin <= s.at <= end and s.seconds is None)

    def first_after(self, target: str, moment: float) -> float | None:
        """Return when *target* was first sampled after *moment*, if it was."""
        return next((stamp for stamp in self.stamps.get(target, ()) if stamp > moment), None)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
