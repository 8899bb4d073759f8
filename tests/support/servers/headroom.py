"""Runs the daemon as its user runs it: a process, a port, a log."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.parts.orphans import follow_parent
from tests.support.servers import http
from tests.support.servers.log import Log
from tests.support.servers.ports import LOOPBACK, on_free_port
from tests.support.servers.wait import until

_START_SECONDS: Final = 20.0
_COMMAND_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without what would configure the daemon or libpq, and with *more*."""
    ours = ("PGHEADROOM_", "PG")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | more


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of pgheadroom to its end."""
    return subprocess.run(
        [sys.executable, "-m", "pgheadroom", *words],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=_COMMAND_SECONDS,
    )


def without_server(page: str) -> str:
    """Return a page of metrics without the label `server`, which is never the last one."""
    return re.sub(r'(?<=[{,])server="[^"]*",', "", page)


class Headroom:
    """`pgheadroom serve` with a configuration file, in *folder*.

    *wrapper* is a command that runs the one that follows it, in circumstances of its own.
    """

    def __init__(
        self, folder: Path, config: str, *, wrapper: Sequence[str] = (), **environment: str
    ) -> None:
        self.folder: Final = folder
        self._wrapper = wrapper
        self.log: Final = Log(folder / "log")
        self.config: Final = folder / "pgheadroom.yaml"
        self.config.write_text(config)
        self._environment = clean_environment(**environment)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it serves."""
        on_free_port(self._start_on)

    def _start_on(self, port: int) -> None:
        self.port = port
        with self.log.path.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(*self._wrapper, sys.executable, "-m", "pgheadroom", "serve"),
                    *("--config", self.config, "--listen", f"{LOOPBACK}:{port}"),
                ],
                env=self._environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=follow_parent(signal.SIGKILL),  # noqa: PLW1509 - one libc call, no locks taken
            )
        try:
            until(self._serves, _START_SECONDS, f"answer of {self.url}")
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def _serves(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(self.log.tail())
        return http.is_ready(f"{self.url}/-/healthy")

    def ready(self) -> None:
        """Wait until every target has been read once."""
        until(lambda: http.is_ready(f"{self.url}/-/ready"), _START_SECONDS, "readiness")

    def page(self, path: str = "/metrics") -> str:
        """Return the body of *path*."""
        return http.get(self.url + path).decode()

    def metric(self, line: str) -> float | None:
        """Return the value of the series that *line* names as the page does, if it is there.

        But for the label `server`, which is another one wherever a test runs.
        """
        for found in without_server(self.page()).splitlines():
            name, _, value = found.rpartition(" ")
            if name == line:
                return float(value)
        return None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send *number* and return the exit status; what does not end is killed."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
