"""Runs an Alertmanager that wants TLS and a password, below a path."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.parts import hand_over
from tests.support.servers.log import Log
from tests.support.servers.ports import LOOPBACK, on_free_port
from tests.support.servers.process import Process
from tests.support.servers.scratch import make_folder, remove_folder
from tests.support.servers.tls import make_certificate
from tests.support.servers.wait import until

USER: Final = "pager"
PASSWORD: Final = "nur-zum-testen"  # noqa: S105 - of a server that lives for one test
_HASH: Final = "$2y$04$abcdefghijklmnopqrstuusIrEep2UNLroMeixP/sd3Pe4NnQxwYa"  # bcrypt of it
_PREFIX: Final = "/am"
_SECONDS: Final = 20.0

_WEB_CONFIG: Final = """
tls_server_config: {{cert_file: {certificate}, key_file: {key}, {more}}}
basic_auth_users: {{{user}: "{hash}"}}
"""


class GuardedAlertmanager:
    """An Alertmanager with a certificate of its own making.

    With *mutual* it lets in only who shows that same certificate.
    """

    def __init__(self, program: Path, config: str, *, mutual: bool = False) -> None:
        self.folder: Final = make_folder()
        self.log: Final = Log(self.folder / "log")
        self.certificate, self.key = make_certificate(self.folder)
        self.port = 0
        self._program = program
        self._process: Process | None = None
        (self.folder / "config.yml").write_text(config)
        more = f"client_auth_type: RequireAndVerifyClientCert, client_ca_file: {self.certificate}"
        (self.folder / "web.yml").write_text(
            _WEB_CONFIG.format(
                certificate=self.certificate,
                key=self.key,
                more=more if mutual else "",
                user=USER,
                hash=_HASH,
            )
        )
        self._trust = ssl.create_default_context(cafile=self.certificate)
        if mutual:
            self._trust.load_cert_chain(self.certificate, self.key)

    @property
    def url(self) -> str:
        """Where it listens, its path included."""
        return f"https://localhost:{self.port}{_PREFIX}"

    def alerts(self) -> list[dict[str, Any]]:
        """Return the active alerts as its API shows them."""
        found: list[dict[str, Any]] = json.loads(self._get("/api/v2/alerts"))
        return found

    def _get(self, path: str) -> bytes:
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - an https URL of this machine
            self.url + path, headers={"Authorization": f"Basic {pair}"}
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._trust)
        )
        with opener.open(request, timeout=_SECONDS) as response:
            body: bytes = response.read()
            return body

    def _start_on(self, port: int) -> None:
        self.port = port
        hand_over(self.folder)
        command: list[str | Path] = [
            self._program,
            f"--config.file={self.folder / 'config.yml'}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
            f"--web.config.file={self.folder / 'web.yml'}",
            f"--web.route-prefix={_PREFIX}",
            "--cluster.listen-address=",
        ]
        process = Process(command, log=self.log, cwd=self.folder)
        self._process = process

        def ready() -> bool:
            process.require_alive()
            try:
                self._get("/-/ready")
            except (urllib.error.URLError, ConnectionError):
                return False  # not listening yet
            return True

        try:
            until(ready, _SECONDS, f"readiness of {self.url}")
        except BaseException:
            process.kill()
            raise

    def __enter__(self) -> Self:
        try:
            on_free_port(self._start_on)
        except BaseException:
            self._close()
            raise
        return self

    def _close(self) -> None:
        if self._process is not None:
            self._process.stop()
        self.log.keep()
        remove_folder(self.folder)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._close()
