"""Runs `pgheadroom serve`: the daemon, until a signal."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from functools import partial

import structlog

from pgheadroom.commands.arguments import ExitStatus, fail
from pgheadroom.commands.configured import NO_TARGET, add_settings, settings_of
from pgheadroom.commands.demo import try_out
from pgheadroom.commands.help.parser import Parser
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.config.variables import of_platform
from pgheadroom.daemon import AddressInUseError
from pgheadroom.daemon import run as run_daemon
from pgheadroom.demo.server import EmbeddedUnavailable
from pgheadroom.log import configure
from pgheadroom.watch.reload import Reread

log = structlog.get_logger("pgheadroom.commands.serve")

HELP = "watch every target; serve metrics, a page and alerts (the default)"
USAGE = "%(prog)s [SETTING ...]"
DESCRIPTION = """\
Watches every target, and serves metrics at /metrics and a page at /.
Alerts are shown there, and posted to Alertmanager if one is configured."""
EPILOG = """\
A configuration file:

  targets:
    orders: postgresql://pgheadroom@db1/postgres
    billing:
      dsn: host=db2,db3 dbname=postgres user=pgheadroom
      password_file: /run/secrets/billing
  listen: 127.0.0.1:10187

As an environment variable, the first target is PGHEADROOM_TARGETS__ORDERS__DSN;
its name is `orders`, in lower case.
"""

_NAMES_SHOWN = 10


def add_arguments(parser: Parser) -> None:
    """Take the settings."""
    add_settings(
        parser, "interval_seconds", "alertmanager_urls", "listen", "state_directory", "log_level"
    )


def run(options: argparse.Namespace) -> ExitStatus:
    """Serve until a signal."""
    settings = settings_of(options)
    configure(settings.log_format, settings.log_level)
    if passed_over := of_platform(os.environ):
        # Names alone: what stands in them is no business of ours.
        log.info("ignored environment variables of the platform", names=" ".join(passed_over))
    try:
        return _serve(settings, settings.all_targets(), partial(_reread, options))
    except (AddressInUseError, EmbeddedUnavailable) as error:
        return fail(str(error))
    except asyncio.CancelledError:
        return ExitStatus.INTERRUPTED


def _serve(settings: Settings, targets: dict[str, TargetSettings], reread: Reread) -> ExitStatus:
    if targets:
        asyncio.run(run_daemon(settings, targets, partial(_announce, list(targets)), reread))
    elif settings.demo:
        asyncio.run(try_out(settings))
    else:
        raise ConfigurationError(NO_TARGET)
    return ExitStatus.OK


def _reread(options: argparse.Namespace) -> tuple[Settings, dict[str, TargetSettings]]:
    """Return what is configured now; raises ConfigurationError, as the start would end."""
    settings = settings_of(options)
    targets = settings.all_targets()
    if not targets:
        raise ConfigurationError(["no target is configured"])
    return settings, targets


def _announce(names: Sequence[str], address: str) -> None:
    """Tell a person at a terminal where to look; a log needs no such screen."""
    if sys.stdout.isatty():
        listed = ", ".join(names[:_NAMES_SHOWN]) + (" ..." if len(names) > _NAMES_SHOWN else "")
        sys.stdout.write(
            f"\n  watching {listed}\n"
            f"  the page     {address}/\n  the metrics  {address}/metrics\n\n"
        )
        sys.stdout.flush()
