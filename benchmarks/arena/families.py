"""Lists the families of stories, by half."""

from __future__ import annotations

from benchmarks.arena.stories import (
    kept_failover,
    kept_jobs,
    kept_releases,
    kept_slowdowns,
    kept_tenants,
    open_deploys,
    open_jobs,
    open_leaks,
    open_locks,
    open_rhythm,
    open_scaling,
    open_serverless,
)
from benchmarks.arena.story import Family

OPEN: tuple[Family, ...] = (
    *open_locks.FAMILIES,
    *open_serverless.FAMILIES,
    *open_scaling.FAMILIES,
    *open_rhythm.FAMILIES,
    *open_leaks.FAMILIES,
    *open_deploys.FAMILIES,
    *open_jobs.FAMILIES,
)
"""With these one may tune."""

KEPT: tuple[Family, ...] = (
    *kept_failover.FAMILIES,
    *kept_slowdowns.FAMILIES,
    *kept_jobs.FAMILIES,
    *kept_releases.FAMILIES,
    *kept_tenants.FAMILIES,
)
"""These are for judging only."""

HALVES = {"open": OPEN, "kept": KEPT}
