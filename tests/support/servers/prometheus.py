"""Runs a real Prometheus on a configuration, and asks what it has scraped."""

from pathlib import Path
from typing import Any

from tests.support.servers import http
from tests.support.servers.daemon import HttpDaemon
from tests.support.servers.ports import LOOPBACK


class Prometheus(HttpDaemon):
    """A Prometheus with the caller's configuration; *rules* go to `rules.yml` beside it."""

    def __init__(self, program: Path, config: str, *, rules: str | None = None) -> None:
        super().__init__(
            config,
            lambda folder, port: [
                program,
                f"--config.file={folder / 'config.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={LOOPBACK}:{port}",
                "--web.enable-lifecycle",
            ],
        )
        if rules is not None:
            (self.folder / "rules.yml").write_text(rules)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query, each with `metric` and `value`."""
        answer = http.get_json(f"{self.url}/api/v1/query", {"query": expression})
        samples: list[dict[str, Any]] = answer["data"]["result"]
        return samples

    def alerts(self) -> list[dict[str, Any]]:
        """Return the pending and firing alerts."""
        found: list[dict[str, Any]] = http.get_json(f"{self.url}/api/v1/alerts")["data"]["alerts"]
        return found

    def targets(self) -> list[dict[str, Any]]:
        """Return the scraped targets, each with `health` and `lastError`."""
        answer = http.get_json(f"{self.url}/api/v1/targets")
        found: list[dict[str, Any]] = answer["data"]["activeTargets"]
        return found
