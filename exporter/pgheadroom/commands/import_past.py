"""Runs `pgheadroom import`: fills the history of targets from a Prometheus or recordings."""

from __future__ import annotations

import argparse
import asyncio
import heapq
import sys
from collections.abc import Iterable, Mapping

from pgheadroom.backtest.progress import ProgressBar
from pgheadroom.backtest.prometheus import NO_CONNECTIONS, KnownServer, histories
from pgheadroom.backtest.prometheus_api import PrometheusApi, PrometheusError
from pgheadroom.commands.arguments import ExitStatus, fail, tell
from pgheadroom.commands.past.import_options import Options, Source, add_arguments, read_options
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.resolve import policy, unnamed
from pgheadroom.config.target import TargetSettings
from pgheadroom.durations import moment
from pgheadroom.importing.fetch import fetch, same_names
from pgheadroom.importing.matching import Match, Wanted, listed, matched_all
from pgheadroom.importing.past import Past, told
from pgheadroom.importing.saved import Kept, UnusableStateError, keep, kept, kind_fits, resolutions
from pgheadroom.importing.steps import stretches
from pgheadroom.storage.directory import InUseError, StateDirectory
from pgheadroom.storage.recording_reader import RecordingReader, UnreadableRecordingError
from pgheadroom.text import escaped

__all__ = ["DESCRIPTION", "EPILOG", "HELP", "USAGE", "add_arguments", "run"]

HELP = "fill the history of targets from a Prometheus, or from recordings"
USAGE = """pgheadroom import --prometheus URL [--since 14d] [--target NAME ...]
                         [--map TARGET=NAME ...] [--dry-run] [SETTING ...]
       pgheadroom import FILE ... --target NAME [--dry-run] [SETTING ...]"""
DESCRIPTION = """\
Fills the history of each target in the state_directory with what was before
pgheadroom watched it, so that it knows the usual days and weeks from the start.
Nothing that it measured itself is changed, and no alert comes of what is
imported. To do it twice changes nothing.

A Prometheus is asked for pgheadroom's own series and for postgres_exporter's. A
target is found there by its name or its address, or by --map. FILE is a
recording of `pgheadroom record`, plain or gzip.

The daemon must not run meanwhile. With import_prometheus_url in its settings it
imports by itself after each start."""
EPILOG = """\
examples:
  pgheadroom import --config pgheadroom.yaml --prometheus http://prometheus:9090
  pgheadroom import --prometheus http://prometheus:9090 --map orders=db1:9187
  pgheadroom import --target orders orders.jsonl.gz

Exits 0 if all was imported, or nothing was left to import; 1 if the history
cannot be kept; 2 if the arguments, a file or Prometheus's answer cannot be
used."""

_IN_USE = (
    "{path} is in use by a running pgheadroom. Stop it while you import, or set"
    " import_prometheus_url in its settings: it then imports by itself after a restart"
)
_AT_ONCE = 2000  # moments; nobody waits meanwhile
_TICK = 1024  # readings


def run(parsed: argparse.Namespace) -> ExitStatus:
    """Import what is asked for and tell what it came to."""
    options = read_options(parsed)
    directory = StateDirectory(options.directory)
    try:
        if not options.dry_run:
            directory.take()
        return _imported(options, directory)
    except InUseError:
        return fail(_IN_USE.format(path=options.directory))
    except OSError as error:
        return fail(f"cannot keep a history in {options.directory}: {error.strerror}")
    except UnusableStateError as error:
        return fail(str(error))
    except (PrometheusError, UnreadableRecordingError) as error:
        raise ConfigurationError([str(error)]) from error
    finally:
        directory.close()


def _imported(options: Options, directory: StateDirectory) -> ExitStatus:
    without = unnamed(options.settings, options.configured)
    before = {
        name: kept(directory, name, options.now, unnamed=name == without)
        for name in options.targets
    }
    for name, target in options.targets.items():
        if not kind_fits(before[name], target.watched_as):
            raise UnusableStateError(f"{directory.file(name)} is of a server, and {name} a pooler")
    with ProgressBar("importing") as bar:
        if options.prometheus is not None:
            asyncio.run(_from_prometheus(options, options.prometheus, before, directory, bar))
        else:
            _from_files(options, before, directory, bar)
    return ExitStatus.OK


def _past(options: Options, before: Kept, *, names: bool = True) -> Past:
    kind = options.targets[before.target].watched_as
    return Past(policy(options.settings), _until(options, before), kind, names=names)


def _until(options: Options, before: Kept) -> float:
    since = before.usage.known_since
    return options.now if since is None else min(since, options.now)


def _from_files(
    options: Options, before: Mapping[str, Kept], directory: StateDirectory, bar: ProgressBar
) -> None:
    (target,) = before.values()
    past = _past(options, target)
    recordings = [RecordingReader(path) for path in options.files]
    size = sum(recording.size or 0 for recording in recordings) or 1
    for count, reading in enumerate(heapq.merge(*recordings, key=lambda one: one.at)):
        past.add(reading)
        if count % _TICK == 0:
            bar.at(sum(recording.position for recording in recordings) / size, target.target)
    if past.of_another_kind:
        words = f"{target.target} is a {options.targets[target.target].watched_as}"
        raise UnreadableRecordingError(f"a recording has samples of another kind: {words}")
    _finish(options, target, past, directory, ())


async def _from_prometheus(
    options: Options,
    source: Source,
    before: Mapping[str, Kept],
    directory: StateDirectory,
    bar: ProgressBar,
) -> None:
    api = PrometheusApi(source.url, source.credentials)
    found = await histories(api, source.start, options.now)
    for name in found.left_out:
        tell([f"pgheadroom: {name} is left out: {NO_CONNECTIONS}"])
    matches = _matches(options, before, found.histories)
    for number, match in enumerate(matches):
        one = before[match.target]
        past = _past(options, one, names=same_names(match))

        def show(share: float, done: int = number, name: str = match.target) -> None:
            bar.at((done + share) / len(matches), name)

        asked = stretches(source.start, _until(options, one), options.now)
        await fetch(api, match, asked, past, at_once=_AT_ONCE, on_share=show)
        notes = list(match.notes)
        if not same_names(match):
            notes.append("Only totals are imported: applications are not told apart there.")
        _finish(options, one, past, directory, notes)


def _matches(options: Options, before: Mapping[str, Kept], known: list[KnownServer]) -> list[Match]:
    wanted = [
        Wanted(name, target.address, before[name].identifier, options.called.get(name))
        for name, target in options.targets.items()
    ]
    matches, problems = matched_all(wanted, known)
    if problems:
        raise ConfigurationError(
            [
                *problems,
                f"Prometheus has: {listed(known)}",
                f"configured: {_named(options.configured)}",
                "name them with --map TARGET=NAME, or import fewer with --target TARGET",
            ]
        )
    return matches


def _named(targets: Mapping[str, TargetSettings]) -> str:
    return ", ".join(f"{name} (at {target.address})" for name, target in targets.items())


def _finish(
    options: Options, before: Kept, past: Past, directory: StateDirectory, notes: Iterable[str]
) -> None:
    """Keep what was imported of one target, unless that is not wanted, and tell of it."""
    summary, since = past.summary, before.usage.known_since
    if summary is None:
        known = "" if since is None else f"; it is known since {moment(since)} UTC"
        sys.stdout.write(f"{before.target}\n  nothing older was found{known}\n")
        return
    snapshot = before.with_past(past)
    if not options.dry_run:
        keep(directory, before.target, snapshot)
    reaches = resolutions(snapshot.usage.history)
    lines = [
        *told(summary, before.usage.limit),
        f"history  {reaches}{', if it were kept' if options.dry_run else ''}",
        *(f"note     {escaped(note)}" for note in notes),
    ]
    sys.stdout.write(f"{before.target}\n" + "".join(f"  {line}\n" for line in lines))
