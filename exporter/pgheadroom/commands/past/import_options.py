"""Parses the arguments of `pgheadroom import` and reports all that is wrong with them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pgheadroom.commands.configured import add_settings, settings_of, targets_of
from pgheadroom.commands.help.parser import Parser
from pgheadroom.commands.past.prometheus_options import (
    MOST_DAYS,
    add_logins,
    credentials,
    told,
    when,
    without_prometheus,
)
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.model.identity import TargetKind
from pgheadroom.net.credentials import Credentials

_SINCE = "14d"
NO_DIRECTORY = (
    "import needs a state_directory to keep the history in: give --state-directory DIRECTORY, or"
    " the configuration of the daemon with --config"
)


@dataclass(frozen=True, slots=True)
class Source:
    """Which Prometheus to ask, and since when."""

    url: str
    start: float
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Options:
    """What to import, for which targets, and where to keep it."""

    prometheus: Source | None
    """None where recordings are imported."""
    files: tuple[str, ...]
    targets: Mapping[str, TargetSettings]
    called: Mapping[str, str]
    """By target, what it is called in Prometheus where a person has said so."""
    directory: Path
    now: float
    dry_run: bool
    settings: Settings
    configured: Mapping[str, TargetSettings]
    """All targets that are configured."""


def add_arguments(parser: Parser) -> None:
    """Take recordings or a Prometheus, which targets are meant, and the settings."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="a recording; - is standard input")
    parser.add_argument(
        "--target",
        action="append",
        metavar="NAME",
        help="only this configured target; may be repeated. A recording needs one",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be imported, and keep nothing"
    )
    past = parser.add_argument_group("history from Prometheus")
    past.add_argument("--prometheus", metavar="URL", help="its address: http://prometheus:9090")
    past.add_argument(
        "--since", metavar="WHEN", help=f"start: {_SINCE} ago (default), or a date or time"
    )
    past.add_argument(
        "--map",
        action="append",
        metavar="TARGET=NAME",
        help="what the target is called in Prometheus, if neither its name nor its address tells",
    )
    add_logins(past)
    add_settings(parser, "state_directory")


def read_options(parsed: argparse.Namespace, clock: Callable[[], float] = time.time) -> Options:
    """Return what the command line asks for; raises ConfigurationError with all that is wrong."""
    problems: list[str] = []
    now = clock()
    prometheus = _prometheus(parsed, problems, now)
    if bool(parsed.files) is (parsed.prometheus is not None):
        problems.append("give --prometheus URL, or FILE ... and --target NAME; see --help")
    elif parsed.files and len(parsed.target or ()) != 1:
        problems.append("a recording is of one target: give --target NAME, once")
    if parsed.files.count("-") > 1:
        problems.append("the standard input (-) can be read only once")
    called = _called(parsed.map or (), problems)
    settings = settings_of(parsed, problems)
    configured = targets_of(settings, problems)
    directory = settings.directory_of_state()
    if directory is None:
        problems.append(NO_DIRECTORY)
    chosen = _chosen(parsed, configured, called, problems)
    if problems or directory is None:
        raise ConfigurationError(problems)
    return Options(
        prometheus=prometheus,
        files=tuple(parsed.files),
        targets=chosen,
        called=called,
        directory=directory,
        now=now,
        dry_run=parsed.dry_run,
        settings=settings,
        configured=configured,
    )


def _prometheus(parsed: argparse.Namespace, problems: list[str], now: float) -> Source | None:
    if parsed.prometheus is None:
        problems += without_prometheus(parsed, "since", "map")
        return None
    before = len(problems)
    start = told(problems, "--since", lambda: when(parsed.since or _SINCE, now))
    if start is not None and not now - MOST_DAYS * 86_400 <= start < now:
        problems.append(f"--since: give a time within the last {MOST_DAYS} days")
    login = told(problems, "", lambda: credentials(parsed))
    return None if len(problems) > before else Source(parsed.prometheus, start, login)


def _called(texts: list[str] | tuple[str, ...], problems: list[str]) -> dict[str, str]:
    called: dict[str, str] = {}
    for text in texts:
        target, equals, name = text.partition("=")
        if not (target and equals and name):
            problems.append("--map: give TARGET=NAME, such as orders=db1:9187")
        elif target in called:
            problems.append(f"--map: {target} is given twice")
        called[target] = name
    return called


def _chosen(
    parsed: argparse.Namespace,
    configured: Mapping[str, TargetSettings],
    called: Mapping[str, str],
    problems: list[str],
) -> dict[str, TargetSettings]:
    """Return the targets that are meant; a pooler only where a recording is imported."""
    names = dict.fromkeys(parsed.target or configured)
    strange = [name for name in dict.fromkeys((*names, *called)) if name not in configured]
    if strange:
        there = ", ".join(configured)
        problems += [f"no target {name} is configured; there are: {there}" for name in strange]
        return {}
    poolers = [
        name
        for name in names
        if parsed.prometheus is not None and configured[name].watched_as is not TargetKind.POSTGRES
    ]
    for name in poolers if parsed.target else ():
        problems.append(f"{name} is a pooler: its history can be imported from recordings only")
    chosen = {name: configured[name] for name in names if name not in poolers}
    if not chosen and not problems:
        problems.append("every target is a pooler: their history is in recordings only")
    return chosen
