"""Serves /metrics, /probe, health and readiness, the status page and its API over HTTP.

Nothing here ever asks a server anything: a request is answered from what the board holds.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from pgheadroom.board import Board
from pgheadroom.metrics.exposition import Exposition, Format, collected, end
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.web.api import Api
from pgheadroom.web.assets import Assets
from pgheadroom.web.limits import PIECE, Listener, Pieces
from pgheadroom.web.stream import Stream

_OWN_SECONDS = 1.0
"""How old the daemon's figures about itself may be: reading them takes system calls."""

_HEADERS = {
    # The page needs nothing but its own files; nothing that a client of a database calls itself
    # may become a script, and a script cannot make markup of text.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_GZIP_LEVEL = 1  # a page repeats itself so much that more effort wins little
_SMALL = 64 * 1024  # bytes; compressing more than that is a worker thread's business


Reload = Callable[[], Awaitable[tuple[int, str]]]
"""Reads the configuration again; returns the status to answer with, and the words."""

_RELOAD_IS_OFF = "enable_reload is off; SIGHUP does the same\n"
_NO_PAGE_RELOADS = (
    "a page in a browser asked for this, and none may: it could be anybody's. Reload with"
    " curl -X POST, or with SIGHUP\n"
)


@dataclass(slots=True)
class _Made:
    """A finished body, and what it was made of."""

    key: tuple[int, int]
    body: bytes


class Pages:
    """The bodies of /metrics, plain and compressed, each made once for all scrapes."""

    def __init__(self, exposition: Exposition, own: SelfMetrics) -> None:
        self._exposition = exposition
        self._own = own
        self._plain: dict[Format, _Made] = {}
        self._compressed: dict[Format, tuple[tuple[int, int], asyncio.Task[bytes]]] = {}

    def metrics(self, format_: Format) -> bytes:
        """Return the whole page."""
        key = self._key()
        page = self._plain.get(format_)
        if page is None or page.key != key:
            own = collected(self._own.registry, format_)
            page = _Made(key, self._exposition.page(format_) + own + end(format_))
            self._plain[format_] = page
        return page.body

    async def compressed(self, format_: Format) -> bytes:
        """Return the whole page, compressed; however many ask, it is done once."""
        body = self.metrics(format_)
        key = self._plain[format_].key
        page = self._compressed.get(format_)
        if page is None or page[0] != key:
            page = (key, asyncio.create_task(compress(body)))
            self._compressed[format_] = page
        # Shielded: the scraper that came first may leave before the others.
        return await asyncio.shield(page[1])

    def probe(self, format_: Format, target: str) -> bytes:
        """Return the series of *target* alone; KeyError when there is none of that name."""
        return self._exposition.page(format_, target) + end(format_)

    def _key(self) -> tuple[int, int]:
        return self._exposition.version, int(time.monotonic() / _OWN_SECONDS)


async def compress(body: bytes) -> bytes:
    """Return *body* in gzip's format, without holding the loop up for a large one."""
    if len(body) <= _SMALL:
        return gzip.compress(body, _GZIP_LEVEL)
    return await asyncio.to_thread(gzip.compress, body, _GZIP_LEVEL)


class Site:
    """What is answered to which request; *reload* is None where none may be asked for."""

    def __init__(
        self,
        board: Board,
        exposition: Exposition,
        own: SelfMetrics,
        reload: Reload | None = None,
    ) -> None:
        self._board = board
        self._reload = reload
        self._pages = Pages(exposition, own)
        self._assets = Assets()

    def application(self) -> web.Application:
        """Return the web application that shows what the board holds."""
        app = web.Application()
        app.on_response_prepare.append(_headers)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/probe", self._probe)
        app.router.add_get("/-/healthy", self._healthy)
        app.router.add_get("/-/ready", self._ready)
        app.router.add_post("/-/reload", self._reloaded)
        app.router.add_get("/", self._front)
        app.router.add_get("/targets/{name}", self._target)
        app.router.add_get("/static/{file}", self._static)
        Api(self._board).add_to(app)
        Stream(self._board).add_to(app)
        return app

    async def _metrics(self, request: web.Request) -> web.Response:
        format_ = Format.of(request.headers.get("Accept", ""))
        if _wants_gzip(request):
            return _page(await self._pages.compressed(format_), format_, compressed=True)
        return _page(self._pages.metrics(format_), format_)

    async def _probe(self, request: web.Request) -> web.Response:
        format_ = Format.of(request.headers.get("Accept", ""))
        names = request.query.getall("target", [])
        if len(names) != 1:
            return _say(400, "one target is needed: /probe?target=NAME\n")
        try:
            body = self._pages.probe(format_, names[0])
        except KeyError:
            return _say(404, self._configured())
        if _wants_gzip(request):
            return _page(await compress(body), format_, compressed=True)
        return _page(body, format_)

    async def _healthy(self, _request: web.Request) -> web.Response:
        return _say(200, "pgheadroom is running\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        waiting = [state.target for state in self._board.states() if state.outcome is None]
        if waiting:
            return _say(503, f"no reading yet of: {', '.join(waiting)}\n")
        return _say(200, "every target has been read\n")

    async def _reloaded(self, request: web.Request) -> web.Response:
        if self._reload is None:
            return _say(403, _RELOAD_IS_OFF)
        if _from_a_page(request):
            return _say(403, _NO_PAGE_RELOADS)
        return _say(*await self._reload())

    async def _front(self, request: web.Request) -> web.Response:
        states = self._board.states()
        if len(states) == 1:
            return self._assets.target(request, states[0].target, root="")
        return self._assets.list(request)

    async def _target(self, request: web.Request) -> web.Response:
        try:
            state = self._board.state(request.match_info["name"])
        except KeyError:
            return _say(404, self._configured())
        return self._assets.target(request, state.target, root="../")

    async def _static(self, request: web.Request) -> web.Response:
        return self._assets.static(request)

    def _configured(self) -> str:
        names = ", ".join(state.target for state in self._board.states())
        return f"no such target; configured are: {names}\n"


async def serve(
    app: web.Application, host: str | None, port: int, tls: ssl.SSLContext | None = None
) -> tuple[Listener, int]:
    """Listen at *host* and *port*; return what ends it (``cleanup()``) and the port in use.

    With *tls*, HTTPS is served and nothing else. Raises OSError when the address cannot be had.
    """
    listener = Listener(app, _without_nonsense("aiohttp.server"))
    try:
        return listener, await listener.open(host, port, tls)
    except BaseException:
        await listener.cleanup()
        raise


def _without_nonsense(name: str) -> logging.Logger:
    """Return the logger *name*; that a request is no HTTP it says at level debug alone.

    It is its sender's trouble, and a line for each would let anyone fill the disk.
    """
    logger = logging.getLogger(name)

    def of_ours(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, (HttpProcessingError, web.RequestPayloadError)):
            record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return record.levelno >= logger.getEffectiveLevel()

    logger.filters[:] = [of_ours]
    return logger


def _page(body: bytes, format_: Format, *, compressed: bool = False) -> web.Response:
    # Set as a whole, because aiohttp would write the parameters its own way.
    headers = {"Content-Type": format_.value, "Vary": "Accept, Accept-Encoding"}
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body if len(body) <= PIECE else Pieces(body), headers=headers)


def _say(status: int, words: str) -> web.Response:
    return web.Response(status=status, text=words)


def _from_a_page(request: web.Request) -> bool:
    """Tell whether a browser says that some page made it send *request*.

    Our own pages send none that changes anything. An origin that looks like ours is no proof: a
    name that is rebound to our address makes any page look so.
    """
    return "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none"


def _wants_gzip(request: web.Request) -> bool:
    return accepts_gzip(request.headers.get("Accept-Encoding", ""))


def accepts_gzip(accepted: str) -> bool:
    """Tell whether an Accept-Encoding header of *accepted* takes gzip."""
    for coding in accepted.split(","):
        name, _, weight = coding.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def _headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
