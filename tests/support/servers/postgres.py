"""Starts, fills, freezes, kills and asks a PostgreSQL server of a test's own."""

import signal
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from tests.support.parts.cluster import SUPERUSER
from tests.support.servers import rawclient, sessions
from tests.support.servers.datadir import TRUST, DataDirectory, Setting, default_settings
from tests.support.servers.ports import LOOPBACK, on_free_port
from tests.support.servers.process import DiedError, Process, family, send
from tests.support.servers.rawclient import ProtocolError, Refused
from tests.support.servers.tls import make_certificate
from tests.support.servers.wait import until
from tests.support.servers.wire import Address, HangUpError, Row

StopMode = Literal["smart", "fast", "immediate"]

_START_SECONDS: Final = 30.0
_STARTING_UP: Final = "57P03"
_STOP_SIGNALS: Final[dict[StopMode, signal.Signals]] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}


class Postgres:
    """One server, made from *home* (a folder with `bin` and `template`).

    A context manager: it starts on entry, and on exit nothing of it is left, whatever became of it.
    """

    def __init__(self, home: Path, *, tls: bool = False, **gucs: Setting) -> None:
        self._program = (home / "bin").resolve() / "postgres"
        self._disk = DataDirectory(home / "template")
        self._process: Process | None = None
        self._paused = False
        self._initial = gucs
        self.major: Final = self._disk.major
        self.port = 0
        self.log: Final = self._disk.log
        if tls:
            certificate, key = make_certificate(self._disk.folder)
            self._initial |= {
                "ssl": True,
                "ssl_cert_file": str(certificate),
                "ssl_key_file": str(key),
            }
        self.settings, self.access = self._defaults()

    def _defaults(self) -> tuple[dict[str, Setting], list[str]]:
        return default_settings(self.major) | self._initial, list(TRUST)

    def restore_defaults(self) -> None:
        """Take back every setting and access rule; a running server knows after a restart."""
        self.settings, self.access = self._defaults()
        self._disk.forget_alter_system()

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._disk.data

    @property
    def socket_directory(self) -> Path:
        """The folder of the unix socket."""
        return self._disk.folder

    @property
    def tcp(self) -> Address:
        """The address on the loopback interface."""
        return (LOOPBACK, self.port)

    @property
    def unix(self) -> Address:
        """The address of the unix socket."""
        return self.socket_directory / f".s.PGSQL.{self.port}"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether the postmaster lives (it may be paused)."""
        return self._process is not None and self._process.is_alive()

    def dsn(
        self,
        *,
        user: str = SUPERUSER,
        dbname: str = "postgres",
        tcp: bool = True,
        **more: Setting,
    ) -> str:
        """Return a libpq connection string, over TCP or the unix socket."""
        host = LOOPBACK if tcp else str(self.socket_directory)
        words = {"host": host, "port": self.port, "user": user, "dbname": dbname, **more}
        return " ".join(f"{name}={value}" for name, value in words.items())

    def configure(self, **gucs: Setting) -> None:
        """Set *gucs*; the server learns of them at `start`, `reload` or `restart`."""
        self.settings |= gucs

    def start(self) -> None:
        """Start, on the port it had before if there was one, and wait until it answers."""
        if self.port:
            self._start_on(self.port)
        else:
            on_free_port(self._start_on)

    def _start_on(self, port: int) -> None:
        self.port = port
        self._write()
        self._process = Process(
            [self._program, "-D", self.data],
            log=self.log,
            cwd=self.data,
            # An immediate shutdown takes the backends along, unlike a kill.
            orphan_signal=signal.SIGQUIT,
        )
        try:
            until(self._answers, _START_SECONDS, f"answer of PostgreSQL {self.major}")
        except BaseException:
            self._process.kill()
            if "could not bind" in self.log.tail():
                self.port = 0
            raise

    def _write(self) -> None:
        where: dict[str, Setting] = {
            "port": self.port,
            "unix_socket_directories": str(self.socket_directory),
        }
        self._disk.write_settings(self.settings | where)
        self._disk.write_access(self.access)

    def _answers(self) -> bool:
        self._running().require_alive()
        try:
            answer = rawclient.connect(self.unix, user=SUPERUSER)
        except (FileNotFoundError, ConnectionRefusedError, HangUpError):
            return False
        except ProtocolError:
            return True  # it asks for a password: it is up
        if isinstance(answer, Refused):
            return answer.sqlstate != _STARTING_UP
        answer.close()
        return True

    def _running(self) -> Process:
        if self._process is None:
            text = "the server was never started"
            raise DiedError(text)
        return self._process

    def stop(self, mode: StopMode = "fast") -> None:
        """Shut down and wait for the end; what does not end is killed."""
        if self._process is not None:
            self.resume()
            self._process.stop(_STOP_SIGNALS[mode])

    def restart(self, mode: StopMode = "fast", **gucs: Setting) -> None:
        """Stop, set *gucs* and start again."""
        self.stop(mode)
        self.configure(**gucs)
        self.start()

    def reload(self, **gucs: Setting) -> None:
        """Set *gucs*, write the access rules, and wait until the server has read both."""
        self.configure(**gucs)
        self._write()
        # A new session inherits the time at which the postmaster read its files.
        before = self.sql("select pg_conf_load_time()")
        self._running().send(signal.SIGHUP)
        until(
            lambda: self.sql("select pg_conf_load_time()") != before,
            _START_SECONDS,
            "reloaded files",
        )

    def require_scram(
        self, user: str, *, database: str = "all", password: str | None = None
    ) -> None:
        """Ask *user* for a password from now on; the role need not exist to be asked.

        With *password* the role, which then must exist, is given it.
        """
        if password is not None:
            self.sql(
                f"set password_encryption='scram-sha-256'; alter role {user} password '{password}'"
            )
        self.access[:0] = [
            f"local {database} {user} scram-sha-256",
            f"host {database} {user} {LOOPBACK}/32 scram-sha-256",
        ]
        self.reload()

    def kill(self) -> None:
        """Kill the postmaster and everything below it, as a power cut would."""
        self._running().kill()
        self._paused = False

    def pause(self) -> None:
        """Freeze the postmaster and all its children; sockets stay open and say nothing."""
        process = self._running()
        process.send(signal.SIGSTOP)  # first, so that no child is born unseen
        for pid in family(process.pid)[1:]:
            send(pid, signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Let a paused server go on."""
        if self._paused and self.is_running:
            for pid in family(self.pid):
                send(pid, signal.SIGCONT)
        self._paused = False

    def sql(self, query: str, *, user: str = SUPERUSER, database: str = "postgres") -> list[Row]:
        """Run *query* in a session of its own and return its rows, as text."""
        with rawclient.admitted(self.unix, user=user, database=database) as session:
            return session.query(query)

    def client_pids(self) -> list[int]:
        """Return the processes that serve a client, those included that no view shows."""
        return sessions.client_pids(self.pid)

    def disconnect_everybody(self) -> None:
        """End every session, stalled login and silent socket, and wait until they are gone."""
        self.resume()
        sessions.end_all(self.pid)

    def reset(self) -> None:
        """Make the server what it was when it was new, whatever was done to it."""
        if self.is_running:
            self.disconnect_everybody()
        if self._is_changed() or not self.is_running:
            self.restore_defaults()
            self.restart()
        with rawclient.admitted(self.unix, user=SUPERUSER) as session:
            sessions.drop_objects(session)

    def _is_changed(self) -> bool:
        given = (self.settings, self.access)
        return given != self._defaults() or self._disk.has_alter_system()

    def close(self) -> None:
        """Leave no process, file or shared memory behind; a second time it does nothing."""
        self.stop("immediate")
        if self._disk.folder.exists():
            self.log.keep()
            self._disk.remove()

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
