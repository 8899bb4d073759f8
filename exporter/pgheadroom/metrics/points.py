"""Yields a state's points on each metric: label values and a value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields

from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.forecast.rolling_max import WINDOWS
from pgheadroom.judge.rules.overcommit import overcommitted_slots
from pgheadroom.model.alert import ALERTS_OF, SEVERITIES
from pgheadroom.model.applications import Applications
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.pooling import PoolerUse
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.model.probes import BOUNDS
from pgheadroom.model.reading import FAILURES, Outcome, Probe, ProbeKind, Sample
from pgheadroom.model.slots import Tier
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.figures import exhaustion_seconds, free_for, verdicts

Labels = tuple[str, ...]
Point = tuple[Labels, float]
"""The values of a metric's labels beside `target`, in the table's order, and the value."""


def one(value: Callable[[State], float | None]) -> Callable[[State], Iterator[Point]]:
    """Make the points of a metric without labels; none while the value is not known."""

    def points(state: State) -> Iterator[Point]:
        figure = value(state)
        if figure is not None:
            yield (), float(figure)

    return points


def newest(kind: ProbeKind, value: Callable[[Probe], float]) -> Callable[[State], Iterator[Point]]:
    """Make the point of a metric of the newest probe of *kind*; none before there was one."""

    def points(state: State) -> Iterator[Point]:
        probe = state.probed(kind).newest
        if probe is not None:
            yield (), value(probe)

    return points


def of_sample(value: Callable[[Sample], float]) -> Callable[[State], Iterator[Point]]:
    """Make the points of a figure of the newest sample."""
    return one(lambda state: None if state.sample is None else value(state.sample))


def of_postgres(
    value: Callable[[PostgresFacts], float | None],
) -> Callable[[State], Iterator[Point]]:
    """Make the points of a figure that only a PostgreSQL server has; none while it is not known."""
    return one(lambda state: None if (facts := _facts(state)) is None else value(facts))


def _facts(state: State) -> PostgresFacts | None:
    facts = None if state.sample is None else state.sample.facts
    return facts if isinstance(facts, PostgresFacts) else None


def states(state: State) -> Iterator[Point]:
    """Yield 1 for the condition that holds, 0 for the others."""
    if state.outcome is not None:
        for outcome in Outcome:
            yield (str(outcome),), float(outcome is state.outcome)


def conditions(state: State) -> Iterator[Point]:
    """Yield 1 for the condition that holds, 0 for each other; nothing before the first reading."""
    if state.outcome is None:
        return
    holds = condition(state)
    for one_of in Condition:
        yield (str(one_of),), one_of is holds


def reserved(state: State) -> Iterator[Point]:
    """Yield the slots that are held back, by tier."""
    facts = _facts(state)
    if facts is not None:
        limits = facts.slots.limits
        yield ("superuser",), limits.superuser_reserved
        yield ("reserved",), limits.reserved
        yield ("provider",), limits.provider_reserved


def limits(state: State) -> Iterator[Point]:
    """Yield the limit of each tier."""
    facts = _facts(state)
    if facts is not None:
        for tier in Tier:
            yield (str(tier),), facts.slots.limits.of(tier)


def free(state: State) -> Iterator[Point]:
    """Yield the free slots of each tier."""
    for tier in Tier:
        free = free_for(state, tier)
        if free is not None:
            yield (str(tier),), free


def peaks(state: State) -> Iterator[Point]:
    """Yield the highest use inside each window."""
    if state.sample is not None:
        for label, seconds in WINDOWS:
            highest = state.usage.recent_max.highest(seconds, state.sample.at)
            if highest is not None:
                yield (label,), highest


def known_applications(state: State) -> Applications | None:
    """Return the applications, if there was a sample."""
    return None if state.sample is None else state.applications


def connections(state: State) -> Iterator[Point]:
    """Yield connections by application and state."""
    applications = known_applications(state)
    if applications is not None:
        yield from applications.counts.items()


def holders(state: State) -> Iterator[Point]:
    """Yield connections by application, database and role."""
    applications = known_applications(state)
    if applications is not None:
        yield from applications.by_holder.items()


def oldest(state: State) -> Iterator[Point]:
    """Yield the age of the oldest connection by application."""
    applications = known_applications(state)
    if applications is not None:
        for name, seconds in applications.oldest_seconds.items():
            yield (name,), seconds


def in_other(state: State) -> float | None:
    """Return how many names are summed in `other`."""
    applications = known_applications(state)
    return None if applications is None else applications.in_other


def rewritten(state: State) -> float | None:
    """Return how many names were folded."""
    applications = known_applications(state)
    return None if applications is None else applications.rewritten


def limit_uses(kind: CapacityKind, figure: str) -> Callable[[State], Iterator[Point]]:
    """Make the points of a CONNECTION LIMIT of *kind*: the figure that is called *figure*."""

    def points(state: State) -> Iterator[Point]:
        if state.sample is not None:
            for use in state.sample.limits_of(kind):
                yield (use.name,), getattr(use, figure)

    return points


def sessions(state: State) -> Iterator[Point]:
    """Yield what pg_stat_database counted."""
    facts = _facts(state)
    if facts is not None:
        for sessions in facts.sessions:
            yield (sessions.database, "open"), sessions.opened
            yield (sessions.database, "abandoned"), sessions.abandoned
            yield (sessions.database, "fatal"), sessions.fatal
            yield (sessions.database, "killed"), sessions.killed


def server(state: State) -> Iterator[Point]:
    """Yield what the server is."""
    facts = _facts(state)
    if facts is not None:
        server = facts.server
        recovery = "true" if server.in_recovery else "false"
        yield (server.version_text, recovery), 1


def pooler_uses(value: Callable[[PoolerUse], float | None]) -> Callable[[State], Iterator[Point]]:
    """Make the points of a figure of each pooler in front of a server."""

    def points(state: State) -> Iterator[Point]:
        for use in () if state.pooling is None else state.pooling.uses:
            figure = value(use)
            if figure is not None:
                yield (use.pooler,), figure

    return points


def overcommitted(state: State) -> Iterator[Point]:
    """Yield by how much poolers and direct use may exceed the ordinary slots."""
    if state.pooling is not None and state.pooling.uses:
        over = overcommitted_slots(state)
        yield (), math.inf if over is None else over


def failures(state: State) -> Iterator[Point]:
    """Yield the failed readings by cause."""
    for outcome in FAILURES:
        yield (str(outcome),), state.failures.get(outcome, 0)


def knock_failures(state: State) -> Iterator[Point]:
    """Yield the failed knocks by cause."""
    for outcome in FAILURES:
        yield (str(outcome),), state.knocks.failures.get(outcome, 0)


def canary_durations(state: State) -> Iterator[Point]:
    """Yield the histogram: each bucket's count by its upper bound, then the sum without one."""
    logins = state.canary
    if logins.newest is not None:
        durations = logins.durations
        for bound, count in zip((*BOUNDS, math.inf), durations.counts, strict=True):
            yield ("+Inf" if bound == math.inf else str(bound),), count
        yield (), durations.total_seconds


def canary_failures(state: State) -> Iterator[Point]:
    """Yield the canary's failed logins by cause."""
    logins = state.canary
    if logins.newest is not None:
        for outcome in FAILURES:
            yield (str(outcome),), logins.failures.get(outcome, 0)


def exhaustion(state: State) -> Iterator[Point]:
    """Yield the forecast of each tier."""
    for tier, seconds in exhaustion_seconds(state).items():
        yield (str(tier),), seconds


def peak_exhaustion(state: State) -> Iterator[Point]:
    """Yield the time until growing peaks reach the limit."""
    if state.sample is not None:
        found = state.usage.outgrown
        yield (), math.inf if found is None else max(0.0, found.at - state.sample.at)


def by_name(figures: Callable[[State], Mapping[str, float]]) -> Callable[[State], Iterator[Point]]:
    """Make the points of a metric by application."""

    def points(state: State) -> Iterator[Point]:
        if state.sample is not None:
            for name, figure in figures(state).items():
                yield (name,), figure

    return points


def application_verdicts(state: State) -> Iterator[Point]:
    """Yield 1 for the verdict on each application, 0 for the others."""
    if state.sample is not None:
        for name, holds in verdicts(state).items():
            for verdict in Verdict:
                yield (name, str(verdict)), float(verdict is holds)


def alerts(state: State) -> Iterator[Point]:
    """Yield 1 for each alert that fires, 0 for the others."""
    firing = {(alert.name, alert.severity) for alert in state.alerts}
    possible = ALERTS_OF[state.kind]
    for name, severities in SEVERITIES.items():
        for severity in severities if name in possible else ():
            yield (str(name), str(severity)), float((name, severity) in firing)


def policy(unit: str) -> Callable[[State], Iterator[Point]]:
    """Make the points of the thresholds in *unit*, which their names end in."""
    ending = f"_{unit}"
    names = [f.name for f in fields(Thresholds) if f.name.endswith(ending)]

    def points(state: State) -> Iterator[Point]:
        for name in names:
            yield (name.removesuffix(ending),), getattr(state.thresholds, name)

    return points
