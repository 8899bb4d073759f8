"""Reads settings from command-line flags, and describes the flags for --help."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo

from pgheadroom.config.given import Given, Location, dotted, from_text, kind_of
from pgheadroom.config.settings import Settings, allowed_range

_METAVARS = {
    "config": "FILE",
    "dsn": "CONNINFO",
    "canary_dsn": "CONNINFO",
    "targets": "NAME=CONNINFO",
    "listen": "HOST:PORT",
    "max_applications": "N",
    "fold_rules": "JSON",
    "log_format": "{logfmt,json}",
    "log_level": "{debug,info,warning,error}",
    "alert_labels": "NAME=VALUE",
    "state_directory": "DIRECTORY",
    "alertmanager_username": "NAME",
    "import_prometheus_username": "NAME",
}
_BY_UNIT = {
    "_seconds": "SECONDS",
    "_ratio": "RATIO",
    "_file": "FILE",
    "_url": "URL",
    "_urls": "URL,URL",
}
Flags = argparse.ArgumentParser | argparse._ArgumentGroup  # noqa: SLF001 - a group has no other type
_ALSO = {"web_config_file": ("--web.config.file",)}  # as the exporters of Prometheus call it


def add_flags(parser: Flags, names: Iterable[str]) -> None:
    """Have *parser* take the settings *names* as flags."""
    for name in names:
        _add(parser, name, Settings.model_fields[name])


def flags_given(parsed: Mapping[str, Any]) -> tuple[Given, list[str]]:
    """Return the settings that a command line says, and what is wrong with their forms.

    *parsed* has the texts of each flag that `add_flags` added, by the setting's name.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name in Settings.model_fields:
        texts = parsed.get(name)
        if texts is None:
            continue
        try:
            values[name] = _together(name, texts) if kind_of(name) else texts
        except ValueError as error:
            problems.append(f"{flag_called((name,))}: {error}")
    return Given(values, flag_called), problems


def flag_called(location: Location) -> str:
    """Return the flag for what is at *location*, and where in its value that is."""
    name, *rest = location
    return " ".join(filter(None, ("--" + str(name).replace("_", "-"), dotted(tuple(rest)))))


def _add(parser: Flags, name: str, field: FieldInfo) -> None:
    """Name values by what they are, and leave out defaults that say nothing."""
    options: dict[str, Any] = {"dest": name, "default": None}
    if field.annotation is bool:
        options["action"] = argparse.BooleanOptionalAction
    else:
        unit = next((word for end, word in _BY_UNIT.items() if name.endswith(end)), None)
        options["metavar"] = _METAVARS.get(name) or unit
        if kind_of(name):
            options["action"] = "append"
    default = field.get_default(call_default_factory=True)
    words = [] if default in (None, [], {}) else [f"default: {_told(default)}"]
    words[:0] = filter(None, [allowed_range(name)])
    text = f"{field.description} ({', '.join(words)})" if words else str(field.description)
    options["help"] = text.replace("%", "%%")
    parser.add_argument(flag_called((name,)), *_ALSO.get(name, ()), **options)


def _told(default: object) -> str:
    """Return *default* as it would be given."""
    if isinstance(default, bool):
        return "true" if default else "false"
    return f"{default:g}" if isinstance(default, float) else str(default)


def _together(name: str, texts: Sequence[str]) -> object:
    """Return what a flag says that is given again and again, each time some more."""
    values = [from_text(name, text) for text in texts]
    if kind_of(name) is dict:
        merged: dict[str, object] = {}
        for value in values:
            if not isinstance(value, dict):
                return value  # which is refused
            merged |= value
        return merged
    listed: list[object] = []
    for value in values:
        if isinstance(value, str):
            return value
        listed += value if isinstance(value, list) else [value]  # one rule need be no list
    return listed


NO_FLAGS = Given({}, flag_called)
"""Of a command line without settings."""
