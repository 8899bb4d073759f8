"""Renders every metric of every target as text, once per state.

A state is rendered when it is published, not at a scrape; and only those metrics are rendered again
whose figures changed. A scrape joins what is there.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.exposition import generate_latest as generate_text
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from pgheadroom.board import Board
from pgheadroom.metrics.metric import Metric
from pgheadroom.metrics.points import Point
from pgheadroom.metrics.table import TABLE, TABLES
from pgheadroom.state import State

_EOF = b"# EOF\n"
WHOSE = ("target", "server")
"""The labels that every metric of the table begins with."""


class Format(enum.Enum):
    """The two formats that Prometheus asks for."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    @classmethod
    def of(cls, accept: str) -> Format:
        """Return the format to answer an *accept* header with."""
        try:
            _, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # of a version that is no number
            return cls.TEXT
        return cls.OPENMETRICS if content_type.startswith("application/openm") else cls.TEXT


_GENERATE: dict[Format, Callable[[Collector], bytes]] = {
    Format.TEXT: generate_text,
    Format.OPENMETRICS: generate_openmetrics,
}


class _Only(Collector):
    """A collector of one family, because the library renders collectors."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        return (self._family,)


@dataclass(slots=True)
class _Rendered:
    points: tuple[Point, ...]
    text: bytes


@dataclass(slots=True)
class _Sheet:
    """All that is rendered in one format: target by target, metric by metric."""

    targets: dict[str, dict[str, _Rendered]] = field(default_factory=dict)
    servers: dict[str, str] = field(default_factory=dict)
    """Which server each target is: a label of all that is rendered of it."""
    heads: dict[str, bytes] = field(default_factory=dict)
    """HELP and TYPE of each metric."""


class Exposition:
    """The page in both formats; kept up to date by the board."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._sheets: dict[Format, _Sheet] = {}
        self.version = 0
        """Grows with every published state: the same number, the same page."""
        board.subscribe(self._published)
        board.when_gone(self._gone)

    def page(self, format_: Format, target: str | None = None) -> bytes:
        """Return what is known of *target*, or of all, without the end mark of OpenMetrics.

        KeyError when there is no such target.
        """
        sheet = self._sheet(format_)
        targets = [sheet.targets[target]] if target is not None else sheet.targets.values()
        parts: list[bytes] = []
        for metric in TABLE:
            blocks = (rendered.get(metric.name) for rendered in targets)
            texts = [block.text for block in blocks if block is not None]
            if any(texts):
                parts += (sheet.heads[metric.name], *texts)
        return b"".join(parts)

    def _published(self, state: State) -> None:
        self.version += 1
        # A format that was never scraped is not worth the work.
        for format_, sheet in self._sheets.items():
            _render(sheet, format_, state)

    def _gone(self, target: str) -> None:
        self.version += 1
        for sheet in self._sheets.values():
            sheet.targets.pop(target, None)
            sheet.servers.pop(target, None)

    def _sheet(self, format_: Format) -> _Sheet:
        sheet = self._sheets.get(format_)
        if sheet is None:
            sheet = self._sheets[format_] = _Sheet()
            for state in self._board.states():
                _render(sheet, format_, state)
        return sheet


def collected(collector: Collector, format_: Format) -> bytes:
    """Render *collector*, without the end mark of OpenMetrics."""
    return _GENERATE[format_](collector).removesuffix(_EOF)


def end(format_: Format) -> bytes:
    """Return what a page must end with."""
    return _EOF if format_ is Format.OPENMETRICS else b""


def _render(sheet: _Sheet, format_: Format, state: State) -> None:
    server = state.server
    if sheet.servers.get(state.target) != server:
        sheet.targets[state.target] = {}
        sheet.servers[state.target] = server
    blocks = sheet.targets[state.target]
    for metric in TABLES[state.kind]:
        points = tuple(metric.points(state))
        before = blocks.get(metric.name)
        if before is not None and before.points == points:
            continue
        text = b""
        if points:
            whole = collected(_Only(family(metric, (state.target, server), points)), format_)
            head, text = _split(whole)
            sheet.heads.setdefault(metric.name, head)
        blocks[metric.name] = _Rendered(points, text)


def family(metric: Metric, whose: tuple[str, str], points: Iterable[Point]) -> Family:
    """Return *points* of *metric* as the library's own kind of value.

    *whose* are the values of the labels that all of them have: target and server.
    """
    if metric.kind == "histogram":
        return _histogram(metric, whose, points)
    labels = (*WHOSE, *metric.labels)
    metric_family: CounterMetricFamily | GaugeMetricFamily
    if metric.kind == "counter":
        metric_family = CounterMetricFamily(
            metric.name.removesuffix("_total"), metric.help, labels=labels
        )
    else:
        metric_family = GaugeMetricFamily(metric.name, metric.help, labels=labels)
    for values, number in points:
        metric_family.add_metric((*whose, *values), number)
    return metric_family


def _histogram(metric: Metric, whose: tuple[str, str], points: Iterable[Point]) -> Family:
    """Return the one histogram that *metric* has of a target."""
    values = dict(points)
    total = values.pop(())
    histogram = HistogramMetricFamily(metric.name, metric.help, labels=WHOSE)
    histogram.add_metric(whose, [(bound, count) for (bound,), count in values.items()], total)
    return histogram


def _split(whole: bytes) -> tuple[bytes, bytes]:
    """Take HELP and TYPE, the two first lines, off what was rendered."""
    first = whole.index(b"\n") + 1
    second = whole.index(b"\n", first) + 1
    return whole[:second], whole[second:]
