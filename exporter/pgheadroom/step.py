"""What is known of a target after one more reading: State + Reading → State.

Pure: time comes with the reading; no clock, no socket, no logger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pgheadroom.forecast.rolling_max import Peaks
from pgheadroom.judge.forecast_rules import spoken_of
from pgheadroom.judge.judge import judge
from pgheadroom.model.applications import count
from pgheadroom.model.reading import Condition, Failure, Knock, Reading, Sample, Visit
from pgheadroom.model.slots import Tier
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State


@dataclass(frozen=True, slots=True)
class Policy:
    """What a user may decide about the way readings become a state."""

    fold: Callable[[str], str]
    most_applications: int = 50
    thresholds: Thresholds = field(default_factory=Thresholds)


def step(state: State, reading: Reading | Visit, policy: Policy) -> State:
    """Return the state after *reading*, of the target that *state* is of."""
    return judge(_read(state, reading, policy), reading.at)


def _read(state: State, reading: Reading | Visit, policy: Policy) -> State:
    match reading:
        case Sample():
            return _sampled(state, reading, policy)
        case Failure(at=at, condition=condition, detail=detail):
            return state._replace(
                condition=condition,
                since=state.since if condition is state.condition else at,
                detail=detail,
                failures=_one_more(state.failures, condition),
            )
        case Knock(condition=condition):
            refused = condition is not Condition.OK
            failures = state.knock_failures
            return state._replace(
                knock=reading,
                knock_failures=_one_more(failures, condition) if refused else failures,
            )
        case Visit():
            return state._replace(visits=state.visits.add(reading))


def _sampled(state: State, sample: Sample, policy: Policy) -> State:
    before = state.sample
    applications = state.applications
    slots = sample.slots
    if (
        before is None
        or sample.breakdown.at != before.breakdown.at
        or slots.hidden != before.slots.hidden
    ):
        applications = count(
            sample.breakdown.groups,
            slots.hidden,
            policy.fold,
            before=applications,
            at=sample.at,
            most=policy.most_applications,
            named=spoken_of(state),
        )
    limit = slots.limits.of(Tier.ORDINARY)
    course = state.course.add(sample.at, slots.used, applications.tracked, limit)
    return state._replace(
        thresholds=policy.thresholds,
        condition=Condition.OK,
        since=state.since if state.condition is Condition.OK else sample.at,
        detail="",
        sample=sample,
        recalled=False,
        identifier=sample.server.identifier or state.identifier,
        applications=applications,
        # A peak of what may be parallel workers would say that slots ran out when none did.
        peaks=state.peaks.add(sample.at, slots.used) if sample.exact else Peaks(),
        course=course,
        tendencies=state.tendencies.update(course.history, course.touched),
    )


def _one_more(counts: Mapping[Condition, int], condition: Condition) -> Mapping[Condition, int]:
    return {**counts, condition: counts.get(condition, 0) + 1}
