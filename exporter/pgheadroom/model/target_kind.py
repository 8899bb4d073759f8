"""Names the kinds of target: what it is that has a capacity to watch."""

from __future__ import annotations

import enum


class TargetKind(enum.StrEnum):
    """What a target is; which facts its samples have and which rules are evaluated follows."""

    POSTGRES = "postgres"
    """A PostgreSQL server: it runs out of connection slots."""
