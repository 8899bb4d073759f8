"""Runs clients of /metrics that misbehave, each kind for a while, and counts the answers.

    echo | python -m benchmarks.support.http_load WAY PORT SECONDS

A process of its own, so that it takes no time from whoever measures; it begins when it is told a
line.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from tests.support.servers.ports import LOOPBACK

_SCRAPERS: Final = 200
_PER_SECOND: Final = 50
_SLOW: Final = 200
_IDLE: Final = 1000
_HALF: Final = 200
_LISTENERS: Final = 120
"""More than the daemon hears."""
_RUDE: Final = 20
_SIPS: Final = 2
_SMALL_BUFFER: Final = 4096
"""What a slow reader's kernel takes for it, so that the rest stays with the daemon."""
_GET: Final = b"GET %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
_ACCEPT_TEXT: Final = b"Accept: text/plain\r\n"
_ACCEPT_GZIP: Final = b"Accept-Encoding: gzip\r\nAccept: application/openmetrics-text\r\n"
_METHODS: Final = (b"POST", b"PUT", b"DELETE", b"TRACE", b"OPTIONS", b"CONNECT", b"FOO", b"PRI")
_PATHS: Final = (
    b"/../../etc/passwd", b"/%00", b"//", b"/metrics/../..", b"/targets/%ff%fe", b"/static/..%2f..",
    b"/probe?target=nobody", b"/" + b"a" * 6000, b"/api/v1/targets/nobody", b"*", b"http://x/",
)  # fmt: skip
_HEADERS: Final = (
    b"X: " + b"a" * 100_000,
    b"".join(b"X%d: y\r\n" % n for n in range(5000)).removesuffix(b"\r\n"),
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked\r\nContent-Length: 3",
    b"X: \x00\x01\xff",
    b": nothing",
)

Answers = Counter[str]
Way = Callable[[int, Answers], Awaitable[None]]


class _Line:
    """One connection, which is closed with the context."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._reader, self._writer = await asyncio.open_connection(LOOPBACK, self._port)
        return self._reader, self._writer

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()


async def _answer(reader: asyncio.StreamReader) -> str:
    """Read one whole answer, return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))
    return head.split(b" ", 2)[1].decode()


async def _scrape(port: int, answers: Answers) -> None:
    """Scrape again and again through one connection."""
    async with _Line(port) as (reader, writer):
        while True:
            writer.write(_GET % (b"/metrics", _ACCEPT_GZIP))
            answers[await _answer(reader)] += 1
            await asyncio.sleep(1)


async def _scrape_anew(port: int, answers: Answers) -> None:
    """Scrape once, through a connection of its own."""
    async with _Line(port) as (reader, writer):
        writer.write(_GET % (b"/metrics", _ACCEPT_GZIP))
        answers[await _answer(reader)] += 1


async def _sip(port: int, answers: Answers, path: bytes = b"/metrics") -> None:
    """Ask for a page, uncompressed, many times, and read a byte a second."""
    loop = asyncio.get_running_loop()
    with socket.socket() as line:
        # Set before it connects: what is not read then stays with the daemon.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        line.settimeout(0)
        await loop.sock_connect(line, (LOOPBACK, port))
        await loop.sock_sendall(line, _GET % (path, _ACCEPT_TEXT) * _SIPS)
        answers["asked"] += 1
        while await loop.sock_recv(line, 1):  # noqa: ASYNC110 - the pause is what it is about
            await asyncio.sleep(1)
        answers["cut off"] += 1


async def _listen(port: int, answers: Answers) -> None:
    await _sip(port, answers, b"/api/v1/stream")


async def _idle(port: int, answers: Answers) -> None:
    """Connect and say nothing."""
    async with _Line(port) as (reader, _):
        answers["connected"] += 1
        await reader.read()
        answers["cut off"] += 1


async def _half(port: int, answers: Answers) -> None:
    """Send a request that never ends, a header a second."""
    async with _Line(port) as (reader, writer):
        answers["connected"] += 1
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")
        over = asyncio.ensure_future(reader.read())
        try:
            for number in itertools.count():
                done, _ = await asyncio.wait({over}, timeout=1)
                if done:
                    break
                writer.write(b"X%d: y\r\n" % number)
        finally:
            over.cancel()
        answers["cut off"] += 1


def _rude(requests: Sequence[bytes]) -> Way:
    """Send each of *requests* through a connection of its own, again and again."""

    async def way(port: int, answers: Answers) -> None:
        for request in itertools.cycle(requests):
            async with _Line(port) as (reader, writer):
                writer.write(request)
                with contextlib.suppress(asyncio.IncompleteReadError, TimeoutError):
                    async with asyncio.timeout(5):
                        answers[await _answer(reader)] += 1
            await asyncio.sleep(0.1)

    return way


async def _once(way: Way, port: int, answers: Answers) -> None:
    """Go that *way*; when the daemon cuts it off, count that too."""
    try:
        await way(port, answers)
    except (OSError, asyncio.IncompleteReadError):
        answers["cut off"] += 1


async def _again(way: Way, port: int, answers: Answers) -> None:
    """Go that *way*, and again when it ends, at most ten times a second."""
    while True:
        await _once(way, port, answers)
        await asyncio.sleep(0.1)


async def _fifty_a_second(port: int, answers: Answers) -> None:
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(_once(_scrape_anew, port, answers))
            await asyncio.sleep(1 / _PER_SECOND)


WAYS: Final[dict[str, list[tuple[Way, int]]]] = {
    "200 scrapers": [(_scrape, _SCRAPERS)],
    "50 requests a second": [(_fifty_a_second, 1)],
    "200 read a byte a second": [(_sip, _SLOW)],
    "1,000 idle sockets": [(_idle, _IDLE)],
    "200 half requests": [(_half, _HALF)],
    "huge headers": [(_rude([_GET % (b"/metrics", h + b"\r\n") for h in _HEADERS]), _RUDE)],
    "wrong methods": [
        (_rude([m + b" /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" for m in _METHODS]), _RUDE)
    ],
    "bad paths": [(_rude([_GET % (p, b"") for p in _PATHS]), _RUDE)],
    "120 slow listeners": [(_listen, _LISTENERS)],
}
ALL: Final = "all at once"


async def load(name: str, port: int, seconds: float) -> Answers:
    """Misbehave in the way *name*, or in all, for so long; return the answers by kind."""
    ways = list(itertools.chain(*WAYS.values())) if name == ALL else WAYS[name]
    answers: Answers = Counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for way, count in ways:
                for _ in range(count):
                    group.create_task(_again(way, port, answers))
                    await asyncio.sleep(0)
    return answers


if __name__ == "__main__":
    # Load comes from other machines: here it must not take the daemon's processor as well.
    os.nice(10)
    sys.stdin.readline()  # when all is imported, it begins at a word
    found = asyncio.run(load(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.write(json.dumps(found) + "\n")
