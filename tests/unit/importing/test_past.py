"""Tests that samples of the past make the memory that the daemon would have, and nothing else."""

from __future__ import annotations

from pgheadroom.importing.past import Past, told
from pgheadroom.model.identity import TargetKind
from pgheadroom.model.reading import Failure, Group, Outcome, Probe, ProbeKind, Sample
from pgheadroom.model.recorded import recorded_sample
from pgheadroom.model.slots import Limits
from pgheadroom.state import State
from pgheadroom.step import Policy, step

POLICY = Policy(fold=lambda name: name.partition("-")[0])
START = 1_767_225_600.0


def sample(second: float, used: int, most: int = 100) -> Sample:
    groups = (Group("api-7f", "idle", used - 2, None), Group("web", "active", 2, None))
    return recorded_sample(START + second, Limits(most, 3, 0, 0), groups)


def test_it_is_what_the_daemon_would_know() -> None:
    past, state = Past(POLICY), State("x")
    for n in range(500):
        reading = sample(60.0 * n, 20 + n % 70 if n < 490 else 97)
        past.add(reading)
        state = step(state, reading, POLICY)
    assert past.usage.history == state.usage.history
    assert past.usage.cycles == state.usage.cycles
    assert past.usage.jumps == state.usage.jumps
    assert past.usage.trends == state.usage.trends
    assert past.usage.ranges == state.usage.ranges
    assert state.alerts  # which the past has not got:
    assert past.usage.forecasts == ()
    assert past.usage.totals == {}
    assert set(past.usage.history.rungs[0][-1].spans) == {"api", "web"}


def test_what_is_known_already_and_what_is_no_sample_is_left_out() -> None:
    past = Past(POLICY, START + 100)
    past.add(Failure(START, Outcome.UNREACHABLE, ""))
    past.add(Probe(ProbeKind.KNOCK, START, 0.1, Outcome.FULL))
    assert past.summary is None
    for second in (10.0, 20.0, 20.0, 15.0, 99.0, 100.0, 101.0):
        past.add(sample(second, 30))
    assert past.summary is not None
    assert (past.summary.first, past.summary.last) == (START + 10, START + 99)
    assert past.summary.samples == 3


def test_a_summary_says_when_how_many_and_how_high() -> None:
    past = Past(POLICY)
    for second, used, most in ((0, 20, 100), (60, 90, 100), (3600, 90, 200)):
        past.add(sample(second, used, most))
    assert past.summary is not None
    lines = told(past.summary, 97)
    assert lines == [
        "from     2026-01-01 00:00:00 to 2026-01-01 01:00:00 UTC, 1 h",
        "samples  3",
        "highest  90 of 97 in use, at 2026-01-01 00:01:00 UTC",
        "limit    was 197 at its end, and is 97 now",
    ]
    assert told(past.summary, 197) == lines[:3]
    assert told(past.summary) == lines[:3]


def test_without_names_there_are_totals_alone() -> None:
    past = Past(POLICY, names=False)
    past.add(sample(0, 30))
    (bucket,) = past.usage.history.rungs[0]
    assert (bucket.high, bucket.spans) == (30, {})


def test_samples_of_another_kind_are_refused() -> None:
    past = Past(POLICY, kind=TargetKind.PGBOUNCER)
    past.add(sample(0, 30))
    assert past.of_another_kind
    assert past.summary is None
