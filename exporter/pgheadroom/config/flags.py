"""Reads settings from command-line flags, and describes the flags for --help."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

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
}
_BY_UNIT = {
    "_seconds": "SECONDS",
    "_ratio": "RATIO",
    "_file": "FILE",
    "_url": "URL",
    "_urls": "URL,URL",
}
_ALSO = {"web_config_file": ("--web.config.file",)}  # as the exporters of Prometheus call it

_STRAY = "unexpected argument; use --dsn CONNINFO to give a connection string"


def read_flags(
    arguments: Sequence[str],
    *,
    program: str,
    description: str,
    operands: Sequence[str] = (),
    epilog: str = "",
) -> tuple[Given, list[str]]:
    """Return the settings that *arguments* say, and what is wrong with their names and forms.

    Ends the process with the help text for ``--help``.
    """
    parser = _Parser(
        prog=program,
        # Each setting is listed below.
        usage=" ".join(["%(prog)s", *operands, "[SETTING ...]"]),
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for name, field in Settings.model_fields.items():
        _add(parser, name, field)
    try:
        parsed, unknown = parser.parse_known_args(list(arguments))
    except _UsageError as error:
        return Given({}, flag_called), [str(error)]
    problems = _unknown(unknown)
    values: dict[str, Any] = {}
    for name in Settings.model_fields:
        texts = getattr(parsed, name)
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


class _UsageError(Exception):
    """What argparse complains of, in words."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one of several, not the end."""

    def error(self, message: str) -> NoReturn:
        flag, _, complaint = message.removeprefix("argument ").partition(": ")
        flag = flag.partition("/")[0]
        if complaint == "expected one argument":
            raise _UsageError(f"{flag}: no value is given")
        if complaint.startswith("ignored explicit argument"):  # and repeats it
            raise _UsageError(f"{flag}: no value is allowed: it stands alone, or --no-{flag[2:]}")
        raise _UsageError(message)


def _add(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
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
    words = [] if default in (None, [], {}) else [f"default: {default}"]
    words[:0] = filter(None, [allowed_range(name)])
    text = f"{field.description} ({', '.join(words)})" if words else str(field.description)
    options["help"] = text.replace("%", "%%")
    parser.add_argument(flag_called((name,)), *_ALSO.get(name, ()), **options)


def _together(name: str, texts: Sequence[str]) -> object:
    """Return what a flag says that is given again and again, each time some more."""
    found = [from_text(name, text) for text in texts]
    if kind_of(name) is dict:
        merged: dict[str, object] = {}
        for value in found:
            if not isinstance(value, dict):
                return value  # which is refused
            merged |= value
        return merged
    listed: list[object] = []
    for value in found:
        if isinstance(value, str):
            return value
        listed += value if isinstance(value, list) else [value]  # one rule need be no list
    return listed


def _unknown(words: Sequence[str]) -> list[str]:
    # Of what was given, only flags are repeated: the rest may be a connection string.
    flags = [word.partition("=")[0] for word in words if word.startswith("-")]
    if not words:
        return []
    return [f"no such flag: {flag}" for flag in flags] or [_STRAY]
