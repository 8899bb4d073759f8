"""Asks a PgBouncer: samples from its console or its exporter, and logins through it."""

from __future__ import annotations

from pgheadroom.pgbouncer.console import Console
from pgheadroom.pgbouncer.exporter_client import ExporterClient
from pgheadroom.pgbouncer.exporter_page import PageLimits
from pgheadroom.postgres.canary import Canary
from pgheadroom.postgres.login import ConnectOptions
from pgheadroom.postgres.source import CanarySource, SampleSource, Sources


def pgbouncer_sources(
    options: ConnectOptions,
    *,
    page: tuple[str, PageLimits] | None = None,
    interval_seconds: float = 1.0,
    thorough: bool = False,
) -> Sources:
    """Return the ways in which the PgBouncer of *options* is asked.

    Nobody knocks: the console lets us in when clients are refused, and a knock at a database that
    does not exist would leave a pool behind. The canary logs in as applications do. With a *page*,
    which is the URL of an exporter's metrics and what they leave out, the console is not asked.
    """
    console = Console(options) if page is None else ExporterClient(options, *page)
    canary = None if options.canary is None else Canary(options.canary)
    samples = SampleSource(options, console, canary, interval_seconds)
    if canary is None:
        return (samples,)
    return samples, CanarySource(canary, console, thorough=thorough)
