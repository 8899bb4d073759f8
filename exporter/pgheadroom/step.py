"""Adds one reading to what is known of a target: State + Reading → State.

Pure: time comes with the reading; no clock, no socket, no logger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from pgheadroom.forecast.queues import Queues, followed
from pgheadroom.forecast.traffic import Traffic
from pgheadroom.judge.judge import judge
from pgheadroom.judge.rules.forecasts import spoken_of
from pgheadroom.model.applications import count
from pgheadroom.model.blockers import FEWEST_WAITING, Blockers
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.pooling import HighWater, Pooling
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.model.reading import Failure, Outcome, Probe, Reading, Sample
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State


@dataclass(frozen=True, slots=True)
class Policy:
    """What a user may decide about the way readings become a state."""

    fold: Callable[[str], str]
    most_applications: int = 50
    thresholds: Thresholds = field(default_factory=Thresholds)


def step(state: State, reading: Reading, policy: Policy) -> State:
    """Return the state after *reading*, of the target that *state* is of."""
    return judge(taken_in(state, reading, policy), reading.at)


def taken_in(state: State, reading: Reading, policy: Policy) -> State:
    """Return the state after *reading*, not judged yet: no forecast and no alert comes of it."""
    match reading:
        case Sample():
            return _sampled(state, reading, policy)
        case Failure(at=at, outcome=outcome, detail=detail):
            return state._replace(
                outcome=outcome,
                since=state.since if outcome is state.outcome else at,
                detail=detail,
                failures=_one_more(state.failures, outcome),
            )
        case Blockers():
            return state._replace(blockers=_told(reading, policy))
        case Pooling(at=at, direct=direct):
            before = () if state.pooling is None else state.pooling.uses
            same = {use.pooler for use in before} == {use.pooler for use in reading.uses}
            # Of other poolers, what was direct use may have been theirs.
            peak = state.direct if same else HighWater()
            peak = peak if direct is None else peak.add(at, direct)
            return state._replace(pooling=reading, direct=peak)
        case Probe(kind=kind):
            return state._replace(probes={**state.probes, kind: state.probed(kind).add(reading)})


def _sampled(state: State, sample: Sample, policy: Policy) -> State:
    before = state.sample
    applications = state.applications
    if (
        before is None
        or sample.holders.at != before.holders.at
        or sample.main.logins != before.main.logins
    ):
        applications = count(
            sample.holders.groups,
            sample.main.logins,
            policy.fold,
            before=applications,
            at=sample.at,
            most=policy.most_applications,
            named=partial(spoken_of, state),
        )
    usage = state.usage
    if sample.main.limit is not None:
        usage = usage.add(
            sample.at,
            sample.main.used,
            applications.tracked,
            sample.main.limit,
            exact=sample.exact,
        )
    return state._replace(
        thresholds=policy.thresholds,
        outcome=Outcome.OK,
        since=state.since if state.outcome is Outcome.OK else sample.at,
        detail="",
        sample=sample,
        restored=False,
        identifier=_identifier(sample) or state.identifier,
        applications=applications,
        usage=usage,
        traffic=_traffic(state, sample),
        queues=_queues(state, sample),
        blockers=_blockers(state, sample, policy),
    )


def _traffic(state: State, sample: Sample) -> Traffic:
    facts = sample.facts
    activity = facts.activity if sample.full and isinstance(facts, PostgresFacts) else None
    if activity is None or activity.commits is None:
        return state.traffic
    return state.traffic.add(sample.holders.at, activity.commits)


def _blockers(state: State, sample: Sample, policy: Policy) -> Blockers | None:
    facts = sample.facts
    if not isinstance(facts, PostgresFacts) or facts.waiting < FEWEST_WAITING:
        return None
    return state.blockers if facts.blockers is None else _told(facts.blockers, policy)


def _told(blockers: Blockers, policy: Policy) -> Blockers | None:
    if blockers.waiting < FEWEST_WAITING or not blockers.roots:
        return None
    return blockers.folded(policy.fold)


def _queues(state: State, sample: Sample) -> Queues:
    pools = sample.others and sample.limits_of(CapacityKind.POOL)
    return followed(state.queues, pools, sample.at) if pools else {}


def _identifier(sample: Sample) -> str:
    facts = sample.facts
    return facts.server.identifier if isinstance(facts, PostgresFacts) else ""


def _one_more(counts: Mapping[Outcome, int], outcome: Outcome) -> Mapping[Outcome, int]:
    return {**counts, outcome: counts.get(outcome, 0) + 1}
