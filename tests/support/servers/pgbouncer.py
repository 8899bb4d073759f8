"""Runs a real PgBouncer."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.parts import hand_over
from tests.support.servers import rawclient
from tests.support.servers.datadir import Setting
from tests.support.servers.log import Log
from tests.support.servers.ports import LOOPBACK, on_free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.process import Process
from tests.support.servers.scratch import make_folder, remove_folder
from tests.support.servers.wait import until
from tests.support.servers.wire import Address, HangUpError, Row

_START_SECONDS: Final = 10.0
ADMIN: Final = "pgbouncer"
STATS: Final = "stats"
"""May look at the console, and nothing else."""


class PgBouncer:
    """A PgBouncer in transaction mode in front of *server*; it asks for no password.

    Without *databases* it lets everybody in and asks the server as one forced user. With them (a
    name each, and what the entry says beside host and port) the *users* it knows log in as they
    are. *wrapper* is a command that runs the one that follows it, in circumstances of its own.
    """

    def __init__(
        self,
        program: Path,
        server: Postgres,
        databases: Mapping[str, str] | None = None,
        users: Sequence[str] = (),
        wrapper: Sequence[str] = (),
        **settings: Setting,
    ) -> None:
        self._program = program
        self._server = server
        self._wrapper = wrapper
        self._databases = {"*": "user=postgres"} if databases is None else dict(databases)
        self.folder: Final = make_folder()
        self.log: Final = Log(self.folder / "log")
        self.settings: dict[str, Setting] = {
            "listen_addr": LOOPBACK,
            "unix_socket_dir": str(self.folder),
            "auth_type": "any" if databases is None else "trust",
            "auth_file": str(self.folder / "users"),
            "pool_mode": "transaction",
            "admin_users": ADMIN,
            "stats_users": STATS,
            "ignore_startup_parameters": "extra_float_digits",
            **settings,
        }
        (self.folder / "users").write_text(
            "".join(f'"{user}" ""\n' for user in (ADMIN, STATS, *users))
        )
        self.peers: Sequence[int] = ()
        """Numbers of the processes that know of each other, its own `peer_id` among them."""
        self.port = 0
        self._process: Process | None = None

    @property
    def tcp(self) -> Address:
        """The address on the loopback interface."""
        return (LOOPBACK, self.port)

    def dsn(self, *, user: str = "postgres", dbname: str = "postgres") -> str:
        """Return a libpq connection string."""
        return f"host={LOOPBACK} port={self.port} user={user} dbname={dbname}"

    @property
    def console(self) -> str:
        """A connection string of its console, for one who may look."""
        return self.dsn(user=STATS, dbname="pgbouncer")

    @property
    def pid(self) -> int:
        """The process that runs now."""
        if self._process is None:
            raise RuntimeError("it has not been started")
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it lets the administrator in."""
        on_free_port(self._start_on)

    def _start_on(self, port: int) -> None:
        self.port = port
        config = self.write_config()
        hand_over(self.folder)
        command: list[str | Path] = [*self._wrapper, self._program, config]
        self._process = Process(command, log=self.log, cwd=self.folder)
        until(self._answers, _START_SECONDS, "answer of PgBouncer")

    def start_again(self) -> None:
        """Start on the port that it had before."""
        self._start_on(self.port)

    def write_config(self) -> Path:
        """Write its settings as they are now; RELOAD on its console makes them hold."""
        config = self.folder / "pgbouncer.ini"
        options = "".join(f"{name} = {value}\n" for name, value in self.settings.items())
        place = f"host={LOOPBACK} port={self._server.port}"
        entries = "".join(f"{name} = {place} {more}\n" for name, more in self._databases.items())
        config.write_text(
            f"[databases]\n{entries}[pgbouncer]\nlisten_port = {self.port}\n{options}"
        )
        if self.peers:
            rows = "".join(
                f"{number} = host={self.folder} port={self.port}\n" for number in self.peers
            )
            config.write_text(f"{config.read_text()}[peers]\n{rows}")
        return config

    def _answers(self) -> bool:
        if self._process is not None:
            self._process.require_alive()
        try:
            self.show("version")
        except (ConnectionRefusedError, HangUpError):
            return False
        return True

    def show(self, what: str) -> list[Row]:
        """Return the rows of `SHOW` *what* on the administration console."""
        with rawclient.admitted(self.tcp, user=ADMIN, database="pgbouncer") as console:
            return console.query(f"show {what}")

    def order(self, what: str) -> None:
        """Give an order on the administration console, such as ``pause shop``."""
        with rawclient.admitted(self.tcp, user=ADMIN, database="pgbouncer") as console:
            console.query(what)

    def kill(self) -> None:
        """Kill it, as the kernel would when memory runs out."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Stop it at once, clients or not."""
        if self._process is not None:
            # SIGTERM waits for clients from 1.23 on.
            self._process.stop(signal.SIGQUIT)

    def close(self) -> None:
        """Leave nothing behind; a second time does nothing."""
        self.stop()
        if self.folder.exists():
            self.log.keep()
            remove_folder(self.folder)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
