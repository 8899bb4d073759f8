"""Looks up host names in threads, so that a hung name server blocks nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading

from aiohttp.abc import AbstractResolver, ResolveResult

Info = tuple[int, int, int, str, tuple[str, int]]
"""As of ``socket.getaddrinfo``: family, type, protocol, name, and address with port."""


async def look_up(
    host: str, port: int | str = 0, family: socket.AddressFamily = socket.AF_UNSPEC
) -> list[Info]:
    """Return the addresses of *host* for TCP; raises OSError when there are none.

    Asked in a thread of its own, by the system's resolver, so that nsswitch.conf and hosts files
    count. Not in the loop's executor: its threads are few, others need them, and its end waits for
    them, while a resolver can hang for minutes. A daemon thread may hang as long as it likes.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Info]] = loop.create_future()

    def settle(infos: list[Info], error: OSError | None) -> None:
        if answer.done():
            return  # nobody waits any more
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(infos)

    def work() -> None:
        infos: list[Info] = []
        failure: OSError | None = None
        try:
            infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)  # type: ignore[assignment] # AF_INET6 tuples are longer
        except OSError as error:
            failure = error
        except UnicodeError as error:
            failure = OSError(0, f"not a host name: {error}")
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, infos, failure)

    threading.Thread(target=work, name=f"resolve {host}", daemon=True).start()
    return await answer


class Resolver(AbstractResolver):
    """Has aiohttp look names up by `look_up`."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of *host*; raises OSError when there are none."""
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in await look_up(host, port, family)
        ]

    async def close(self) -> None:
        """Leave nothing behind: there is nothing."""
