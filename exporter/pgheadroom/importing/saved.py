"""Puts an imported past below what the state directory keeps of a target."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pgheadroom.durations import duration
from pgheadroom.forecast.history import History
from pgheadroom.forecast.usage import Usage
from pgheadroom.importing.past import Past
from pgheadroom.model.identity import TargetKind
from pgheadroom.storage.directory import StateDirectory
from pgheadroom.storage.saver import FORMER_NAME
from pgheadroom.storage.snapshot import Snapshot
from pgheadroom.storage.snapshot_file import DamagedError, pack, unpack


class UnusableStateError(Exception):
    """What is kept of a target cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the state directory keeps of one target; empty where that is nothing."""

    target: str
    snapshot: Snapshot | None = None

    @property
    def usage(self) -> Usage:
        """How use went, as far as it is known."""
        return Usage() if self.snapshot is None else self.snapshot.usage

    @property
    def identifier(self) -> str:
        """What initdb called the cluster; empty while it is not known."""
        return "" if self.snapshot is None else self.snapshot.identifier

    def with_past(self, past: Past) -> Snapshot:
        """Return what to keep instead: the same, with *past*, which has samples, below it."""
        usage = self.usage.with_older(past.usage)
        if self.snapshot is not None:
            return replace(self.snapshot, usage=usage)
        at = 0.0 if past.summary is None else past.summary.last
        return Snapshot(at, usage, active={})


def kept(directory: StateDirectory, target: str, now: float, *, unnamed: bool = False) -> Kept:
    """Return what *directory* keeps of *target* at *now*; raises UnusableStateError.

    *unnamed* is a target that an older version has kept under another name.
    """
    try:
        data = directory.read(target)
        if data is None and unnamed and directory.file(FORMER_NAME).exists():
            raise UnusableStateError(
                f"{directory.file(FORMER_NAME)} is of {target} and of an older version;"
                " start the daemon once, which renames it"
            )
        return Kept(target, None if data is None else unpack(data, target, now))
    except DamagedError as error:
        words = f"{directory.file(target)} cannot be used: {error}"
        raise UnusableStateError(words) from None
    except OSError as error:
        words = f"cannot read {directory.file(target)}: {error.strerror}"
        raise UnusableStateError(words) from None


def keep(directory: StateDirectory, target: str, snapshot: Snapshot) -> None:
    """Keep *snapshot* of *target*, whole or not at all; raises OSError."""
    directory.write(target, pack(snapshot, target))


def kind_fits(one: Kept, kind: TargetKind) -> bool:
    """Say whether what is kept is of a target of *kind*: only servers have a last sample."""
    return one.snapshot is None or one.snapshot.last is None or kind is TargetKind.POSTGRES


def resolutions(history: History) -> str:
    """Return how finely *history* is known, from its newest to its oldest part, in words."""
    found = history.stretches()
    if not found:
        return "nothing"
    finest, coarsest = found[-1][1], max(width for _, width, _ in found)
    since, newest = found[0][0], found[-1][0] + finest
    return (
        f"reaches back {duration(newest - since)}, in {len(found)} stretches of"
        f" {duration(finest)} to {duration(coarsest)}"
    )
