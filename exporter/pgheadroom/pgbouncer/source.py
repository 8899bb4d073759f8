"""Asks a PgBouncer in two ways: samples from its console, and logins of the canary through it."""

from __future__ import annotations

from pgheadroom.pgbouncer.console import Console
from pgheadroom.postgres.canary import Canary
from pgheadroom.postgres.login import ConnectOptions
from pgheadroom.postgres.source import CanarySource, SampleSource, Sources


def pgbouncer_sources(
    options: ConnectOptions, *, interval_seconds: float = 1.0, thorough: bool = False
) -> Sources:
    """Return the ways in which the PgBouncer of *options* is asked.

    Nobody knocks: the console lets us in when clients are refused, and a knock at a database that
    does not exist would leave a pool behind. The canary logs in as applications do.
    """
    console = Console(options)
    canary = None if options.canary is None else Canary(options.canary)
    samples = SampleSource(options, console, canary, interval_seconds)
    if canary is None:
        return (samples,)
    return samples, CanarySource(canary, console, thorough=thorough)
