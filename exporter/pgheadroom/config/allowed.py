"""Says in plain English what may be given for each setting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

from pgheadroom.config.alerting import URLS
from pgheadroom.config.connection_strings import CONNECTIONS
from pgheadroom.config.given import Location
from pgheadroom.config.settings import ADDRESSES, FoldRule, Settings, allowed_range
from pgheadroom.config.target import TargetSettings

PARTS: dict[str, type[BaseModel]] = {"targets": TargetSettings, "fold_rules": FoldRule}
"""The settings that are made of parts, each with settings of its own."""

TEXT = "give text (put a number in quotes)"

_TARGET = f"a connection string, or a mapping of {', '.join(TargetSettings.model_fields)}"
_RULE = f"a mapping of {' and '.join(FoldRule.model_fields)}"

# In a file, and in the one line of text that a flag and a variable have.
_LISTS = {
    "targets": (
        f"a mapping of names, each with {_TARGET}",
        "NAME=CONNINFO, such as orders=host=db1, or a mapping in JSON",
    ),
    "fold_rules": (
        f"a list in which each item is {_RULE}",
        'a list in JSON, such as [{"pattern": "...", "replacement": "..."}]',
    ),
    "alert_labels": (
        "a mapping of label names to values",
        "NAME=VALUE,NAME=VALUE, each name once, or a mapping in JSON",
    ),
    "alertmanager_urls": (
        "a URL or a list of URLs, such as http://alertmanager:9093",
        "URL,URL, such as http://alertmanager:9093, or a list in JSON",
    ),
}
_ONE_VALUE = {
    "dsn": CONNECTIONS,
    "canary_dsn": CONNECTIONS,
    "listen": ADDRESSES,
    "external_url": URLS,
    "metrics_url": URLS,
    "import_prometheus_url": URLS,
    "serves": "give the name of another target",
}


def allowed(location: Location, *, in_text: bool) -> str:
    """Return what may be given at *location*; *in_text* in one line, not in a file."""
    match location:
        case (str(name),) if name in _LISTS:
            words = f"give {_LISTS[name][in_text]}"
        case (str(name),):
            words = _one_value(name, Settings)
        case ("targets", _):
            words = f"give {_TARGET}"
        case ("fold_rules", _):
            words = f"give {_RULE}"
        case ("alertmanager_urls", _):
            words = URLS
        case (("targets" | "fold_rules") as part, _, str(name)):
            words = _one_value(name, PARTS[part])
        case _:
            words = TEXT
    return words


def _one_value(name: str, model: type[BaseModel]) -> str:
    if name in _ONE_VALUE:
        return _ONE_VALUE[name]
    annotation, range_ = model.model_fields[name].annotation, allowed_range(name, model)
    if type(None) in get_args(annotation):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    if get_origin(annotation) is Literal:
        return f"give {one_of(get_args(annotation))}"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return f"give {one_of(annotation)}"
    words: dict[object, Callable[[], str]] = {
        bool: lambda: "give true or false",
        int: lambda: f"give a whole number from {range_}",
        float: lambda: f"give {'a share' if name.endswith('_ratio') else 'seconds,'} from {range_}",
        Path: lambda: f"give the path of a {'directory' if 'directory' in name else 'file'}",
    }
    return words.get(annotation, lambda: TEXT)()


def one_of(words: Iterable[str]) -> str:
    """Return *words* as alternatives: ``a, b or c``."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
