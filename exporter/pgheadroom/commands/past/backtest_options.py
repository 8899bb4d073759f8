"""Parses the arguments of `pgheadroom backtest` and reports all that is wrong with them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from pgheadroom.backtest.threshold import USUAL_RATIO
from pgheadroom.commands.configured import settings_of
from pgheadroom.commands.help.parser import Parser, one_word
from pgheadroom.commands.past.prometheus_options import (
    MOST_DAYS,
    add_logins,
    credentials,
    told,
    when,
    without_prometheus,
)
from pgheadroom.config.given import shown
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings
from pgheadroom.durations import seconds_of
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.net.credentials import Credentials

_THRESHOLDS = tuple(field.name for field in fields(Thresholds))
_FIRST = (
    *("config", "paging_horizon_seconds", "paging_floor_ratio", "forecast_horizon_seconds"),
    *("leak_seconds", "low_free_ratio"),
)


@dataclass(frozen=True, slots=True)
class PrometheusOptions:
    """Which history to ask which Prometheus for."""

    url: str
    start: float
    end: float
    step_seconds: float
    target: str | None
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Options:
    """What to play back, how to judge it, and how to tell it."""

    files: tuple[str, ...]
    prometheus: PrometheusOptions | None
    as_jsonl: bool
    html: Path | None
    compare_ratio: float
    """The bare threshold to compare with, as a share of ``max_connections``."""
    settings: Settings


def add_arguments(parser: Parser) -> None:
    """Take recordings or a Prometheus, the form of the report, and the thresholds."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="a recording; - is standard input")
    parser.add_argument(
        "--format",
        type=one_word(("text", "jsonl")),
        metavar="{text,jsonl}",
        default="text",
        help="text to read (default), or JSON with a line for each change of an alert",
    )
    parser.add_argument("--html", type=Path, metavar="REPORT", help="also write a page with charts")
    parser.add_argument(
        "--compare-ratio",
        type=_ratio,
        metavar="SHARE",
        default=USUAL_RATIO,
        help="compare with a rule that pages above this share of max_connections (default: 0.8)",
    )
    past = parser.add_argument_group("history from Prometheus")
    past.add_argument("--prometheus", metavar="URL", help="its address: http://prometheus:9090")
    past.add_argument("--since", metavar="WHEN", help="start: 30d or 12h ago, or a date or time")
    past.add_argument("--until", metavar="WHEN", help="end, in the same form (default: now)")
    past.add_argument("--step", default="15s", help="time between samples (default: 15s)")
    past.add_argument("--target", metavar="NAME", help="only this target, instance or server")
    add_logins(past)
    parser.add_settings({"alerts": ("config", *_THRESHOLDS)}, _FIRST)


def read_options(parsed: argparse.Namespace, clock: Callable[[], float] = time.time) -> Options:
    """Return what the command line asks for; thresholds may be set in the environment or a file.

    Raises ConfigurationError with everything that is wrong.
    """
    problems: list[str] = []
    prometheus = _prometheus(parsed, problems, clock)
    if bool(parsed.files) is (parsed.prometheus is not None):
        problems.append("give FILE ..., or --prometheus URL and --since 30d; see --help")
    if parsed.files.count("-") > 1:
        problems.append("the standard input (-) can be read only once")
    settings = settings_of(parsed, problems)
    if problems:
        raise ConfigurationError(problems)
    return Options(
        settings=settings,
        files=tuple(parsed.files),
        prometheus=prometheus,
        as_jsonl=parsed.format == "jsonl",
        html=parsed.html,
        compare_ratio=parsed.compare_ratio,
    )


def _ratio(text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = 0.0
    if not 0 < ratio < 1:
        given = shown(text, secret=False)
        raise argparse.ArgumentTypeError(
            f"{given} is not allowed; give a share between 0 and 1, such as 0.8"
        )
    return ratio


def _prometheus(
    parsed: argparse.Namespace, problems: list[str], clock: Callable[[], float]
) -> PrometheusOptions | None:
    if parsed.prometheus is None:
        problems += without_prometheus(parsed, "since", "until", "target")
        return None
    problems_before = len(problems)
    now = clock()
    if parsed.since is None:
        problems.append("--prometheus needs --since, such as --since 30d")
    start = told(problems, "--since", lambda: when(parsed.since or "1d", now))
    end = told(problems, "--until", lambda: now if not parsed.until else when(parsed.until, now))
    step = told(problems, "--step", lambda: seconds_of(parsed.step))
    if len(problems) == problems_before:
        if not start < end:
            problems.append("--since must be before --until, and before now")
        elif end - start > MOST_DAYS * 86_400:
            problems.append("--since: give a time within 400 days of --until")
        if not 1 <= step <= 3600:  # noqa: PLR2004 - said in the message
            problems.append(f"--step: {parsed.step!r} is not allowed; give a time from 1s to 1h")
    login = told(problems, "", lambda: credentials(parsed))
    if len(problems) > problems_before:
        return None
    return PrometheusOptions(parsed.prometheus, start, end, step, parsed.target, login)
