"""Tests the counters of probes, for every outcome."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.readings import POLICY, sample

from pgheadroom.events.changes import changes
from pgheadroom.model.probes import BOUNDS, Histogram
from pgheadroom.model.reading import FAILURES, Outcome, Probe, ProbeKind, Reading
from pgheadroom.state import State
from pgheadroom.step import step

SUPERUSER = "its role is a superuser"

logins = st.lists(
    st.builds(
        Probe,
        st.just(ProbeKind.CANARY),
        st.floats(0, 1e6),
        st.floats(0, 100),
        st.sampled_from(list(Outcome)),
    ),
    max_size=30,
)


def after(*readings: Reading) -> State:
    state = State("db")
    for reading in readings:
        state = step(state, reading, POLICY)
    return state


def told(*readings: Reading) -> list[str]:
    """Return the lines of log that *readings* make."""
    lines, state = [], State("db")
    for reading in readings:
        before, state = state, step(state, reading, POLICY)
        lines += [change.event for change in changes(before, state, 0.0)]
    return lines


@given(st.lists(st.floats(0, 100)))
def test_a_bucket_counts_what_took_no_longer_than_its_bound(taken: list[float]) -> None:
    found = Histogram()
    for seconds in taken:
        found = found.add(seconds)
    expected = [sum(seconds <= bound for seconds in taken) for bound in (*BOUNDS, math.inf)]
    assert list(found.counts) == expected
    assert all(smaller <= larger for smaller, larger in pairwise(found.counts))
    assert found.total_seconds == pytest.approx(sum(taken))


@given(logins)
def test_each_login_is_counted_once_by_how_it_ended(found: list[Probe]) -> None:
    known = after(*found).canary
    for outcome in FAILURES:
        assert known.failures.get(outcome, 0) == sum(v.outcome is outcome for v in found)
    assert known.durations.counts[-1] == sum(v.outcome is Outcome.OK for v in found)
    assert known.newest == (found[-1] if found else None)


def test_a_probe_changes_nothing_but_what_probes_show() -> None:
    before = after(sample())
    state = step(before, Probe(ProbeKind.CANARY, 1001.0, 0.01, Outcome.AUTH, "no"), POLICY)
    assert state._replace(probes={}) == before


def test_the_log_has_a_line_per_change() -> None:
    good, full = (
        Probe(ProbeKind.CANARY, 1.0, 0.01, Outcome.OK),
        Probe(ProbeKind.CANARY, 2.0, 0.01, Outcome.FULL, "sorry"),
    )
    assert told(good, good) == []
    assert told(good, full, full) == ["canary login failed"]
    assert told(full, good, good) == ["canary login failed", "canary logs in again"]


def test_a_role_that_proves_nothing_is_told_once() -> None:
    proud = Probe(ProbeKind.CANARY, 1.0, 0.01, Outcome.OK, privilege=SUPERUSER)
    full = Probe(ProbeKind.CANARY, 2.0, 0.01, Outcome.FULL, "sorry")
    assert told(proud, proud) == ["the canary proves nothing for applications"]
    events = told(proud, full, proud)
    assert events.count("the canary proves nothing for applications") == 1
