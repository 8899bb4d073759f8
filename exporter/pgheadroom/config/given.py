"""Holds the settings from one place (flags, environment or file), by the names used there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, get_origin

from pgheadroom.config.alerting import urls_of
from pgheadroom.config.settings import Settings

Location: TypeAlias = tuple[str | int, ...]
"""Where in the settings something stands: ``("targets", "orders", "dsn")``."""

_LONGEST = 100
_MAY_BE_SECRET = re.compile(r"@|passw|secret|token", re.IGNORECASE)

# A comma parts two targets where a name and a connection string follow: hosts have commas, too.
_NEXT_TARGET = re.compile(
    r",(?=[A-Za-z0-9][A-Za-z0-9_.:-]*=(?:postgres(?:ql)?://|[a-z_]+\s*=))", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Given:
    """The settings that one place says, and its name for where each of them stands."""

    values: dict[str, Any]
    called: Callable[[Location], str]
    in_text: bool = True
    """Whether it says lists and mappings in one line of text, unlike a file."""
    place: Callable[[Location], str] = lambda _: ""
    """What a line about something begins with: the file and the line where it stands."""

    def says(self, location: Location) -> bool:
        """Tell whether what is at *location* comes from here."""
        value: object = self.values
        for part in location[:2] if location[:1] == ("targets",) else location[:1]:
            if not isinstance(value, Mapping) or part not in value:
                return False
            value = value[part]
        return bool(location)


def kind_of(name: str) -> type | None:
    """Return `list` or `dict` where the setting *name* is one; None for what is one value."""
    origin = get_origin(Settings.model_fields[name].annotation)
    return origin if origin in (list, dict) else None


def from_text(name: str, text: str) -> object:
    """Return what *text* says for the setting *name*, as a flag or a variable has it.

    A list or a mapping is JSON, or in short ``URL,URL`` and ``NAME=VALUE,NAME=VALUE``. What is
    neither stays text, to be validated later. Raises ValueError with what is wrong with the JSON.
    """
    kind = kind_of(name)
    if kind is None:
        return text
    if text.lstrip()[:1] in ("[", "{"):
        return from_json(text)
    if name == "targets":
        return _pairs(_NEXT_TARGET.split(text)) or text
    if kind is dict:
        return _pairs(text.split(",")) or text
    return urls_of(text) if name == "alertmanager_urls" else text


def from_json(text: str) -> object:
    """Return what *text* holds; raises ValueError in words, of which none is of *text*."""
    try:
        return json.loads(text, object_pairs_hook=_each_once, parse_constant=float)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg.lower()} at character {error.pos + 1}"
        raise ValueError(message) from None
    except RecursionError:
        message = "JSON that is nested too deeply"
        raise ValueError(message) from None


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        message = "JSON with a duplicate key"
        raise ValueError(message)
    for text in (*mapping, *mapping.values()):
        if isinstance(text, str) and "\0" in text:
            message = "JSON with a NUL character, which no name, path or address can contain"
            raise ValueError(message)
    return mapping


def _pairs(items: list[str]) -> dict[str, str] | None:
    """Return *items* as a mapping; None if one is no NAME=VALUE, or a name stands twice."""
    pairs: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or name.strip() in pairs:
            return None
        pairs[name.strip()] = value
    return pairs


def shown(value: object, *, secret: bool) -> str:
    """Return what was given, as far as it may be told: a *secret* by its kind alone."""
    match value:
        case None | bool():
            words = {None: "null", True: "true", False: "false"}[value]
        case list() | set() | tuple():
            words = "a list"
        case dict():
            words = "a mapping"
        case str():
            quoted = repr(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")
            words = quoted if repeatable(value) and not secret else "this value"
        case int() | float():
            words = "a number" if secret else repr(value)
        case _:
            words = "a date"  # all else that YAML knows
    return words


def repeatable(text: str) -> bool:
    """Tell whether *text* may be repeated in a message: nothing in it looks like a password."""
    return _MAY_BE_SECRET.search(text) is None


def dotted(parts: Location) -> str:
    """Return *parts* as a file's keys are told; one that may hold a password is not repeated."""
    return ".".join("…" if "@" in str(part) else str(part) for part in parts)
