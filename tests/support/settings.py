"""Loads settings from a command line, as every command does."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pydantic_core._pydantic_core import list_all_errors

from pgheadroom.commands import cli
from pgheadroom.commands.arguments import parse
from pgheadroom.config.flags import flags_given
from pgheadroom.config.load import load
from pgheadroom.config.settings import Settings

PYDANTICS_PHRASES = tuple(
    phrase
    for error in list_all_errors()
    for phrase in re.split(r"\{\w+\}", error["message_template_python"])
    if len(phrase.strip()) > len("greater than")
)
"""What pydantic says of everything that can be wrong, without the values that it puts in."""


def settings_from(*arguments: str, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings that `pgheadroom serve` has; raises ConfigurationError."""
    options = parse(["serve", *arguments], cli.COMMANDS)
    flags, problems = flags_given(vars(options))
    return load(flags, [*options.problems, *problems], environment)
