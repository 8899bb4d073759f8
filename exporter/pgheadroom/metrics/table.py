"""Joins the tables of metrics: which of them a target has follows from its kind.

The tables are the one place where a metric's name, type, help and labels stand; README, dashboards
and rules are checked against them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pgheadroom.metrics.metric import Metric
from pgheadroom.metrics.of_pooler import OF_POOLER
from pgheadroom.metrics.of_postgres import OF_POSTGRES
from pgheadroom.metrics.of_target import OF_TARGET
from pgheadroom.model.identity import TargetKind

TABLES: Mapping[TargetKind, tuple[Metric, ...]] = {
    TargetKind.POSTGRES: (*OF_TARGET, *OF_POSTGRES),
    TargetKind.PGBOUNCER: (*OF_TARGET, *OF_POOLER),
}
"""The metrics that a target of each kind has."""

TABLE: tuple[Metric, ...] = (*OF_TARGET, *OF_POSTGRES, *OF_POOLER)
"""Every metric that speaks of a target; each has the labels `target` and `server` besides."""
