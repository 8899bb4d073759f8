"""Measures how early real runs are paged, and whether harmless ones are left in peace.

    make live                                        all stories, about 25 minutes
    python -m benchmarks.live leak storm --runs 3
    python -m benchmarks.live --help

Every story has a PostgreSQL server of its own with 100 connections, real clients (libpq,
node-postgres, Prisma and Nest, pgbench) and the daemon with its defaults, which posts its alerts to
a receiver that notes when they come. The server's own log says when the first login was refused. A
recording of each run is kept, for `pgheadroom backtest`.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from tests.support.servers.process import DiedError

from benchmarks.live.harmless import HARMLESS
from benchmarks.live.incidents import INCIDENTS
from benchmarks.live.play import play
from benchmarks.live.report import incidents, quiet
from benchmarks.live.stage import SkippedError, StoppedError
from benchmarks.live.story import Story
from benchmarks.live.verdict import Run, as_json, misses
from benchmarks.support import machine
from benchmarks.support.figures import say

_STORIES: Final = {story.name: story for story in (*INCIDENTS, *HARMLESS)}
_MAJORS: Final = (14, 15, 16, 17, 18)


def main(argv: Sequence[str] | None = None) -> int:
    """Play, print two tables in Markdown, and return 1 if a bar is missed."""
    options = _options(argv)
    options.recordings.mkdir(parents=True, exist_ok=True)
    turns = [
        (_STORIES[name], options.first + number)
        for number in range(options.runs)
        for name in options.stories or _STORIES
    ]
    stop = threading.Event()
    one = partial(_one, options.server, options.recordings, stop)
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            played = list(pool.map(one, turns))
        except KeyboardInterrupt:
            say("stopping")
            return 130
        finally:
            stop.set()  # whoever still plays ends what it started
    runs = [run for run in played if isinstance(run, Run)]
    runs.sort(key=lambda run: (list(_STORIES).index(run.story), run.number))
    sys.stdout.write(f"{machine.description([options.server], peer=False)}\n\n")
    sys.stdout.write(incidents(runs, _STORIES) + "\n" + quiet(runs, _STORIES))
    if options.json is not None:
        options.json.write_text(json.dumps([as_json(run) for run in runs], indent=1) + "\n")
    broken = any(isinstance(run, Exception) for run in played)
    return 1 if broken or any(misses(run) for run in runs) else 0


def _one(
    major: int, keep: Path, stop: threading.Event, turn: tuple[Story, int]
) -> Run | Exception | None:
    """Play one *turn* and say what came of it.

    None if it cannot be played here, or not any more; what went wrong if a server or a client did
    not do as it should, so that one such run does not cost the others.
    """
    story, number = turn
    name = f"{story.name}, run {number}"
    say(f"{name}: {story.what}")
    try:
        run = play(story, number, major, keep, stop)
    except SkippedError as error:
        say(f"{name}: skipped: {error}")
        return None
    except StoppedError:
        return None
    except (TimeoutError, ChildProcessError, DiedError) as error:
        say(f"{name}: BROKEN: {error}")
        return error
    what = "; ".join(misses(run)) or "holds"
    say(f"{name}: {_lead(run)}{what}")
    return run


def _lead(run: Run) -> str:
    return "" if run.lead is None else f"lead {run.lead:.1f} s; "


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="stories:\n" + "".join(_line(story) for story in _STORIES.values()),
    )
    add = parser.add_argument
    add("stories", nargs="*", metavar="STORY", help="which to play (default: all)")
    add("--server", type=int, default=16, choices=_MAJORS, help="which major (default: 16)")
    add("--runs", type=int, default=1, help="how often each (default: once)")
    add("--first", type=int, default=1, help="the number of the first run, which chances follow")
    add("--jobs", type=int, default=1, help="how many at a time (default: one, which is fairest)")
    add("--json", type=Path, help="write every alert of every run to this file")
    add("--recordings", type=Path, default=Path("dist/live"), help="where to keep recordings")
    options = parser.parse_args(argv)
    unknown = _unknown(options.stories)
    if unknown:
        parser.error(f"no such story: {', '.join(unknown)} (there are {', '.join(_STORIES)})")
    return options


def _unknown(names: Iterable[str]) -> list[str]:
    return [name for name in names if name not in _STORIES]


def _line(story: Story) -> str:
    return f"  {story.name:20} {story.what}\n"


if __name__ == "__main__":
    sys.exit(main())
