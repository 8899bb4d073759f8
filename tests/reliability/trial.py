"""Runs the whole daemon through a fault of one of its two servers, and judges it."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest
from tests.reliability.catalogue import FAULTS
from tests.reliability.observer import Observer
from tests.reliability.results import Row, keep
from tests.support.servers.headroom import Headroom
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

LONG: Final = os.environ.get("RELIABILITY") == "long"
"""Whether faults last as long as the document says, and daemons run with their own settings."""

only_long = pytest.mark.skipif(not LONG, reason="made by `make reliability` only, for CI's time")
"""For faults that have tests of the sampler too, or a sister among those of the short run."""

INTERVAL_SECONDS: Final = 1.0
_SHORT: Final = {
    "connect_timeout_seconds": 1.0,
    "read_timeout_seconds": 1.0,
    "backoff_longest_seconds": 2.0,
    "knock_interval_seconds": 5.0,
}
_NOTICED_SECONDS: Final = 0.5
"""What a sample may come late, and the page be seen late, on a machine that has other work."""
_SLOWEST_PAGE_SECONDS: Final = 0.25
_MOST_GROWTH_BYTES: Final = 16 * 2**20


class Trial:
    """A daemon that watches `faulty`, at *dsn*, and *calm*; a context in which the fault happens.

    *servers* are those on which our connections are counted. On the way out it waits for the
    first sample after `over`, holds what was seen against what may be, and keeps the figures. Two
    connections may be seen for *two_seconds*, while one replaces the other. With *counter*, a
    session that counts them, the server is full already and the daemon begins blind.
    """

    def __init__(
        self,
        folder: Path,
        fault: str,
        dsn: str,
        calm: Postgres,
        servers: Sequence[Postgres],
        *,
        passes: set[str],
        password_file: Path | None = None,
        counter: Session | None = None,
        two_seconds: float = 0.5,
        storm: bool = False,
        environment: Mapping[str, str],
    ) -> None:
        self.fault = FAULTS[fault]
        self._key = fault
        self._passes = passes | {"ok"}
        faulty: dict[str, Any] = {"dsn": dsn}
        if password_file is not None:
            faulty["password_file"] = str(password_file)
        config = {
            "log_format": "json",
            "interval_seconds": INTERVAL_SECONDS,
            "targets": {"faulty": faulty, "calm": calm.dsn(tcp=False)},
            **({} if LONG else _SHORT),
        }
        self.daemon = Headroom(folder, json.dumps(config), **environment)
        self._servers = servers
        self._counter = counter
        self._two_seconds = two_seconds
        # Where 120 clients share two processors with us, everybody waits for those.
        self._patience = 4 if storm else 1
        self._stack = ExitStack()
        self._over = 0.0
        self._said: dict[str, float] = {}
        self.notes: list[str] = []
        """What else is worth a word in the table."""

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.enter_context(self.daemon)
            self.daemon.ready()
            self.observer = Observer(self.daemon, self._servers, self._counter)
            self._is_ok = lambda: self.observer.look().state == "ok"
            if self._counter is None:
                until(self._is_ok, 10, "first sample")
            self._log_start = self.daemon.log.size()
            self._stack.enter_context(self.observer)
            # So that the first pause that is measured is a whole one.
            self.goes_on(1.5 * INTERVAL_SECONDS)
            self._stack = self._stack.pop_all()
        return self

    def goes_on(self, seconds: float) -> None:
        """Let things go on for so long; the measure is what happens meanwhile."""
        end = time.monotonic() + seconds
        until(lambda: time.monotonic() >= end, seconds + 5, "end of the wait")

    def length(self, short: float, long: float) -> float:
        """Return how many seconds the fault shall last: *long* where time is no matter."""
        self._said["seconds"] = long if LONG else short
        return self._said["seconds"]

    def lasts(self, short: float, long: float) -> None:
        """Let the fault last as long as it shall."""
        self.goes_on(self.length(short, long))

    def counts(self, **figures: float) -> None:
        """Put figures into the words of how the fault was made."""
        self._said |= figures

    def shows(self, state: str, seconds: float = 20) -> None:
        """Wait until the page shows *state*."""
        until(lambda: self.observer.look().state == state, seconds, f"state {state}")

    def over(self) -> None:
        """Say that the fault is over; from here on a sample is due."""
        self._over = time.monotonic()
        self._before = self.observer.looks[-1].faulty

    def lines(self) -> list[dict[str, Any]]:
        """Return what the log says of the faulty server since the trial began."""
        told = [json.loads(line) for line in self.daemon.log.read(self._log_start).splitlines()]
        return [line for line in told if line.get("target") == "faulty"]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._stack:
            if error is None:
                assert self._over, "a trial says when its fault is over"
                back = until(self._back, 40, "sample after the fault")
                until(self._is_ok, 10, "state ok")
                self.goes_on(INTERVAL_SECONDS / 2)
        if error is None:
            self._judge(back)

    def _back(self) -> float:
        """Return when the first sample after the fault was seen; 0 while there is none."""
        looks = list(self.observer.looks)
        news = (look.at for look in looks if look.at > self._over and look.faulty != self._before)
        return next(news, 0.0)

    def _judge(self, back: float) -> None:
        seen = self.observer
        assert not seen.complaints, seen.complaints
        lines = self.lines()
        back_seconds = max(0.0, back - self._over)
        slowest = max(look.took_seconds for look in seen.looks)
        growth = seen.looks[-1].memory_bytes - seen.looks[0].memory_bytes
        keep(
            Row(
                fault=self._key,
                title=self.fault.title,
                made=self.fault.made.format(**self._said),
                states=seen.states,
                blind_seconds=seen.blind_seconds,
                back_seconds=back_seconds,
                connections=seen.most_connections,
                two_seconds=seen.longest_two_seconds,
                slowest_page_ms=slowest * 1000,
                calm_gap_seconds=seen.longest_calm_gap_seconds,
                lines=len(lines),
                growth_mib=growth / 2**20,
                notes=self.notes,
            )
        )
        assert set(seen.states) <= self._passes
        assert seen.most_connections <= 2
        assert seen.longest_two_seconds <= self._two_seconds
        assert seen.longest_calm_gap_seconds <= (1 + self._patience) * INTERVAL_SECONDS
        assert slowest <= _SLOWEST_PAGE_SECONDS * self._patience
        assert growth <= _MOST_GROWTH_BYTES
        assert back_seconds <= self._promised(lines) + _NOTICED_SECONDS
        told = [line.get("state", "ok") for line in _of_readings(lines)]
        assert all(earlier != later for earlier, later in pairwise(["ok", *told])) or (
            self._counter is not None
        ), told

    def _promised(self, lines: Sequence[dict[str, Any]]) -> float:
        """Return how long after the fault the first sample may come."""
        named = [line.get("retry_seconds_at_most") or 0.0 for line in _of_readings(lines)]
        return max([2 * INTERVAL_SECONDS, *named])


def _of_readings(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        line for line in lines if line["event"] in {"target unreadable", "target readable again"}
    ]
