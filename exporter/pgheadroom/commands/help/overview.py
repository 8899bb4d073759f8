"""Writes what `pgheadroom --help` prints: every command, and how commands end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Status = TypeVar("Status", bound=int)

_OVERVIEW = """\
usage: pgheadroom [COMMAND] [SETTING ...]

Watches PostgreSQL's connection slots and pages before they run out.

commands:
{commands}

`pgheadroom COMMAND --help` describes a command.

Every setting can be given in three ways. Flags override environment variables,
and those override the file:
  a flag                     --interval-seconds 2
  an environment variable    PGHEADROOM_INTERVAL_SECONDS=2
  a key of a YAML file       interval_seconds: 2
Name the file with --config or PGHEADROOM_CONFIG.

examples:
  pgheadroom --dsn postgresql://pgheadroom@db1/postgres
  pgheadroom check --config pgheadroom.yaml
  PGSERVICE=orders pgheadroom once
  pgheadroom record orders.jsonl.gz --dsn postgresql://pgheadroom@db1/postgres
  pgheadroom backtest --html report.html orders.jsonl.gz
  pgheadroom backtest --prometheus http://prometheus:9090 --since 30d

options:
  -h, --help   print this help
  --version    print the version

exit status:
{statuses}
"""


def overview(commands: Mapping[str, str], statuses: Mapping[Status, str]) -> str:
    """Return the overview of *commands* and exit *statuses*, each with a line about it."""
    width = max(map(len, commands)) + 2
    return _OVERVIEW.format(
        commands="\n".join(f"  {name:<{width}}{words}" for name, words in commands.items()),
        statuses="\n".join(f"  {status:<{width}d}{words}" for status, words in statuses.items()),
    )
