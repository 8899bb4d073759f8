"""Identifies a target: its kind and its address."""

from __future__ import annotations

import enum
from typing import NamedTuple


class TargetKind(enum.StrEnum):
    """What a target is; which facts its samples have and which rules are evaluated follows."""

    POSTGRES = "postgres"
    """A PostgreSQL server: it runs out of connection slots."""


class Identity(NamedTuple):
    """Which target it is, by its settings."""

    address: str = ""
    """Where it is, in a few characters that may be shown to everybody; empty where not known."""
    kind: TargetKind = TargetKind.POSTGRES
