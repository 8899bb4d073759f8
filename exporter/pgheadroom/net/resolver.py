"""Looks up host names in threads, so that a hung name server blocks nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future

from aiohttp.abc import AbstractResolver, ResolveResult

_Info = tuple[int, int, int, str, tuple[str, int]]


class Resolver(AbstractResolver):
    """Asks in a thread of its own.

    aiohttp's own one asks in the loop's executor, whose few threads others need and whose end the
    daemon would wait for, while a resolver can hang for minutes.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of *host*; raises OSError when there are none."""
        asked: Future[list[_Info]] = Future()
        asked.set_running_or_notify_cancel()  # whoever gives up, the thread may still answer

        def ask() -> None:
            try:
                infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
                asked.set_result(infos)  # type: ignore[arg-type] # AF_INET6 tuples are longer
            except OSError as error:
                asked.set_exception(error)
            except UnicodeError:
                asked.set_exception(OSError(0, "not a host name"))

        threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in await asyncio.wrap_future(asked)
        ]

    async def close(self) -> None:
        """Leave nothing behind: there is nothing."""
