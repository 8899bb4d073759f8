"""Lists the harnesses."""

from __future__ import annotations

from fuzz import config, model, pgbouncer, postgres, storage, web
from fuzz.harness import Harness

HARNESSES: tuple[Harness, ...] = (
    *model.HARNESSES,
    *postgres.HARNESSES,
    *pgbouncer.HARNESSES,
    *web.HARNESSES,
    *storage.HARNESSES,
    *config.HARNESSES,
)
