"""Defines signs of what a server's sessions do: how young they are, how much is committed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

AGES = (60.0, 300.0, 1800.0)
"""A connection is young below each of these ages, in seconds."""

MOST_COUNTED = 2**63 - 1
"""PostgreSQL counts in 64 bits: no counter is larger."""

Young = tuple[int, int, int]
"""How many connections are younger than each of AGES: each count is in the next one, too."""

Younger = Mapping[str, Young]
"""Young connections by application name, as the clients give it. Applications without any are left
out."""


class Activity(NamedTuple):
    """What a server has counted so far, in all of its databases together; None: not known.

    The counters restart at 0 after a crash, and fall when a database is dropped or when somebody
    resets its statistics.
    """

    commits: int | None = None
    """Transactions committed (``pg_stat_database.xact_commit``), ours among them."""
    opened: int | None = None
    """Sessions opened (``pg_stat_database.sessions``); counted when they have logged in."""
    idle_transaction_seconds: float | None = None
    """For how long the client of the session that waits longest has been silent in the middle of a
    transaction; None where no session is idle in transaction, as far as our role may see that."""
