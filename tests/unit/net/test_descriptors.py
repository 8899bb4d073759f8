"""Tests that running out of descriptors is logged once, and other errors as ever."""

import asyncio
import errno
import os
import socket
from collections.abc import MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.servers.wait import auntil

from pgheadroom.net import descriptors
from pgheadroom.net.descriptors import OutOfDescriptors


def complaint(number: int, **more: object) -> dict[str, Any]:
    return {"message": "x", "exception": OSError(number, os.strerror(number)), **more}


async def test_a_shortage_is_told_when_it_begins_and_when_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(descriptors, "_QUIET_SECONDS", 0.05)
    loop = asyncio.get_running_loop()
    shortage = OutOfDescriptors()
    lines: list[MutableMapping[str, Any]]
    with socket.socket() as listener, capture_logs() as lines:
        for times in (1, 2):
            for number in (errno.EMFILE, errno.ENFILE) * 64:
                shortage(loop, complaint(number, socket=listener))
            await auntil(lambda: len(lines) == 2 * times, 5, "end of the shortage")  # noqa: B023 - called here only
    events = [line["event"] for line in lines]
    assert (
        events
        == [
            "out of file descriptors: no new connection is accepted",
            "new connections are accepted again",
        ]
        * 2
    )


async def test_everything_else_is_logged_as_asyncio_does(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        for context in (
            complaint(errno.EMFILE),
            complaint(errno.EPERM, socket=listener),
            {"message": "x"},
        ):
            OutOfDescriptors()(loop, context)
    assert [record.name for record in caplog.records] == ["asyncio"] * 3
