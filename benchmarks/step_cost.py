"""Measures what one reading costs the daemon, with 50 applications and a week of history.

    python -m benchmarks.step_cost
    python -m benchmarks.step_cost --profile

The week is fed with a reading a minute, half an hour more with one a second; then each step is
timed. Readings come as the daemon takes them (a full one every five seconds, pulses in between), or
are all full ones; use is calm, or one application climbs until few slots are left. Times are
processor time of the thread, so that neighbours on the machine do not count, the collection of
garbage does. Prints a table, and exits with 1 if the bar is missed: 1 ms for 99 of 100 steps, 8 MB
for what is remembered of one target.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.support import machine
from benchmarks.support.figures import quantile, say, table
from pgheadroom.model.names import NameFolder
from pgheadroom.model.postgres import PostgresFacts, Server
from pgheadroom.model.reading import Group, Holders, Sample
from pgheadroom.model.slots import Limits, Slots
from pgheadroom.postgres.cadence import Pulse, carry
from pgheadroom.state import State
from pgheadroom.step import Policy, step

_BAR_MILLISECONDS = 1.0
_BAR_MEGABYTES = 8.0
_DAY, _MINUTE, _HALF_HOUR = 86_400, 60, 1800
_START = 1767225600
_FULL_EVERY = 5  # seconds
_APPLICATIONS = 50
_EACH = 12  # connections
_CLIMB_SECONDS = 60.0
"""A connection more in so many seconds: 20,000 of them take 333 of the 397 free slots."""
_LIMITS = Limits(max_connections=1000, superuser_reserved=3)
_SERVER = Server(170010, "17.10", 500.0, False, "pgheadroom", False, True, False)  # noqa: FBT003 - in the order of the fields
_POLICY = Policy(NameFolder().fold)


@dataclass(slots=True)
class Fleet:
    """50 applications whose pools lend and take back; the first may climb."""

    chance: random.Random
    extra: float = 0.0

    def reading(self, at: float) -> Sample:
        """Return a full reading."""
        groups = []
        for number in range(_APPLICATIONS):
            count = _EACH + self.chance.choice((-1, 0, 0, 1))
            count += int(self.extra) if number == 0 else 0
            busy = self.chance.randrange(count)
            groups += [
                Group(f"service {number:02}x", "active", busy, 60.0),
                Group(f"service {number:02}x", "idle", count - busy, 600.0),
            ]
        visible = sum(group.count for group in groups)
        found = Holders(
            at=at,
            visible=visible,
            groups=tuple(groups),
            complete=True,
            cost_seconds=0.001,
        )
        facts = PostgresFacts(Slots(_LIMITS, visible, 0), _SERVER)
        return Sample.of_postgres(at, 0.002, facts, found)

    def pulse(self, last: Sample, at: float) -> Sample:
        """Return the *last* reading as a pulse carries it on."""
        moved = last.holders.visible + self.chance.choice((-1, 0, 0, 0, 1))
        return carry(last, Pulse(at, 0.001, moved, 0, _SERVER.started_at))


def week(fleet: Fleet) -> State:
    """Return what is known after a week and half an hour."""
    state, end = State("db"), _START + 7 * _DAY
    for at in range(_START, end, _MINUTE):
        state = step(state, fleet.reading(float(at)), _POLICY)
    for at in range(end, end + _HALF_HOUR):
        state = step(state, fleet.reading(float(at)), _POLICY)
    return state


def readings(fleet: Fleet, state: State, number: int, pace: str, climb: float) -> Iterator[Sample]:
    """Yield *number* readings that go on from *state*, one a second."""
    last = state.sample
    assert last is not None  # noqa: S101 - week() has taken some
    begins = int(last.at) + 1
    for second in range(number):
        fleet.extra = second * climb
        at = float(begins + second)
        if pace == "pulses" and second % _FULL_EVERY:
            last = fleet.pulse(last, at)
        else:
            last = fleet.reading(at)
        yield last


def timed(state: State, found: Iterator[Sample]) -> tuple[State, list[float]]:
    """Return the last state, and what each step took in milliseconds of processor time."""
    spent = []
    for reading in found:
        began = time.thread_time_ns()
        state = step(state, reading, _POLICY)
        spent.append((time.thread_time_ns() - began) / 1e6)
    return state, spent


def deep_size(root: object) -> int:
    """Return the bytes of *root* and of everything that it holds, each object once."""
    seen, waiting, total = set[int](), [root], 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        waiting += gc.get_referents(one)
    return total


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print tables, and return 1 if the bar is missed."""
    options = _options(argv)
    say("a week of history")
    fleet = Fleet(random.Random(4))  # noqa: S311 - the same readings each time
    known = week(fleet)
    rows, worst, sizes = [], 0.0, [deep_size(known) / 1e6]
    for pace, climb in (("pulses", 0.0), ("full", 0.0), ("full", 1 / _CLIMB_SECONDS)):
        name = f"{'a full reading every 5 s' if pace == 'pulses' else 'full readings'}, "
        name += "a climb" if climb else "calm"
        say(f"{options.steps:,} steps: {name}")
        found = readings(fleet, known, options.steps, pace, climb)
        if options.profile:
            _profile(known, found)
            continue
        after, spent = timed(known, found)
        sizes.append(deep_size(after) / 1e6)
        rows.append([name, *(f"{quantile(spent, share):.3f}" for share in (0.5, 0.99, 1.0))])
        worst = max(worst, quantile(spent, 0.99))
    if options.profile:
        return 0
    # No PostgreSQL and no other exporter takes part.
    parts = machine.description([]).split("; ")
    sys.stdout.write("; ".join(p for p in parts if p and "exporter" not in p) + "\n\n")
    sys.stdout.write(table(["milliseconds a step", "median", "p99", "most"], rows))
    sys.stdout.write(f"\nremembered of one target: {max(sizes):.1f} MB at most\n")
    return 0 if worst < _BAR_MILLISECONDS and max(sizes) < _BAR_MEGABYTES else 1


def _profile(known: State, found: Iterator[Sample]) -> None:
    profile = cProfile.Profile()
    state = known
    for reading in found:
        state = profile.runcall(step, state, reading, _POLICY)
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(15)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true", help="say where time goes instead")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
