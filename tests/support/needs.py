"""Says which real part a test needs, and skips or fails the test without it.

It is skipped with the part's name and the reason; with REQUIRE_ALL=1 in the environment it fails.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.support.parts import MAJORS, find

# Marker -> the parts that every test so marked needs; a PostgreSQL is asked for where it is used.
PARTS_OF_MARKER: Final = {
    "postgres": (),
    "prometheus": ("prometheus", "promtool"),
    "alertmanager": ("alertmanager",),
    "pgbouncer": ("pgbouncer",),
    "chromium": ("chromium",),
}
# Fixture -> the marker that a test using it gets without being asked.
MARKER_OF_FIXTURE: Final = {
    "major": "postgres",
    "pg": "postgres",
    "make_postgres": "postgres",
    "make_prometheus": "prometheus",
    "promtool": "prometheus",
    "make_alertmanager": "alertmanager",
    "make_pgbouncer": "pgbouncer",
    "chromium": "chromium",
}


def need(name: str) -> Path:
    """Return where the part *name* is; skip or fail the test that asks if it is nowhere."""
    part = find(name)
    if part.path is None:
        text = f"{name}: {part.reason}"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
    return part.path


def newest_major() -> int:
    """Return the newest PostgreSQL that is here; without any, skip or fail as `need` does."""
    for major in reversed(MAJORS):
        if find(f"postgres{major}").path is not None:
            return major
    need(f"postgres{MAJORS[-1]}")
    raise AssertionError  # `need` does not return without the part
