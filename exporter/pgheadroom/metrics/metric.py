"""Defines a metric: its name, help, labels, and how it follows from a State."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pgheadroom.metrics.points import Labels, Point
from pgheadroom.state import State


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table of metrics."""

    name: str
    """As it appears on the page: a counter's ends in ``_total``."""
    help: str
    labels: Labels
    points: Callable[[State], Iterator[Point]]
    kind: str = "gauge"
    """Or counter, or histogram: then a point is a bucket with its upper bound as the last label,
    or without that label the sum."""
