"""Holds connections as one replica of a service does; ends them in order on SIGTERM.

Run as a script, by `clients.py`. It logs in through libpq, as many times as it is told, tries again
a second after a refusal or a loss, and says `up` once it holds them all. With `--later` it says so
at once, and opens them when it gets SIGUSR2.
"""

import argparse
import asyncio
import random
import signal
import sys

import psycopg

_RETRY_SECONDS = 1.0
_CHECK_SECONDS = 1.0
_IN_TRANSACTION = "begin; select count(*) from hot"


class Pod:
    """The connections of one replica."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._missing = options.size

    async def run(self) -> None:
        """Open the connections one after another, and keep them until cancelled."""
        if self._options.later:
            await self._go()
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._options.size):
                group.create_task(self._keep())
                due += self._options.pause
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _go(self) -> None:
        """Say that it is up, and wait for SIGUSR2."""
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, told.set)
        self._say_up()
        await told.wait()

    async def _keep(self) -> None:
        known = False
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._options.dsn, autocommit=True
                ) as connection:
                    if not known:
                        self._one_more()
                    known = True
                    await self._use(connection)
            except psycopg.OperationalError:
                await asyncio.sleep(_RETRY_SECONDS)

    def _one_more(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._say_up()

    def _say_up(self) -> None:
        sys.stdout.write("up\n")
        sys.stdout.flush()

    async def _use(self, connection: psycopg.AsyncConnection) -> None:
        """Work for the share of the time that was asked for, for ever."""
        if self._options.in_transaction:
            await connection.execute(_IN_TRANSACTION)
            await asyncio.Event().wait()
        busy = self._options.busy
        while True:
            seconds = _CHECK_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 - a rhythm, no secret
            await connection.execute(f"select pg_sleep({seconds * busy})")
            await asyncio.sleep(seconds * (1 - busy))


async def _main(options: argparse.Namespace) -> None:
    task = asyncio.create_task(Pod(options).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("dsn")
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--busy", type=float, default=0.1)
    parser.add_argument("--later", action="store_true")
    parser.add_argument("--in-transaction", action="store_true")
    asyncio.run(_main(parser.parse_args()))
