"""Tests which logins are right, and what a wrong one costs."""

import asyncio
from collections.abc import AsyncIterator
from statistics import median
from time import perf_counter

import pytest
import pytest_asyncio
from aiohttp import web
from tests.support.servers.guarded_headroom import hashed

from pgheadroom.web.auth import MOST_CHECKS, Logins, TooManyLoginsError, credentials


@pytest_asyncio.fixture
async def logins() -> AsyncIterator[Logins]:
    found = Logins({"anna": hashed("a" * 72), "otto": hashed("pass:wort", cost=8)})
    yield found
    await found.end(web.Application())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic YW5uYTpwYXNzOndvcnQ=", (b"anna", b"pass:wort")),
        ("basic  Og== ", (b"", b"")),
        ("Basic YW5uYQ==", None),
        ("Basic YW5uY", None),
        ("Basic ä", None),
        ("Basic", None),
        ("Bearer YW5uYTpw", None),
        ("", None),
    ],
)
def test_what_a_header_says(header: str, expected: tuple[bytes, bytes] | None) -> None:
    assert credentials(header) == expected


async def test_a_login_is_a_name_and_its_own_password(logins: Logins) -> None:
    for _ in range(2):  # compared first, remembered then
        assert await logins.right(b"otto", b"pass:wort")
        assert await logins.right(b"anna", b"a" * 80)
    # A longer password counts as far as bcrypt looks, as it does with the exporters in Go.
    assert await logins.right(b"anna", b"a" * 72)
    for name, password in (
        *((b"anna", b"pass:wort"), (b"otto", b"pass:wor"), (b"otto", b"pass:wort2")),
        *((b"ottop", b"ass:wort"), (b"", b""), (b"nobody", b"a" * 80), (b"\xff", b"\0")),
    ):
        assert not await logins.right(name, password)


async def test_the_time_does_not_tell_who_exists(logins: Logins) -> None:
    """A name that is nobody's takes as long as the one or the other that is somebody's."""

    async def seconds(name: bytes) -> float:
        times = []
        for number in range(5):
            began = perf_counter()
            await logins.right(name, b"%d" % number)
            times.append(perf_counter() - began)
        return median(times)

    found = [await seconds(b"nobody%d" % number) for number in range(24)]
    assert max(found) > 5 * min(found)


async def test_few_wait_and_the_same_login_waits_once(logins: Logins) -> None:
    same = [asyncio.create_task(logins.right(b"otto", b"pass:wort")) for _ in range(100)]
    others = [
        asyncio.create_task(logins.right(b"otto", b"%d" % number)) for number in range(MOST_CHECKS)
    ]
    assert all(await asyncio.gather(*same))
    answers = await asyncio.gather(*others, return_exceptions=True)
    assert answers[:-1] == [False] * (MOST_CHECKS - 1)
    assert isinstance(answers[-1], TooManyLoginsError)
    assert not await logins.right(b"otto", b"now there is room")
