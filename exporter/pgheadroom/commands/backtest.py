"""Runs `pgheadroom backtest`: what would have fired, over recordings or a Prometheus."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from rich.console import Console

from pgheadroom import __version__
from pgheadroom.backtest import jsonl, report, text
from pgheadroom.backtest.curve import UsageSeries
from pgheadroom.backtest.progress import ProgressBar
from pgheadroom.backtest.prometheus import NO_CONNECTIONS, KnownServer, histories
from pgheadroom.backtest.prometheus_api import PrometheusApi, PrometheusError
from pgheadroom.backtest.replay import Replay
from pgheadroom.backtest.report import Chapter
from pgheadroom.commands.arguments import ExitStatus, tell
from pgheadroom.commands.past.backtest_options import (
    Options,
    PrometheusOptions,
    add_arguments,
    read_options,
)
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.resolve import policy
from pgheadroom.step import Policy
from pgheadroom.storage.recording_reader import RecordingReader, UnreadableRecordingError
from pgheadroom.text import escaped

__all__ = ["DESCRIPTION", "EPILOG", "HELP", "USAGE", "add_arguments", "run"]

HELP = "show what would have paged, from recordings or a Prometheus"
USAGE = """pgheadroom backtest FILE ... [--format text|jsonl] [--html REPORT]
       pgheadroom backtest --prometheus URL --since 30d [--until TIME] [...]"""
DESCRIPTION = """\
Shows what would have paged, and when, if pgheadroom had been watching. It
judges recordings, or the history in a Prometheus, exactly as the daemon does.

FILE is a recording of `pgheadroom record`, plain or gzip; - is standard input.
Each file is a history of its own. A Prometheus is asked for pgheadroom's series
and for those of postgres_exporter (pg_stat_activity_count, pg_settings_*), so
nothing needs to be installed to try it.

It also tells what a bare rule would have done on the same history: above 80 %
of max_connections pages at once, evaluated every 15 seconds. A page, of either,
is for nothing if the slots did not run out while it fired or within the hour
after, and if fewer than 92 % of those for applications were in use when it
began and in the 5 minutes after."""
EPILOG = """\
examples:
  pgheadroom backtest orders.jsonl.gz
  pgheadroom backtest --html report.html recordings/*.jsonl
  pgheadroom backtest --format jsonl --paging-horizon-seconds 1800 orders.jsonl
  pgheadroom backtest --prometheus http://prometheus:9090 --since 30d

Exits 1 if a critical alert would have fired, 0 if not, 2 if the arguments, a
file or Prometheus's answer cannot be used."""

_UNWRAPPED = 10_000  # columns: the reader of a pipe wraps lines itself
_TICK = 1024  # readings


def run(parsed: argparse.Namespace) -> ExitStatus:
    """Replay the histories that are asked for and tell what would have fired."""
    options = read_options(parsed)
    rules = policy(options.settings)
    try:
        if options.prometheus is not None:
            chapters = asyncio.run(_from_prometheus(options.prometheus, rules, options))
        else:
            chapters = _from_files(rules, options)
    except (UnreadableRecordingError, PrometheusError) as error:
        raise ConfigurationError([str(error)]) from error
    _tell(chapters, options)
    if options.html is not None:
        tell([f"report: {escaped(str(options.html))}"])
    if not any(chapter.account.paged for chapter in chapters):
        return ExitStatus.OK
    tell([f"exit status {ExitStatus.NOT_OK}: a critical alert would have fired"])
    return ExitStatus.NOT_OK


def _from_files(rules: Policy, options: Options) -> list[Chapter]:
    recordings = [RecordingReader(path) for path in options.files]
    names = [recording.name for recording in recordings]
    sizes = [recording.size or 0 for recording in recordings]
    chapters: list[Chapter] = []
    with ProgressBar("playing back") as bar:
        for number, recording in enumerate(recordings):
            unique = names.count(recording.name) == 1
            name = recording.name if unique else recording.shown
            replay, curve = _replay(name, rules, options)
            for count, reading in enumerate(recording):
                replay.add(reading)
                if count % _TICK == 0:
                    done = sum(sizes[:number]) + recording.position
                    bar.at(done / (sum(sizes) or 1), name)
            chapters.append(Chapter(replay.account, curve))
    return chapters


async def _from_prometheus(
    prometheus: PrometheusOptions, rules: Policy, options: Options
) -> list[Chapter]:
    replays: dict[str, tuple[Replay, UsageSeries]] = {}
    with ProgressBar("asking Prometheus") as bar:
        api = PrometheusApi(prometheus.url, prometheus.credentials)
        servers = await histories(api, prometheus.start, prometheus.end, prometheus.target)
        for name in servers.left_out:
            tell([f"pgheadroom: {name} is left out: {NO_CONNECTIONS}"])
        for history in servers.histories:
            replays[history.name] = _replay(history.name, rules, options)
            replays[history.name][0].account.notes = history.notes
        await _play(api, servers.histories, prometheus, replays, bar)
    empty = [name for name, (replay, _) in replays.items() if replay.account.first is None]
    if len(empty) == len(replays):
        raise PrometheusError(f"no samples of {', '.join(empty)} in that time")
    return [
        Chapter(replay.account, curve)
        for replay, curve in replays.values()
        if replay.account.first is not None
    ]


async def _play(
    api: PrometheusApi,
    servers: Sequence[KnownServer],
    prometheus: PrometheusOptions,
    replays: dict[str, tuple[Replay, UsageSeries]],
    bar: ProgressBar,
) -> None:
    span = prometheus.end - prometheus.start
    for number, history in enumerate(servers):
        replay, _ = replays[history.name]
        async for reading in history.readings(
            api, prometheus.start, prometheus.end, prometheus.step_seconds
        ):
            replay.add(reading)
            share = (reading.at - prometheus.start) / span
            bar.at((number + share) / len(servers), history.name)


def _replay(name: str, rules: Policy, options: Options) -> tuple[Replay, UsageSeries]:
    curve = UsageSeries()
    kept = curve if options.html is not None else None
    return Replay(name, rules, kept, options.compare_ratio), curve


def _tell(chapters: Sequence[Chapter], options: Options) -> None:
    accounts = [chapter.account for chapter in chapters]
    if options.html is not None:
        try:
            made = f"pgheadroom {__version__}"
            options.html.write_text(report.page(chapters, made), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                [f"--html: cannot write {options.html}: {error.strerror}"]
            ) from None
    if options.as_jsonl:
        for account in accounts:
            sys.stdout.writelines(line + "\n" for line in jsonl.lines(account))
    else:
        width = None if sys.stdout.isatty() else _UNWRAPPED
        console = Console(width=width, highlight=False)
        text.tell(accounts, console)
