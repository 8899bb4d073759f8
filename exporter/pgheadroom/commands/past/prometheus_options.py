"""Parses which Prometheus to ask, since when, and how to log in there."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from pgheadroom.durations import seconds_of, time_of
from pgheadroom.net.credentials import Credentials, UnusableFileError

LOGINS = tuple(field.name for field in fields(Credentials))
"""The options by which to log in."""
MOST_DAYS = 400
"""How far back may be asked."""

Group = argparse._ArgumentGroup  # noqa: SLF001 - a group has no other type


def add_logins(group: Group) -> None:
    """Have *group* take how to log in."""
    group.add_argument("--username", metavar="NAME", help="log in with this name and a password")
    group.add_argument("--password-file", type=Path, metavar="FILE", help="file with the password")
    group.add_argument("--bearer-token-file", type=Path, metavar="FILE", help="file with a token")
    group.add_argument("--ca-file", type=Path, metavar="FILE", help="CA certificates, in PEM")
    group.add_argument("--cert-file", type=Path, metavar="FILE", help="client certificate, in PEM")
    group.add_argument("--key-file", type=Path, metavar="FILE", help="key of that certificate")


def without_prometheus(parsed: argparse.Namespace, *more: str) -> list[str]:
    """Return what is wrong with options that have no meaning without --prometheus."""
    return [
        f"{flag(name)} needs --prometheus URL" for name in (*more, *LOGINS) if getattr(parsed, name)
    ]


def flag(name: str) -> str:
    """Return how the option *name* is given."""
    return "--" + name.replace("_", "-")


def when(text: str, now: float) -> float:
    """Read a time, or a span before *now*; raises ValueError."""
    try:
        return now - seconds_of(text) if not text.isdigit() else time_of(text)
    except ValueError:
        return time_of(text)


def credentials(parsed: argparse.Namespace) -> Credentials:
    """Return who we are, by the options; raises ValueError."""
    if bool(parsed.username) is not bool(parsed.password_file):
        raise ValueError("--username and --password-file go together")
    if parsed.username and parsed.bearer_token_file:
        raise ValueError("give --username or --bearer-token-file, not both")
    if bool(parsed.cert_file) is not bool(parsed.key_file):
        raise ValueError("--cert-file and --key-file go together")
    found = Credentials(**{name: getattr(parsed, name) for name in LOGINS})
    try:
        found.headers()
        found.trust()
    except UnusableFileError as error:
        raise ValueError(str(error)) from None
    return found


def told(problems: list[str], flag: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - what *make* makes
    """Return what *make* makes; add what is wrong with it to *problems*."""
    try:
        return make()
    except ValueError as error:
        problems.append(f"{flag}: {error}" if flag else str(error))
        return None
