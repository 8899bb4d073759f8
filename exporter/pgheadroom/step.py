"""What is known of a target after one more reading: State + Reading → State.

Pure: time comes with the reading; no clock, no socket, no logger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pgheadroom.alert import Alert
from pgheadroom.applications import Applications, count
from pgheadroom.peaks import Peaks
from pgheadroom.reading import Condition, Failure, Knock, Reading, Sample
from pgheadroom.slots import Tier
from pgheadroom.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Policy:
    """What a user may decide about the way readings become a state."""

    fold: Callable[[str], str]
    most_applications: int = 50
    thresholds: Thresholds = field(default_factory=Thresholds)


@dataclass(frozen=True, slots=True)
class State:
    """All that is known of one target."""

    target: str
    condition: Condition | None = None
    """By the newest reading; None before there was one."""
    since: float | None = None
    """When *condition* began, in seconds since the epoch."""
    detail: str = ""
    """The newest failure in words, while it lasts."""
    sample: Sample | None = None
    """The newest sample: while the server refuses us, the last that there was."""
    applications: Applications = field(default_factory=Applications)
    peaks: Peaks = field(default_factory=Peaks)
    failures: Mapping[Condition, int] = field(default_factory=dict)
    knock: Knock | None = None
    knock_failures: Mapping[Condition, int] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    """What fires now."""

    def free(self, tier: Tier) -> int | None:
        """Return how many slots a role of *tier* can still get now; None when never known.

        A refusal is news about the slots: while the newest reading is one, its word counts more
        than the last sample's.
        """
        if self.sample is None:
            return None
        free = self.sample.slots.free(tier)
        if self.condition is Condition.FULL:
            return 0
        if self.condition is Condition.RESERVED_ONLY:
            return self._free_of_reserve(tier, free)
        return free

    def _free_of_reserve(self, tier: Tier, free: int) -> int:
        """Return what is free for *tier* when we were told that only reserved slots are left.

        Our own role decides how much that tells: refused as an ordinary one, nothing is known of
        the reserve but that some of it is left; refused as a member of
        pg_use_reserved_connections, that too is gone (postinit.c, InitPostgres).
        """
        assert self.sample is not None  # noqa: S101 - free() has looked
        refused = [Tier.ORDINARY]
        if self.sample.server.reserve:
            refused.append(Tier.RESERVED)
        if tier in refused:
            return 0
        limits = self.sample.slots.limits
        return min(free, limits.of(tier) - limits.of(refused[-1]))


def step(state: State, reading: Reading, policy: Policy) -> State:
    """Return the state after *reading*, of the target that *state* is of."""
    match reading:
        case Sample():
            return _sampled(state, reading, policy)
        case Failure(at=at, condition=condition, detail=detail):
            return replace(
                state,
                condition=condition,
                since=state.since if condition is state.condition else at,
                detail=detail,
                failures=_one_more(state.failures, condition),
            )
        case Knock(condition=condition):
            refused = condition is not Condition.OK
            failures = state.knock_failures
            return replace(
                state,
                knock=reading,
                knock_failures=_one_more(failures, condition) if refused else failures,
            )


def _sampled(state: State, sample: Sample, policy: Policy) -> State:
    before = state.sample
    applications = state.applications
    slots = sample.slots
    if before is None or sample.full or slots.hidden != before.slots.hidden:
        applications = count(
            sample.breakdown.groups,
            slots.hidden,
            policy.fold,
            before=applications,
            at=sample.at,
            most=policy.most_applications,
        )
    return replace(
        state,
        condition=Condition.OK,
        since=state.since if state.condition is Condition.OK else sample.at,
        detail="",
        sample=sample,
        applications=applications,
        peaks=state.peaks.add(sample.at, slots.used),
    )


def _one_more(counts: Mapping[Condition, int], condition: Condition) -> Mapping[Condition, int]:
    return {**counts, condition: counts.get(condition, 0) + 1}
