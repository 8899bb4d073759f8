"""Reads settings from environment variables; tells misspelt ones from the platform's own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pgheadroom.config.given import Given, Location, dotted, from_json, from_text
from pgheadroom.config.objections import meant, no_such
from pgheadroom.config.settings import PREFIX, Settings

_BETWEEN = "__"


def read_variables(environment: Mapping[str, str]) -> tuple[Given, list[str]]:
    """Return the settings that *environment* says, and what is wrong with their names and forms.

    An empty variable counts as not set: a template that is filled in cannot leave one out.
    """
    problems: list[str] = []
    names: dict[Location, str] = {}
    values: dict[str, Any] = {}
    passed = set(of_platform(environment))
    # What names a whole setting comes before what names a part of it.
    for name in sorted(environment, key=lambda name: (name.count(_BETWEEN), name)):
        if not name.upper().startswith(PREFIX) or name in passed:
            continue
        location = _location(name)
        if location is None:
            problems.append(f"{no_such(name)}{meant(name.upper(), _known())}")
        elif environment[name]:
            names[location] = name
            _put(values, location, name, environment[name], problems)
    return Given(values, _caller(names)), problems


def of_platform(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that begin like ours and come from Kubernetes, or from links of Docker.

    For a Service, or a container, that is called pgheadroom, or pgheadroom-and-more, they put its
    address into the environment of all. Names *and* values are looked at, so that a misspelling
    is not passed over.
    """
    ours = sorted(name for name in environment if name.startswith(PREFIX))
    linked = [
        name.removesuffix("NAME")
        for name in ours
        if name.endswith("_NAME") and _LINK.fullmatch(environment[name])
    ]
    return tuple(
        name
        for name in ours
        if any(
            pattern.fullmatch(name) and is_platforms(environment[name])
            for pattern, is_platforms in _OF_PLATFORM
        )
        or any(name == f"{one}NAME" or name.startswith(f"{one}ENV_") for one in linked)
    )


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


_LINK = re.compile(r"/[\w.-]+/[\w.-]+", re.ASCII)
"""What Docker says in ALIAS_NAME: the two containers."""

_NUMBER = re.compile(r"\d{1,5}", re.ASCII).fullmatch
_PROTOCOL = re.compile(r"tcp|udp|sctp").fullmatch
_URL = re.compile(r"(tcp|udp|sctp)://[\w.:\[\]-]+", re.ASCII).fullmatch
_PORT = r"PGHEADROOM_(\w+_)?PORT_\d+_(TCP|UDP|SCTP)(_START|_END|_\d+)*"

_OF_PLATFORM: tuple[tuple[re.Pattern[str], Callable[[str], object]], ...] = tuple(
    (re.compile(pattern, re.ASCII), told)
    for pattern, told in (
        (r"PGHEADROOM_(\w+_)?SERVICE_HOST", _is_address),
        (r"PGHEADROOM_(\w+_)?SERVICE_PORT(_\w+)?", _NUMBER),
        (r"PGHEADROOM_(\w+_)?PORT", _URL),
        (_PORT, _URL),
        (_PORT + "_PROTO", _PROTOCOL),
        (_PORT + "_PORT(_START|_END)?", _NUMBER),
        (_PORT + "_ADDR", _is_address),
    )
)
"""Names of Kubernetes (kubelet's envvars.FromServices) and Docker (links.EnvVars), and values."""


def _known() -> set[str]:
    return {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def _location(name: str) -> Location | None:
    """Return which setting, or part of one, the variable *name* says; None if there is none."""
    setting, *parts = name.lower().removeprefix(PREFIX.lower()).split(_BETWEEN)
    if setting == "alert_labels" and parts:
        return (setting, _BETWEEN.join(parts))
    most = 2 if setting == "targets" else 0
    if setting not in Settings.model_fields or len(parts) > most or "" in parts:
        return None
    return (setting, *parts)


def _put(
    values: dict[str, Any], location: Location, name: str, text: str, problems: list[str]
) -> None:
    setting, *parts = map(str, location)
    try:
        if not parts:
            values[setting] = from_text(setting, text)
            return
        # One target may be a mapping, in JSON.
        is_json = len(parts) == 1 and setting == "targets" and text.lstrip().startswith("{")
        value = from_json(text) if is_json else text
    except ValueError as error:
        problems.append(f"{name}: {error}")
        return
    fields = values.setdefault(setting, {})
    for part in parts[:-1]:
        if isinstance(fields, dict):
            if isinstance(fields.get(part), str):
                fields[part] = {"dsn": fields[part]}  # said in short
            fields = fields.setdefault(part, {})
    if isinstance(fields, dict):  # if not, that is what is refused
        fields[parts[-1]] = value


def _caller(names: Mapping[Location, str]) -> Callable[[Location], str]:
    def called(location: Location) -> str:
        for length in range(len(location), 0, -1):
            if name := names.get(location[:length]):
                return " ".join(filter(None, (name, dotted(location[length:]))))
        return PREFIX + _BETWEEN.join(_shouted(location))

    return called


def _shouted(location: Location) -> Iterator[str]:
    return (dotted((part,)).upper() for part in location)
