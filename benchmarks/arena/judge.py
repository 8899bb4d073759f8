"""Judges how early pages come in the stories of a folder, and how often for nothing.

    python -m benchmarks.arena.judge dist/arena/open
    python -m benchmarks.arena.judge dist/arena/open --misses
    python -m benchmarks.arena.judge FOLDER --command 'pgheadroom backtest {trace} --format jsonl'

Beside pgheadroom, or the command, stands the bare rule: above 80 % at once, evaluated every 15 s.
Only critical alerts are pages; one that fires within the hour before the onset and still does at
the onset counts from there. Of a family of incidents:

  before   incidents that were paged before the first refused connection
  lead     median seconds from the page to the first refusal, 0 if it came too late
  share    median of lead / min(first refusal - onset, 1 h), at most 1; for all together: the mean
  culprit  incidents of which a page in time names the right application (where several grew
           together, one of them)

`for nothing` counts pages of no incident that no stretch with 92 % of the ordinary slots in use
follows within five minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.arena.players import Outcome, play
from benchmarks.arena.report import misses, summary, tables


def outcomes(folder: Path, command: str | None = None, jobs: int = 2) -> list[Outcome]:
    """Return how each story in *folder* goes, by name."""
    files = sorted(folder.glob("*.truth.json"))
    if not files:
        raise FileNotFoundError(f"no stories in {folder}")
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(partial(play, command=command), files))


def main(argv: Sequence[str] | None = None) -> int:
    """Judge, and print tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.arena.judge",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--command", help="judge this instead of pgheadroom")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument(
        "--misses", action="store_true", help="name each incident missed, each page for nothing"
    )
    parser.add_argument("--brief", action="store_true", help="no families, only what they come to")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the sums as JSON")
    options = parser.parse_args(argv)
    try:
        found = outcomes(options.folder, options.command, options.jobs)
    except (FileNotFoundError, RuntimeError) as error:
        parser.exit(2, f"{error}\n")
    sys.stdout.write(tables(found, families=not options.brief))
    if options.misses:
        sys.stdout.write("\n" + misses(found))
    if options.json:
        options.json.write_text(json.dumps(summary(found), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
