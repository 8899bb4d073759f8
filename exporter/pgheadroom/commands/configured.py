"""Loads the settings that a command was given, by flags, environment and file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pgheadroom.commands.help.groups import FIRST, GROUPS
from pgheadroom.commands.help.parser import Parser
from pgheadroom.config.flags import flags_given
from pgheadroom.config.load import ConfigurationError, load
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings

NO_TARGET = (
    "no target is configured. Name one in any of these ways:",
    "  --dsn postgresql://pgheadroom@HOST/postgres",
    "  --config FILE, a YAML file with targets",
    "  PGHEADROOM_DSN, or libpq's PGHOST, PGUSER, PGSERVICE ...",
    "To try pgheadroom without a server of your own, run `pgheadroom demo`.",
)


def add_settings(parser: Parser, *more: str) -> None:
    """Have *parser* take every setting as a flag; --help lists FIRST and *more* of them."""
    parser.add_settings(GROUPS, (*FIRST, *more))


def settings_of(options: argparse.Namespace, problems: Sequence[str] = ()) -> Settings:
    """Return the settings that *options*, environment and file make.

    Raises ConfigurationError with everything that is wrong with them, and what the command line
    has that nothing takes; *problems*, which the command has found itself, come first then.
    """
    flags, wrong = flags_given(vars(options))
    try:
        return load(flags, [*options.problems, *wrong])
    except ConfigurationError as error:
        raise ConfigurationError([*problems, *error.problems]) from None


def targets_of(settings: Settings, problems: Sequence[str] = ()) -> dict[str, TargetSettings]:
    """Return the targets of *settings*, at least one; raises ConfigurationError.

    It does so for *problems* too, which the command has found itself.
    """
    targets = settings.all_targets()
    if problems or not targets:
        raise ConfigurationError([*problems, *(() if targets else NO_TARGET)])
    return targets
