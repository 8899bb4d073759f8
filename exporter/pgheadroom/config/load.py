"""Loads the settings from flags, environment and file, and reports all that is wrong.

Reads flags, environment and YAML file into Settings, or raises one error that lists every problem.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pgheadroom.config.flags import NO_FLAGS
from pgheadroom.config.given import Given, dotted
from pgheadroom.config.objections import meant, no_such, not_a_mapping_of_targets, objections
from pgheadroom.config.settings import Settings
from pgheadroom.config.variables import read_variables
from pgheadroom.config.web_file import web_config
from pgheadroom.config.yaml_file import read_mapping
from pgheadroom.text import escaped
from pgheadroom.web.config import WebConfig
from pgheadroom.web.tls import server_context

_OF_OTHERS = "x-"
"""How keys of the file begin that are no settings: a place for anchors, as in a compose file."""


class ConfigurationError(Exception):
    """The settings are not allowed; ``problems`` has one line for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(escaped, problems))
        super().__init__("; ".join(self.problems))


def load(
    flags: Given = NO_FLAGS,
    problems: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings that *flags*, *environment* and file make; they are valid.

    Raises ConfigurationError with every problem there is, *problems* among them.
    """
    problems = [*problems]
    variables, wrong = read_variables(environment)
    problems += wrong
    file = Given({}, dotted, in_text=False)
    path = flags.values.get("config") or variables.values.get("config")
    if path:
        file, wrong = _read_file(Path(path))
        problems += wrong
    layers = (file, variables, flags)
    merged = _merged(layers, problems)
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problems += objections(detail, layers)
        raise ConfigurationError(problems) from None
    if problems:
        raise ConfigurationError(problems)
    return settings


def load_web(path: Path | None) -> tuple[WebConfig, ssl.SSLContext | None]:
    """Return what the web configuration file at *path* says, and how to serve HTTPS if it says so.

    Raises ConfigurationError with every problem there is.
    """
    if path is None:
        return WebConfig(), None
    content, problems = read_mapping(path, "sections, such as tls_server_config")
    config = web_config(content.values, path.parent, problems, content.place)
    context = None if config.tls is None else server_context(config.tls, problems)
    if problems:
        raise ConfigurationError([f"web_config_file: {problem}" for problem in problems])
    return config, context


def _read_file(path: Path) -> tuple[Given, list[str]]:
    """Return the settings in the file at *path*, and what is wrong with it and with its keys."""
    read, wrong = read_mapping(path, "settings, such as 'listen: :10187'")
    names = Settings.model_fields
    unknown = [key for key in read.values if key not in names and not key.startswith(_OF_OTHERS)]
    problems = [one if one.startswith(f"{path}:") else f"config: {one}" for one in wrong]
    problems += [
        f"{read.place((key,))}{no_such(dotted((key,)))}{meant(key, names)}" for key in unknown
    ]
    # A key without a value says nothing, like a variable without one.
    values = {
        key: value for key, value in read.values.items() if key in names and value is not None
    }
    return Given(values, dotted, in_text=False, place=read.place), problems


def _merged(layers: Sequence[Given], problems: list[str]) -> dict[str, Any]:
    """Put *layers* on top of one another, the last one counting most; targets by name."""
    merged: dict[str, Any] = {}
    targets: dict[Any, Any] = {}
    for layer in layers:
        merged |= layer.values
        layer_targets = layer.values.get("targets", {})
        if isinstance(layer_targets, dict):
            targets |= layer_targets
        else:
            problems.append(not_a_mapping_of_targets(layer_targets, layer))
    merged["targets"] = targets
    return merged
