"""What may clients of the pages cost: how many connections, how long idle, how slowly read?

aiohttp has no such limits of its own. Nobody who asks is turned away for want of a connection: when
there are too many, the one that has asked for nothing for longest goes. Whoever takes an answer
too slowly is cut off, and until then holds a piece of a large page, not a copy of all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from aiohttp import web
from aiohttp.typedefs import Handler

MOST_CONNECTIONS: Final = 400
"""Beside sessions and the rest it fits into 1,024 file descriptors, what a process usually has."""
IDLE_SECONDS: Final = 75.0
"""A request, head included, has to come within that; longer than Prometheus waits by default."""
WRITE_SECONDS: Final = 30.0
"""An answer has to be taken within that."""
HANDSHAKE_SECONDS: Final = 10.0
PIECE: Final = 64 * 1024
"""Bytes of a body that are handed to a connection at once."""

_SWEEP_SECONDS: Final = 2.0
_ACCEPTS_AT_ONCE: Final = 8  # so that samples have their turn while a thousand clients knock
_WAITING: Final = 1024  # connections that the kernel keeps for us meanwhile
_SEND_BUFFER: Final = 128 * 1024  # what the kernel may hold for a client; by default megabytes


class Door:
    """Where clients come in, and are shown out again."""

    def __init__(self, app: web.Application, most: int = MOST_CONNECTIONS) -> None:
        """Limit the clients of *app*, which has not been set up yet."""
        self._most = most
        self._handling: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._answered: WeakKeyDictionary[asyncio.WriteTransport, float] = WeakKeyDictionary()
        app.middlewares.insert(0, self._note)
        app.cleanup_ctx.append(self._sweeping)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=IDLE_SECONDS
        )
        self._listener: asyncio.Server | None = None

    async def open(self, host: str | None, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen at *host* and *port*; return the port in use. Raises OSError if that fails."""
        await self._runner.setup()
        self._listener = await asyncio.get_running_loop().create_server(
            self._enter,
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else HANDSHAKE_SECONDS,
            backlog=_ACCEPTS_AT_ONCE,
        )
        for shared in self._listener.sockets:
            with socket.socket(fileno=socket.dup(shared.fileno())) as listening:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
                listening.listen(_WAITING)
        return int(self._listener.sockets[0].getsockname()[1])

    async def cleanup(self) -> None:
        """Close, after a moment for the answers that are under way."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def _enter(self) -> web.RequestHandler:
        """Return what serves a new connection; end another one if there are too many."""
        server = self._runner.server
        assert server is not None  # noqa: S101 - there are no connections before or after
        transports = [handler.transport for handler in server.connections]
        there = [one for one in transports if one is not None and not one.is_closing()]
        if len(there) >= self._most:
            idle = [one for one in there if one not in self._handling]
            if idle:  # it is: handlers take milliseconds, and streams are limited
                # Of those who never asked, the one that came first.
                min(idle, key=lambda one: self._answered.get(one, 0.0)).abort()
        return server()

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        if transport is None:  # gone already, and nobody else's business
            return await handler(request)
        self._handling.add(transport)
        try:
            return await handler(request)
        finally:
            self._handling.discard(transport)
            self._answered[transport] = asyncio.get_running_loop().time()

    async def _sweeping(self, _app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._sweep())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _sweep(self) -> None:
        """Cut off who has not taken an answer in time, also when it was to be the last one."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            late = asyncio.get_running_loop().time() - WRITE_SECONDS
            for transport, at in list(self._answered.items()):
                if (
                    at < late
                    and transport not in self._handling
                    and transport.get_write_buffer_size()
                ):
                    transport.abort()


def in_pieces(body: bytes) -> bytes | AsyncIterator[bytes]:
    """Return *body* as it is if it is small, else what gives it piece by piece.

    The next piece is asked for when the client has taken most of those before.
    """
    return body if len(body) <= PIECE else _pieces(body)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]
        await asyncio.sleep(0)  # others have their turn
