"""Receives Alertmanager's webhooks, and records which page arrived when."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from tests.support.servers.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class Page:
    """One message of an Alertmanager about one group of alerts."""

    at: float
    """When it came, by the monotonic clock, in seconds."""
    way: str
    """The path that it came by."""
    firing: bool
    group: str
    """Alertmanager's key of the group, by which a pager tells one incident from another."""
    alerts: list[dict[str, Any]]

    def values(self, kind: str, name: str) -> set[str | None]:
        """Return what its alerts have as *name* among their `labels` or `annotations`."""
        return {alert[kind].get(name) for alert in self.alerts}


class Pager:
    """Listens while its context lasts, in the event loop of the test."""

    def __init__(self) -> None:
        self.pages: Final[list[Page]] = []
        app = web.Application()
        app.router.add_post("/{way}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    def url(self, way: str) -> str:
        """Return where to post what is to be noted as *way*."""
        return f"http://{LOOPBACK}:{self._runner.addresses[0][1]}/{way}"

    def about(self, way: str, target: str) -> list[Page]:
        """Return the pages that came by *way* about *target*, oldest first."""
        return [
            page
            for page in self.pages
            if page.way == way and target in page.values("labels", "target")
        ]

    async def _take(self, request: web.Request) -> web.Response:
        at = time.monotonic()
        told = await request.json()
        way = request.match_info["way"]
        self.pages.append(
            Page(at, way, told["status"] == "firing", told["groupKey"], told["alerts"])
        )
        return web.Response()

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
