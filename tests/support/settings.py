"""Loads settings from a command line, as every command does."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pgheadroom.commands import cli
from pgheadroom.commands.arguments import parse
from pgheadroom.config.flags import flags_given
from pgheadroom.config.load import load
from pgheadroom.config.settings import Settings


def settings_from(*arguments: str, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings that `pgheadroom serve` has; raises ConfigurationError."""
    options = parse(["serve", *arguments], cli.COMMANDS)
    flags, problems = flags_given(vars(options))
    return load(flags, [*options.problems, *problems], environment)
