"""Tests that an imported rhythm and a measured one come together as one of all samples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.rhythm.rhythm import Rhythm

Samples = list[tuple[float, int]]


def rhythm_of(samples: Samples) -> Rhythm:
    rhythm = Rhythm()
    for at, used in samples:
        rhythm = rhythm.add(at, used)
    return rhythm


def in_order(steps: Samples) -> Samples:
    at, found = 1_767_225_600.0, Samples()
    for pause, used in steps:
        at += pause
        found.append((at, used))
    return found


runs = st.lists(st.tuples(st.floats(1, 40_000), st.integers(0, 97)), min_size=1, max_size=80).map(
    in_order
)


@given(runs, st.integers(0, 80))
def test_it_is_that_of_all_samples(run: Samples, cut: int) -> None:
    merged = rhythm_of(run[cut:]).with_older(rhythm_of(run[:cut]))
    assert merged == rhythm_of(run)
    since = merged.known_since
    assert since is not None
    assert since <= run[0][0]
