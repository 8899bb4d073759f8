"""Runs a real Alertmanager and reads which alerts it has received."""

from pathlib import Path
from typing import Any

from tests.support.servers import http
from tests.support.servers.daemon import HttpDaemon
from tests.support.servers.ports import LOOPBACK


class Alertmanager(HttpDaemon):
    """An Alertmanager of its own, which looks for no others."""

    def __init__(self, program: Path, config: str) -> None:
        super().__init__(
            config,
            lambda folder, port: [
                program,
                f"--config.file={folder / 'config.yml'}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={LOOPBACK}:{port}",
                "--cluster.listen-address=",
            ],
        )

    def alerts(self) -> list[dict[str, Any]]:
        """Return the active alerts as its API shows them."""
        found: list[dict[str, Any]] = http.get_json(f"{self.url}/api/v2/alerts")
        return found
