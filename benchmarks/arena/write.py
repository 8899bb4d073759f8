"""Writes the stories of the arena: recordings with signals, and the truth of each.

    python -m benchmarks.arena.write dist/arena/open --half open --seeds 0-4

Beside each NAME.jsonl stands NAME.truth.json: ``family``, ``incident``, ``onset`` (when the cause
of an incident begins), ``exhaustion`` (the first refused connection), ``near_misses`` (stretches
with at least 92 % of the ordinary slots in use), ``culprit`` (who grew most) and
``culprits`` (who grew by at least a third of that, too), ``first_day`` (the daemon that
watches has been there for less than a day), ``weeks`` (how long the trace is). Times are in seconds
since the epoch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.arena.families import HALVES, KEPT, OPEN
from benchmarks.arena.player import Player, without_signals
from benchmarks.arena.story import Family, MissedTruthError, scene_of

_ATTEMPTS = 20


def played(family: Family, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the samples and the truth of one story.

    A draw that misses its family's truth (harmless, yet somebody was refused) is drawn again.
    """
    reasons = []
    for attempt in range(_ATTEMPTS):
        scene = scene_of(family, seed, attempt)
        player = Player(family, scene, family.make(scene))
        try:
            samples = list(player.samples())
        except MissedTruthError as missed:
            reasons.append(str(missed))
            continue
        return samples, player.truth()
    raise MissedTruthError(f"seed {seed}: {', '.join(sorted(set(reasons)))}, {_ATTEMPTS} times")


def write(
    folder: Path, families: Iterable[Family], seeds: Iterable[int], *, plain: bool = False
) -> None:
    """Write each story into *folder*; *plain* ones without what a mere counter cannot know."""
    folder.mkdir(parents=True, exist_ok=True)
    shown: Callable[[dict[str, Any]], dict[str, Any]] = without_signals if plain else dict
    chosen = tuple(seeds)
    for family in families:
        for seed in chosen:
            samples, truth = played(family, seed)
            name = f"{family.name}-{seed:02d}"
            with (folder / f"{name}.jsonl").open("w") as file:
                file.writelines(
                    json.dumps(shown(sample), separators=(",", ":")) + "\n" for sample in samples
                )
            (folder / f"{name}.truth.json").write_text(json.dumps(truth, indent=1) + "\n")


def seeds_of(text: str) -> range:
    """Return the seeds that *text* names: ``3``, or ``0-9``."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.arena.write",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=sorted(HALVES), help="default: both")
    parser.add_argument("--seeds", type=seeds_of, default=range(5), metavar="0-4")
    parser.add_argument("--families", metavar="A,B", help="only these")
    parser.add_argument(
        "--plain",
        action="store_true",
        help="without commits, opened, young, waiting, idle_transaction",
    )
    options = parser.parse_args(argv)
    families = HALVES[options.half] if options.half else OPEN + KEPT
    if options.families:
        wanted = options.families.split(",")
        unknown = set(wanted) - {family.name for family in families}
        if unknown:
            parser.error(f"no such family: {', '.join(sorted(unknown))}")
        families = tuple(family for family in families if family.name in wanted)
    write(options.folder, families, options.seeds, plain=options.plain)
    return 0


if __name__ == "__main__":
    sys.exit(main())
