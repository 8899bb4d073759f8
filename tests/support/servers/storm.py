"""Runs many clients that want in at once and try again as soon as they are refused.

Run as a script, this file is those clients: as many as it is told, for as long as it is told. Each
holds the session that it gets until it loses it. It imports the standard library only.
"""

import asyncio
import contextlib
import struct
import subprocess
import sys
from types import TracebackType
from typing import Final, Self

_PROTOCOL_3_0: Final = 196608


class Storm:
    """*count* clients of the role *user* at a unix socket, in a process of their own."""

    def __init__(self, path: object, user: str, count: int, seconds: float) -> None:
        self._argv = [sys.executable, "-I", __file__, str(path), user, str(count), str(seconds)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._argv)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


async def _try_for_ever(path: str, startup: bytes) -> None:
    while True:
        # Refused, ended, or nobody there: all the same to a client that tries again.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(startup)
                while await reader.readexactly(1) != b"E":
                    await reader.readexactly(
                        struct.unpack("!i", await reader.readexactly(4))[0] - 4
                    )
            finally:
                writer.close()
        await asyncio.sleep(0)


async def _storm(path: str, user: str, count: int) -> None:
    words = (b"user", user.encode(), b"database", b"postgres", b"application_name", b"storm")
    body = b"".join(word + b"\0" for word in words) + b"\0"
    startup = struct.pack("!ii", len(body) + 8, _PROTOCOL_3_0) + body
    await asyncio.gather(*(_try_for_ever(path, startup) for _ in range(count)))


async def _main(path: str, user: str, count: str, seconds: str) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(_storm(path, user, int(count)), float(seconds))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
