"""Limits what HTTP clients may cost: connections, idle time, slow reading.

aiohttp has no such limits of its own. At the connection limit the
connection that has been idle longest is closed; new clients are always accepted. A client that
reads too slowly is cut off; until then it holds a piece of a large page, not a copy of all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from aiohttp.typedefs import Handler


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What is allowed."""

    connections: int = 400
    """With sessions and the rest they fit into 1,024 file descriptors, what a process may have."""
    idle_seconds: float = 75.0
    """A request has to come within that, head included; Prometheus pauses a minute by default."""
    write_seconds: float = 30.0
    """An answer has to be taken within that."""


DEFAULT_LIMITS: Final = ClientLimits()
HANDSHAKE_SECONDS: Final = 10.0
PIECE: Final = 16 * 1024
"""Bytes of a body that are handed to a connection at once."""

_SWEEPS: Final = 15  # in the time that an answer may take
_ACCEPTS_AT_ONCE: Final = 4  # so that samples have their turn while a thousand clients knock
_SHARE: Final = 50  # one in this many connections is closed when there are too many
_WAITING: Final = 1024  # connections that the kernel keeps for us meanwhile
_SEND_BUFFER: Final = 128 * 1024  # what the kernel may hold for a client; by default megabytes


class Listener:
    """Where clients come in, and are shown out again."""

    def __init__(
        self, app: web.Application, logger: logging.Logger, limits: ClientLimits = DEFAULT_LIMITS
    ) -> None:
        """Limit the clients of *app*, which has not been set up yet; aiohttp writes to *logger*."""
        self._limits = limits
        self._handling: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._answered: WeakKeyDictionary[asyncio.WriteTransport, float] = WeakKeyDictionary()
        app.middlewares.insert(0, self._note)
        app.cleanup_ctx.append(self._sweeping)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=logger,
            shutdown_timeout=1.0,
            keepalive_timeout=limits.idle_seconds,
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
        """Return what serves a new connection; end others if there are too many."""
        server = self._runner.server
        if server is None:
            raise RuntimeError("a connection came before the server was set up")
        if len(server.connections) >= self._limits.connections:
            transports = [handler.transport for handler in server.connections]
            there = [one for one in transports if one is not None and not one.is_closing()]
            # Some at once, for looking at them all takes a while, and more are about to come.
            room = (
                len(there) + max(1, self._limits.connections // _SHARE) - self._limits.connections
            )
            # Handlers take milliseconds, and streams are limited: enough of them are idle.
            idle = [one for one in there if one not in self._handling]
            # Of those who never asked, the ones that came first.
            for one in heapq.nsmallest(room, idle, key=lambda one: self._answered.get(one, 0.0)):
                _cut_off(one)
        return server()

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        if transport is None:  # gone already
            return await handler(request)
        transport.set_write_buffer_limits(PIECE)
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
            await asyncio.sleep(self._limits.write_seconds / _SWEEPS)
            late = asyncio.get_running_loop().time() - self._limits.write_seconds
            for transport, at in list(self._answered.items()):
                if (
                    at < late
                    and transport not in self._handling
                    and transport.get_write_buffer_size()
                ):
                    _cut_off(transport)


def _cut_off(transport: asyncio.WriteTransport) -> None:
    # With a reset, or the kernel would go on to send what it holds, for as long as that takes.
    line = transport.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Pieces(Payload):
    """A body that is handed on piece by piece, the next one when the client took the ones before.

    However slowly a client reads, it holds a few pieces of the page and shares the rest.
    """

    _value: bytes

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all pieces."""
        for start in range(0, len(self._value), PIECE):
            await writer.write(self._value[start : start + PIECE])
            await writer.drain()
            await asyncio.sleep(0)  # others have their turn
