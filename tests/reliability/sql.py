"""Holds what these tests ask a server by SQL about our own session."""

from typing import Final

OURS: Final = "from pg_stat_activity where application_name = 'pgheadroom'"
PIDS: Final = f"select pid {OURS}"
END_OURS: Final = f"select pg_terminate_backend(pid) {OURS}"
