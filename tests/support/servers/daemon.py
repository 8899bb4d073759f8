"""Runs a real program with a configuration file and an HTTP port for one test."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.parts import hand_over
from tests.support.servers import http
from tests.support.servers.log import Log
from tests.support.servers.ports import LOOPBACK, on_free_port
from tests.support.servers.process import Process
from tests.support.servers.scratch import make_folder, remove_folder
from tests.support.servers.wait import until

_START_SECONDS: Final = 20.0


class HttpDaemon:
    """A program in a temporary folder, ready when `/-/ready` says so.

    *command* makes the command line from the folder and the port; *config* is written to
    `folder/config.yml`.
    """

    def __init__(self, config: str, command: Callable[[Path, int], Sequence[str | Path]]) -> None:
        self.folder: Final = make_folder()
        self.log: Final = Log(self.folder / "log")
        self.port = 0
        self._command = command
        self._process: Process | None = None
        self.write_config(config)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def write_config(self, config: str) -> None:
        """Replace the configuration; `reload` makes it count."""
        (self.folder / "config.yml").write_text(config)

    def reload(self) -> None:
        """Have the program read its configuration again; raise if it refuses."""
        http.post(f"{self.url}/-/reload")

    def start(self) -> None:
        """Start, and wait until it is ready."""
        if self.port:
            self._start_on(self.port)
        else:
            on_free_port(self._start_on)

    def _start_on(self, port: int) -> None:
        self.port = port
        hand_over(self.folder)
        process = Process(self._command(self.folder, port), log=self.log, cwd=self.folder)
        self._process = process

        def ready() -> bool:
            process.require_alive()
            return http.is_ready(f"{self.url}/-/ready")

        try:
            until(ready, _START_SECONDS, f"readiness of {self.url}")
        except BaseException:
            process.kill()
            raise

    def stop(self) -> None:
        """Stop the program; `start` starts it again on the same port, with the same data."""
        if self._process is not None:
            self._process.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Leave nothing behind; a second time does nothing."""
        self.stop()
        if self.folder.exists():
            self.log.keep()
            remove_folder(self.folder)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
