"""Defines a remedy: a statement to copy, and what it does."""

from __future__ import annotations

from typing import NamedTuple


class Remedy(NamedTuple):
    """A statement to copy, and what it does. Names in its words are foreign text, to be escaped."""

    label: str
    """What it is for, in a few words."""
    does: str
    """What it does, and what it may do besides, in a sentence or two."""
    statement: str
    """To paste into psql: SQL, or a command of PgBouncer's console. Every character of it is
    visible but for the ends of its lines, and no name in it ends its own quotes."""
