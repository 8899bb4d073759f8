"""Runs the daemon with a web configuration file: TLS, a login, or both."""

import base64
import http.client
import ssl
from pathlib import Path
from typing import Final

import bcrypt

from tests.support.servers.headroom import Headroom
from tests.support.servers.ports import LOOPBACK

USER: Final = "anna"
PASSWORD: Final = "nur-zum-testen:ä"  # noqa: S105 - of a daemon that lives for one test
_SECONDS: Final = 20.0

Login = tuple[str, str]
LOGIN: Final = (USER, PASSWORD)


def hashed(password: str, cost: int = 4) -> str:
    """Return what stands for *password* in the file."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def authorization(login: Login = LOGIN) -> str:
    """Return the header that *login* makes."""
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


class GuardedHeadroom(Headroom):
    """A daemon with *web* as its web configuration file; *trust* is how to get at it by TLS."""

    def __init__(
        self, folder: Path, config: str, web: str, trust: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(folder, f"web_config_file: web.yml\n{config}")
        (folder / "web.yml").write_text(web)
        self.trust = trust

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.trust else 'http'}://{LOOPBACK}:{self.port}"

    def connect(self, trust: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        """Return a new connection; with *trust* in place of our own, if given."""
        context = trust or self.trust
        if context is None:
            return http.client.HTTPConnection(LOOPBACK, self.port, timeout=_SECONDS)
        return http.client.HTTPSConnection(LOOPBACK, self.port, timeout=_SECONDS, context=context)

    def ask(
        self,
        path: str,
        login: Login | None = LOGIN,
        trust: ssl.SSLContext | None = None,
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of *path*."""
        if login is not None:
            headers["Authorization"] = authorization(login)
        connection = self.connect(trust)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _serves(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(self.log.tail())
        try:
            self.ask("/-/healthy")  # whatever the answer is: that is for the test to judge
        except ConnectionError:
            return False  # not listening yet
        return True

    def page(self, path: str = "/metrics") -> str:
        """Return the body of *path*."""
        status, _, body = self.ask(path)
        assert status == 200
        return body.decode()
