"""Runs `pgheadroom backtest`: what would have fired, over recordings or a Prometheus."""

from __future__ import annotations

import asyncio
import os
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
from pgheadroom.commands.backtest_options import Options, PrometheusOptions, options
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.resolve import policy
from pgheadroom.step import Policy
from pgheadroom.storage.recording_reader import Playback, PlaybackError

_QUIET, _PAGED, _WRONG = 0, 1, 2
_UNWRAPPED = 10_000  # columns: who reads a pipe wraps lines as he likes
_TICK = 1024  # readings


def main(arguments: Sequence[str]) -> int:
    """Run the backtest that *arguments* ask for; return the exit status.

    1 if something critical fired, 0 if not, 2 if the arguments or a history cannot be used.
    """
    try:
        asked = options(arguments)
        decided = policy(asked.settings)
        if asked.prometheus is not None:
            chapters = asyncio.run(_from_prometheus(asked.prometheus, decided, asked))
        else:
            chapters = _from_files(decided, asked)
        _tell(chapters, asked)
    except ConfigurationError as error:
        return _wrong(error.problems)
    except (PlaybackError, PrometheusError) as error:
        return _wrong([str(error)])
    return _PAGED if any(chapter.account.paged for chapter in chapters) else _QUIET


def _from_files(decided: Policy, asked: Options) -> list[Chapter]:
    recordings = [Playback(path) for path in asked.files]
    names = [recording.name for recording in recordings]
    sizes = [recording.size or 0 for recording in recordings]
    chapters: list[Chapter] = []
    with ProgressBar("playing back") as bar:
        for number, recording in enumerate(recordings):
            unique = names.count(recording.name) == 1
            name = recording.name if unique else recording.shown
            replay, curve = _replay(name, decided, asked)
            for count, reading in enumerate(recording):
                replay.add(reading)
                if count % _TICK == 0:
                    done = sum(sizes[:number]) + recording.position
                    bar.at(done / (sum(sizes) or 1), name)
            chapters.append(Chapter(replay.account, curve))
    return chapters


async def _from_prometheus(
    asked: PrometheusOptions, decided: Policy, options_: Options
) -> list[Chapter]:
    replays: dict[str, tuple[Replay, UsageSeries]] = {}
    with ProgressBar("asking Prometheus") as bar:
        async with PrometheusApi(asked.url, asked.login) as api:
            found = await histories(api, asked.start, asked.end, asked.target)
            for name in found.left_out:
                sys.stderr.write(f"pgheadroom: {name} is left out: {NO_CONNECTIONS}\n")
            for history in found.histories:
                replays[history.name] = _replay(history.name, decided, options_)
                replays[history.name][0].account.notes = history.notes
            await _play(api, found.histories, asked, replays, bar)
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
    found: Sequence[KnownServer],
    asked: PrometheusOptions,
    replays: dict[str, tuple[Replay, UsageSeries]],
    bar: ProgressBar,
) -> None:
    span = asked.end - asked.start
    for number, history in enumerate(found):
        replay, _ = replays[history.name]
        async for reading in history.readings(api, asked.start, asked.end, asked.step_seconds):
            replay.add(reading)
            share = (reading.at - asked.start) / span
            bar.at((number + share) / len(found), history.name)


def _replay(name: str, decided: Policy, asked: Options) -> tuple[Replay, UsageSeries]:
    curve = UsageSeries()
    return Replay(name, decided, curve if asked.html is not None else None), curve


def _tell(chapters: Sequence[Chapter], asked: Options) -> None:
    accounts = [chapter.account for chapter in chapters]
    if asked.html is not None:
        try:
            made = f"pgheadroom {__version__}"
            asked.html.write_text(report.page(chapters, made), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                [f"--html: cannot write {asked.html}: {error.strerror}"]
            ) from None
    try:
        if asked.as_jsonl:
            for account in accounts:
                sys.stdout.writelines(line + "\n" for line in jsonl.lines(account))
        else:
            width = None if sys.stdout.isatty() else _UNWRAPPED
            console = Console(width=width, highlight=False)
            text.tell(accounts, console)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on; Python would complain again when it closes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _wrong(problems: Sequence[str]) -> int:
    for problem in problems:
        sys.stderr.write(f"pgheadroom: {problem}\n")
    return _WRONG
