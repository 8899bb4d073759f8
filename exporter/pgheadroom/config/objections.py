"""Words why a setting is not allowed: where it was given, what was given, what is allowed.

Pydantic finds what is wrong; none of its words is passed on.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from pgheadroom.config.alerting import URLS
from pgheadroom.config.connection_strings import CONNECTIONS
from pgheadroom.config.given import Given, Location, repeatable
from pgheadroom.config.settings import ADDRESSES, FoldRule, Settings, allowed_range
from pgheadroom.config.target import TARGET_NAMES, TargetSettings

# What is given for these is never repeated: it may hold a password. URLs say themselves what of
# them can be told.
_SECRET = frozenset({"dsn", "canary_dsn", "alertmanager_urls", "external_url"})

_LONGEST = 100
_PARTS: dict[str, type[BaseModel]] = {"targets": TargetSettings, "fold_rules": FoldRule}
_TARGET = f"a connection string, or a mapping of {', '.join(TargetSettings.model_fields)}"
_RULE = f"a mapping of {' and '.join(FoldRule.model_fields)}"
_TEXT = "allowed is a text; a number is one in quotes"

# In a file, and in the one line of text that a flag and a variable have.
_LISTS = {
    "targets": (f"a mapping of names, each with {_TARGET}", "NAME=CONNINFO, or a mapping in JSON"),
    "fold_rules": (
        f"a list, each of its items {_RULE}",
        'a list in JSON: [{"pattern": "...", "replacement": "..."}]',
    ),
    "alert_labels": (
        "a mapping of labels' names and values",
        "NAME=VALUE,NAME=VALUE, each name once, or a mapping in JSON",
    ),
    "alertmanager_urls": (
        "a URL, or a list of them: http://HOST:PORT or https://HOST:PORT each",
        "URL,URL, or a list in JSON",
    ),
}
_ONE_VALUE = {
    "dsn": CONNECTIONS,
    "canary_dsn": CONNECTIONS,
    "listen": ADDRESSES,
    "external_url": URLS,
}


def objection(detail: ErrorDetails, layers: Sequence[Given]) -> str:
    """Return *detail* in one line; *layers* are the places that were read, the strongest last."""
    location = tuple(detail["loc"])
    place = next((one for one in reversed(layers) if one.says(location)), layers[0])
    if not location:
        return in_their_words(_own_words(detail), layers)
    if detail["type"] == "extra_forbidden":
        model = Settings if len(location) == 1 else _PARTS[str(location[0])]
        return f"{no_such(place.called(location))}{meant(location[-1], model.model_fields)}"
    if location[-1] == "[key]":
        name = _given(detail["input"], secret=False)
        allowed = TARGET_NAMES if location[0] == "targets" else _TEXT
        return f"{place.called(location[:1])}: {name} is not allowed as a name: {allowed}"
    where = place.called(location)
    secret = bool(_SECRET.intersection(location)) or (
        location[0] == "targets" and len(location) <= 2  # noqa: PLR2004 - the target itself
    )
    own = detail["type"] == "value_error"
    if own and (secret or isinstance(detail["input"], dict | list)):
        return f"{where}: {_own_words(detail)}"
    allowed = _own_words(detail) if own else _allowed(location, in_text=place.in_text)
    return f"{where}: {_given(detail['input'], secret=secret)} is not allowed: {allowed}"


def not_a_mapping_of_targets(value: object, place: Given) -> str:
    """Return the line for what is said for `targets`, all of it, and is no mapping."""
    allowed = _allowed(("targets",), in_text=place.in_text)
    return f"{place.called(('targets',))}: {_given(value, secret=True)} is not allowed: {allowed}"


def in_their_words(text: str, layers: Sequence[Given]) -> str:
    """Return *text* with each setting that it names as the place calls it that says it."""
    names = "|".join(sorted(Settings.model_fields, key=len, reverse=True))

    def called(match: re.Match[str]) -> str:
        place = next((one for one in reversed(layers) if one.says((match[0],))), None)
        return place.called((match[0],)) if place else match[0]

    return re.sub(rf"(?<![\w.])({names})(?![\w.])", called, text)


def no_such(where: str) -> str:
    """Return the line for what is no setting."""
    return f"{where}: no such setting"


def meant(word: object, names: Collection[str]) -> str:
    """Return what to add when one of *names* is nearly *word*; else nothing."""
    close = difflib.get_close_matches(str(word), sorted(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _own_words(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ")


def _given(value: object, *, secret: bool) -> str:
    """Return what was given as far as it may be told."""
    match value:
        case None | bool():
            literal = {None: "null", True: "true", False: "false"}[value]
        case list() | set() | tuple():
            literal = "a list"
        case dict():
            literal = "a mapping"
        case str():
            quoted = repr(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")
            literal = quoted if repeatable(value) and not secret else "what is given"
        case int() | float():
            literal = "a number" if secret else repr(value)
        case _:
            literal = "a date"  # all else that YAML knows
    return literal


def _allowed(location: Location, *, in_text: bool) -> str:
    """Return what is allowed at *location*."""
    match location:
        case (str(name),) if name in _LISTS:
            words = f"allowed is {_LISTS[name][in_text]}"
        case (str(name),):
            words = _one_value(name, Settings.model_fields[name].annotation, allowed_range(name))
        case ("targets", _):
            words = f"allowed is {_TARGET}"
        case ("fold_rules", _):
            words = f"allowed is {_RULE}"
        case ("alertmanager_urls", _):
            words = URLS
        case (("targets" | "fold_rules") as part, _, str(name)):
            model = _PARTS[part]
            range_ = allowed_range(name, model)
            words = _one_value(name, model.model_fields[name].annotation, range_)
        case _:
            words = _TEXT
    return words


def _one_value(name: str, annotation: object, range_: str) -> str:
    if name in _ONE_VALUE:
        return _ONE_VALUE[name]
    if get_origin(annotation) is Literal:
        return f"allowed are {', '.join(get_args(annotation))}"
    if type(None) in get_args(annotation):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return f"allowed are {', '.join(annotation)}"
    words: dict[object, Callable[[], str]] = {
        bool: lambda: "allowed are true and false",
        int: lambda: f"allowed is a whole number from {range_}",
        float: lambda: f"allowed is a number from {range_}",
        Path: lambda: f"allowed is the path of a {_held(name)}",
    }
    return words.get(annotation, lambda: _TEXT)()


def _held(name: str) -> str:
    return "directory" if name.endswith("directory") else "file"
