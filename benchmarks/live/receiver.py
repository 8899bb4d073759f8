"""Takes the daemon's posts in place of an Alertmanager, and notes when each alert came."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from tests.support.servers.ports import LOOPBACK


class Notice(NamedTuple):
    """An alert that began to fire, or ended, as a receiver learned of it."""

    at: float
    """When the post came, in seconds since the epoch."""
    firing: bool
    alert: str
    severity: str
    application_name: str | None
    """Whom it blames, if anyone."""
    summary: str
    description: str


Key = tuple[tuple[str, str], ...]


def news(posted: list[dict[str, Any]], at: float, firing: dict[Key, Notice]) -> list[Notice]:
    """Return what is new in *posted*, which came *at*, and bring *firing* up to date.

    An alert is known by its labels. It is posted again and again while it fires; only its
    beginning and its end are news.
    """
    found: list[Notice] = []
    for alert in posted:
        labels, notes = alert["labels"], alert["annotations"]
        key = tuple(sorted(labels.items()))
        over = datetime.fromisoformat(alert["endsAt"]).timestamp() <= at
        if over != (key in firing):
            continue
        notice = Notice(
            at,
            not over,
            labels["alertname"],
            labels["severity"],
            notes.get("application_name"),
            notes["summary"],
            notes["description"],
        )
        found.append(notice)
        if over:
            del firing[key]
        else:
            firing[key] = notice
    return found


class Receiver:
    """Listens on a port of its own while its context lasts."""

    def __init__(self) -> None:
        self.notices: Final[list[Notice]] = []
        self._firing: dict[Key, Notice] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """What the daemon takes for an Alertmanager."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def take(self, body: bytes, at: float) -> None:
        """Note what is new in *body*, the JSON of a post that came *at*."""
        with self._lock:
            self.notices.extend(news(json.loads(body), at, self._firing))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self.take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at = time.time()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Length", "0")
                self.end_headers()
                take(body, at)

            def log_message(self, *_: object) -> None:
                """Say nothing: what came is in the notices."""

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
