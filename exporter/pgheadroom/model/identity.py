"""Identifies a target: its kind and its address."""

from __future__ import annotations

import enum
from typing import NamedTuple


class TargetKind(enum.StrEnum):
    """What a target is; which facts its samples have and which rules are evaluated follows."""

    POSTGRES = "postgres"
    """A PostgreSQL server: it runs out of connection slots."""
    PGBOUNCER = "pgbouncer"
    """A PgBouncer, asked at its console: it runs out of places for clients, or they queue."""


class Identity(NamedTuple):
    """Which target it is, by its settings."""

    address: str = ""
    """Where it is, in a few characters that may be shown to everybody; empty where not known."""
    kind: TargetKind = TargetKind.POSTGRES
    serves: str = ""
    """Of a pooler: the target that its settings say is behind it."""
    replicas: int = 1
    """Of a pooler: how many processes like this one there are."""
