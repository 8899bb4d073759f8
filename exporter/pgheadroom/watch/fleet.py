"""Begins to watch targets, and stops, each without touching the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pgheadroom.board import Board
from pgheadroom.config.target import TargetSettings
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.storage.saver import SnapshotSaver
from pgheadroom.watch.jobs import Jobs
from pgheadroom.watch.sampler import Sampler
from pgheadroom.watch.schedule import End, Schedule

MakeSampler = Callable[[str, TargetSettings], Sampler]

_APART_SECONDS = 1.0
"""Turns of two targets are further apart than this for no reason."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of which target, by name."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def told(self) -> dict[str, str]:
        """Return it in words: what became of which, without what became of none."""
        parts = {"added": self.added, "removed": self.removed, "changed": self.changed}
        return {what: ", ".join(names) for what, names in parts.items() if names}


def difference(
    before: Mapping[str, TargetSettings], after: Mapping[str, TargetSettings]
) -> Difference:
    """Return what makes *after* of *before*."""
    return Difference(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(name for name in after if name in before and after[name] != before[name]),
    )


class WatchedTarget:
    """One target that is being watched: its sampler, its turns, and what of it runs now."""

    def __init__(self, target: TargetSettings, sampler: Sampler, jobs: Jobs) -> None:
        self.target = target
        self.jobs = jobs
        self._sampler = sampler
        self._turns: list[End] = []

    def begin(self, schedule: Schedule, number: int = 0, of: int = 1) -> None:
        """Have turns on *schedule*, as *number* (from 0) *of* as many that begin together."""
        for source in self._sampler.sources:
            every = source.every_seconds
            if not every:
                continue
            # Spread over the interval, so that many targets do not all have their turn at once.
            first = min(every * number / of, number * _APART_SECONDS)
            job = self.jobs.guarded(source.name, partial(self._sampler.take, source))
            self._turns.append(schedule.every(every, job, first_after_seconds=first))

    def leave(self) -> None:
        """Have no more turns."""
        for end in self._turns:
            end()

    async def end(self) -> None:
        """Cancel what runs, and give the connection up."""
        try:
            await self.jobs.end()
        finally:
            self._sampler.close()


class Fleet:
    """All targets that are being watched; *saver* has the snapshots of those that are added."""

    def __init__(
        self,
        make_sampler: MakeSampler,
        board: Board,
        saver: SnapshotSaver | None,
        own: SelfMetrics,
    ) -> None:
        self._make_sampler = make_sampler
        self._board = board
        self._saver = saver
        self._own = own
        self._schedule: Schedule | None = None
        self._watches: dict[str, WatchedTarget] = {}

    def begin(self, targets: Mapping[str, TargetSettings], schedule: Schedule) -> None:
        """Watch *targets*, whose states are on the board and were recalled, on *schedule*."""
        self._schedule = schedule
        self._watch(targets)

    async def follow(self, targets: Mapping[str, TargetSettings]) -> Difference:
        """Watch *targets* and nothing else from now on; return what that has changed.

        Those that are the same as before are not touched. One call at a time.
        """
        # By what is watched and not by what was asked for: had an earlier call been cut off
        # halfway, this one would set things right.
        running = {name: watch.target for name, watch in self._watches.items()}
        difference_now = difference(running, targets)
        leaving = [
            self._watches.pop(name) for name in (*difference_now.removed, *difference_now.changed)
        ]
        if self._schedule is not None:
            for watch in leaving:
                watch.leave()
        # Ended before another begins: a target has one connection at the most.
        await asyncio.gather(*(watch.end() for watch in leaving))
        jobs = Jobs(self._own)
        if self._saver is not None and difference_now.removed:
            await jobs.guarded("state", partial(self._saver.keep, difference_now.removed))()
        self._board.follow({name: target.identity for name, target in targets.items()})
        if self._saver is not None and difference_now.added:
            await jobs.guarded("state", partial(self._saver.recall, difference_now.added))()
        self._watch(
            {name: targets[name] for name in (*difference_now.added, *difference_now.changed)}
        )
        return difference_now

    async def end(self) -> None:
        """Watch nothing any more; the schedule has been stopped."""
        self._schedule = None
        await asyncio.gather(*(watch.end() for watch in self._watches.values()))

    def longest_seconds(self, job: str) -> float:
        """Return for how long the oldest *job* of all targets has been running."""
        running = (watch.jobs.longest_seconds(job) for watch in self._watches.values())
        return max(running, default=0.0)

    def _watch(self, targets: Mapping[str, TargetSettings]) -> None:
        if self._schedule is None:
            return  # the end came while this was on its way
        for number, (name, target) in enumerate(targets.items()):
            watch = WatchedTarget(target, self._make_sampler(name, target), Jobs(self._own))
            watch.begin(self._schedule, number, len(targets))
            self._watches[name] = watch
