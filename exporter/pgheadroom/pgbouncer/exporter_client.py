"""Fetches the page of metrics of a pooler's own exporter, and turns it into readings."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus

from pgheadroom.model.reading import Failure, Outcome, Sample
from pgheadroom.net.http import HttpError, Request, ask
from pgheadroom.net.retry import Retry
from pgheadroom.pgbouncer.exporter_page import PageError, PageLimits, sample
from pgheadroom.postgres.login import ConnectOptions


class ExporterClient:
    """Samples one PgBouncer by the page at *url*; each reading is a request of its own."""

    def __init__(
        self,
        options: ConnectOptions,
        url: str,
        limits: PageLimits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._options = options
        self._url = url
        self._limits = limits
        self._clock = clock
        self.retry = Retry(options.backoff_first_seconds, options.backoff_longest_seconds)
        self._alive = False
        self.ended_by = ""
        """Always empty: no connection is kept that could end."""
        self.lost = False
        self.entered = False

    @property
    def alive(self) -> bool:
        """Whether it answered when we last asked."""
        return self._alive

    async def read(self) -> Sample | Failure | None:
        """Ask once; None while the back-off after a failed attempt lasts."""
        if not self.retry.due:
            return None
        began = time.monotonic()
        outcome, detail = Outcome.ERROR, ""
        try:
            text = await self._page()
            found = sample(text, self._limits, self._clock(), time.monotonic() - began)
        except HttpError as error:
            detail = str(error)
            silent = detail.startswith("no answer")
            outcome = Outcome.TIMEOUT if silent else Outcome.UNREACHABLE
        except PageError as error:
            detail = str(error)
        else:
            self._alive = True
            self.retry.succeeded()
            return found
        self._alive = False
        self.retry.failed_with(outcome, began)
        return Failure(self._clock(), outcome, f"{self._url}: {detail}")

    async def _page(self) -> str:
        seconds = self._options.read_timeout_seconds
        answer = await ask(Request(self._url, timeout_seconds=seconds))
        if answer.status != HTTPStatus.OK:
            raise PageError(f"HTTP status {answer.status}")
        return answer.body.decode(errors="replace")

    def trace(self, *, wanted: bool) -> None:
        """Do nothing: the page does not tell server connections one by one."""

    def close(self) -> None:
        """Do nothing: nothing is kept open."""
