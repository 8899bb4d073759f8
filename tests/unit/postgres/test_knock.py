"""Tests what a knock makes of an answer to its request for TLS."""

import asyncio
import struct

import pytest

from pgheadroom.model.reading import Outcome
from pgheadroom.net.pending import PendingByAddress
from pgheadroom.postgres.addresses import Address
from pgheadroom.postgres.knock import knock, refused_before_tls
from pgheadroom.postgres.refusal import Refusal

FIELDS = b"SFATAL\0C53300\0MSorry, too many clients already\0\0"
REFUSED = b"E" + struct.pack("!i", len(FIELDS) + 4) + FIELDS
NO_PROCESS = b"Ecould not fork new process for connection: Cannot allocate memory\n\0"


async def answered(answer: bytes) -> tuple[Outcome, str, Refusal | None]:
    """Return what a knock, and a look before TLS, find where everybody is sent *answer*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = str(server.sockets[0].getsockname()[1])
        address = Address({"host": "127.0.0.1", "hostaddr": "127.0.0.1", "port": port})
        pending: PendingByAddress[Refusal | None] = PendingByAddress()
        found = await knock(
            address, was_alive=True, timeout_seconds=5, pending=pending.at(address.resolved)
        )
        return found.outcome, found.detail, await refused_before_tls(address, 5)


async def test_a_refusal_before_tls_is_read() -> None:
    outcome, detail, refusal = await answered(REFUSED)
    assert outcome is Outcome.POOLER_FULL
    assert detail == "Sorry, too many clients already (SQLSTATE 53300)"
    assert refusal == Refusal("53300", None, "Sorry, too many clients already")


async def test_a_server_that_cannot_start_a_process_is_told_in_its_words() -> None:
    outcome, detail, refusal = await answered(NO_PROCESS)
    assert outcome is Outcome.ERROR
    assert detail == "could not fork new process for connection: Cannot allocate memory"
    assert refusal is None


@pytest.mark.parametrize("answer", [b"E", b"E\0\0", b"E\xff\xff\xff\xff", b"E\0\0\0\1", b"?"])
async def test_an_answer_that_is_none_lets_nobody_in(answer: bytes) -> None:
    outcome, _, refusal = await answered(answer)
    assert outcome in (Outcome.ERROR, Outcome.UNREACHABLE)
    assert refusal is None
