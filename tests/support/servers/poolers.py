"""Runs a real Odyssey or a real pgpool-II in front of a server, with few places for clients."""

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.parts import hand_over
from tests.support.servers import rawclient
from tests.support.servers.log import Log
from tests.support.servers.ports import LOOPBACK, on_free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.process import Process
from tests.support.servers.scratch import make_folder, remove_folder
from tests.support.servers.wait import until
from tests.support.servers.wire import Address, HangUpError

_START_SECONDS: Final = 15.0


class Pooler(ABC):
    """A pooler in front of *server* that lets *places* clients in, without a password."""

    def __init__(self, program: Path, server: Postgres, places: int) -> None:
        self.program = program
        self.server = server
        self.places = places
        self.folder: Final = make_folder()
        self.log: Final = Log(self.folder / "log")
        self.port = 0
        self._process: Process | None = None

    @property
    def tcp(self) -> Address:
        """The address on the loopback interface."""
        return (LOOPBACK, self.port)

    def dsn(self, *, user: str = "postgres", dbname: str = "postgres") -> str:
        """Return a libpq connection string."""
        return f"host={LOOPBACK} port={self.port} user={user} dbname={dbname}"

    @abstractmethod
    def command(self, port: int) -> list[str | Path]:
        """Write the configuration for *port* and return how the pooler is started on it."""

    def close(self) -> None:
        """Leave nothing behind; a second time does nothing."""
        if self._process is not None:
            self._process.stop()
        if self.folder.exists():
            self.log.keep()
            remove_folder(self.folder)

    def __enter__(self) -> Self:
        try:
            on_free_port(self._start_on)
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

    def _start_on(self, port: int) -> None:
        self.port = port
        command = self.command(port)
        hand_over(self.folder)
        self._process = Process(command, log=self.log, cwd=self.folder)
        until(self._answers, _START_SECONDS, f"answer of {self.program.name}")

    def _answers(self) -> bool:
        if self._process is not None:
            self._process.require_alive()
        try:
            with rawclient.admitted(self.tcp, user="postgres", database="postgres") as client:
                return bool(client.query("select 1"))
        except (OSError, HangUpError):
            return False


class Odyssey(Pooler):
    """Odyssey in session mode; ``client_max`` bounds its places."""

    def command(self, port: int) -> list[str | Path]:
        """Write the configuration for *port* and return how Odyssey is started on it."""
        config = self.folder / "odyssey.conf"
        config.write_text(
            f"""daemonize no
log_to_stdout yes
log_format "%p %t %l [%i %s] %m\\n"
workers 1
listen {{ host "{LOOPBACK}" port {port} }}
storage "server" {{ type "remote" host "{LOOPBACK}" port {self.server.port} }}
database default {{
    user default {{
        authentication "none"
        storage "server"
        storage_user "postgres"
        pool "session"
        pool_size 10
        client_max {self.places}
    }}
}}
"""
        )
        return [self.program, config]


class Pgpool(Pooler):
    """pgpool-II; the last of its ``num_init_children`` is reserved for saying no."""

    def command(self, port: int) -> list[str | Path]:
        """Write the configuration for *port* and return how pgpool-II is started on it."""
        for name in ("pool_hba.conf", "pcp.conf"):
            (self.folder / name).write_text("")
        config = self.folder / "pgpool.conf"
        config.write_text(
            f"""listen_addresses = '{LOOPBACK}'
port = {port}
unix_socket_directories = '{self.folder}'
pcp_listen_addresses = ''
pcp_socket_dir = '{self.folder}'
pid_file_name = '{self.folder}/pgpool.pid'
logdir = '{self.folder}'
work_dir = '{self.folder}'
memqcache_oiddir = '{self.folder}'
backend_clustering_mode = 'raw'
backend_hostname0 = '{LOOPBACK}'
backend_port0 = {self.server.port}
num_init_children = {self.places + 1}
reserved_connections = 1
max_pool = 1
pool_passwd = ''
"""
        )
        hba, pcp = self.folder / "pool_hba.conf", self.folder / "pcp.conf"
        return [self.program, "-n", "-f", config, "-a", hba, "-F", pcp]
