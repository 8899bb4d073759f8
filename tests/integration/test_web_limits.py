"""Tests that clients that misbehave stay within their limits and others notice nothing."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from tests.support.servers.wait import auntil

from pgheadroom.web.limits import ClientLimits, Listener, Pieces

LARGE = bytes(range(256)) * 64 * 1024  # more than the kernel's buffers at both ends hold
ASK = b"GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n"
DEADLINE = 10

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def small(_request: web.Request) -> web.Response:
    return web.Response(text="small")


async def large(_request: web.Request) -> web.Response:
    return web.Response(body=Pieces(LARGE))


@contextlib.asynccontextmanager
async def opened(limits: ClientLimits) -> AsyncIterator[int]:
    """Serve two pages within *limits*; the value is the port."""
    app = web.Application()
    app.router.add_get("/small", small)
    app.router.add_get("/large", large)
    listener = Listener(app, logging.getLogger("aiohttp.server"), limits)
    try:
        yield await listener.open("127.0.0.1", 0, None)
    finally:
        await listener.cleanup()


@contextlib.asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):  # cut off: that may be what is tested
            await writer.wait_closed()


async def answer(there: Line) -> bytes:
    """Ask for the small page, and return the status line."""
    there[1].write(ASK)
    head = await asyncio.wait_for(there[0].readuntil(b"\r\n\r\nsmall"), DEADLINE)
    return head.partition(b"\r\n")[0]


async def gone(there: Line) -> bool:
    """Wait for the end of the line."""
    try:
        return await asyncio.wait_for(there[0].read(), DEADLINE) == b""
    except ConnectionResetError:
        return True


async def test_of_too_many_the_silent_one_goes_and_who_asks_stays() -> None:
    async with opened(ClientLimits(connections=3)) as port, contextlib.AsyncExitStack() as stack:
        asked, silent, also_asked = [await stack.enter_async_context(line(port)) for _ in range(3)]
        for there in (asked, also_asked):
            assert await answer(there) == b"HTTP/1.1 200 OK"
        fourth = await stack.enter_async_context(line(port))
        assert await gone(silent)
        for there in (fourth, also_asked, asked):
            assert await answer(there) == b"HTTP/1.1 200 OK"
        await stack.enter_async_context(line(port))
        # All of them have asked: it is the one whose last request is longest ago.
        assert await gone(fourth)
        for there in (also_asked, asked):
            assert await answer(there) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("said", [b"", b"GET /small HTTP/1.1\r\nHost: loc", ASK])
async def test_who_does_not_ask_in_time_is_cut_off(said: bytes) -> None:
    async with opened(ClientLimits(idle_seconds=0.3)) as port, line(port) as (reader, writer):
        writer.write(said)
        heard = await asyncio.wait_for(reader.read(), DEADLINE)
        assert heard.endswith(b"small") == (said == ASK)


async def test_who_takes_an_answer_too_slowly_is_cut_off() -> None:
    async with opened(ClientLimits(write_seconds=0.5)) as port:
        loop = asyncio.get_running_loop()
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.settimeout(0)
            await loop.sock_connect(slow, ("127.0.0.1", port))
            await loop.sock_sendall(slow, ASK.replace(b"/small", b"/large"))

            def cut_off() -> bool:
                # Not by reading: what came before the end would be read first.
                return slow.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET

            await auntil(cut_off, DEADLINE, "end of the slow one")


async def test_a_large_answer_is_whole() -> None:
    async with opened(ClientLimits()) as port, line(port) as (reader, writer):
        for _ in range(2):  # the line stays open
            writer.write(ASK.replace(b"/small", b"/large"))
            await reader.readuntil(b"\r\n\r\n")
            assert await asyncio.wait_for(reader.readexactly(len(LARGE)), DEADLINE) == LARGE
