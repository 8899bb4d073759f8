"""Reads what the daemon publishes of one target: every sample, as Prometheus would see it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from prometheus_client.parser import text_string_to_metric_families
from tests.support.servers.headroom import Headroom

_PAUSE_SECONDS: Final = 0.2
_TIME: Final = "pgheadroom_sample_timestamp_seconds"

Labels = frozenset[tuple[str, str]]


@dataclass
class Page:
    """One sample as it was published."""

    at: float
    series: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of the one series of *name* with these *labels*, if it is there."""
        for found, value in self.series.get(name, {}).items():
            if found >= labels.items():
                return value
        return None

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return the sums of *name* by *label*."""
        sums: dict[str, float] = {}
        for found, value in self.series.get(name, {}).items():
            key = dict(found)[label]
            sums[key] = sums.get(key, 0.0) + value
        return sums


class Reader:
    """Scrapes *daemon* several times a sample until it ends, and keeps each sample once."""

    def __init__(self, daemon: Headroom) -> None:
        self._daemon = daemon
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reader")
        self.pages: list[Page] = []
        self.firing: dict[tuple[str, str], float] = {}
        """Alerts that fired at any time, by name and severity, and when that was first seen."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(_PAUSE_SECONDS):
            page = _parsed(self._daemon.page())
            if page is None:
                continue
            for labels, value in page.series.get("pgheadroom_alert", {}).items():
                if value:
                    known = dict(labels)
                    self.firing.setdefault((known["alertname"], known["severity"]), page.at)
            if page.value("pgheadroom_up") and (not self.pages or page.at != self.pages[-1].at):
                self.pages.append(page)


def _parsed(text: str) -> Page | None:
    series: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = frozenset(sample.labels.items())
            series.setdefault(sample.name, {})[labels] = sample.value
    times = series.get(_TIME)
    return Page(next(iter(times.values())), series) if times else None
