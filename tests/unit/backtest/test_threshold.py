"""Tests that the bare threshold fires as a rule evaluator would see it, every 15 seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.histories import LIMITS, START, reading
from tests.support.readings import POLICY, pooler_sample

from pgheadroom.backtest.replay import Replay
from pgheadroom.backtest.threshold import USUAL_RATIO, BareThreshold
from pgheadroom.model.reading import Failure, Outcome, Reading, Sample

Told = list[tuple[float, float | None]]


def pages(samples: Iterable[Sample], ratio: float = USUAL_RATIO) -> Told:
    """Return when the rule fired, from and until, in seconds after the start."""
    rule = BareThreshold(ratio)
    for sample in samples:
        if sample.at >= rule.due:
            rule.evaluate(sample.at, sample.main)
    return told(rule)


def told(rule: BareThreshold) -> Told:
    return [(p.start - START, None if p.end is None else p.end - START) for p in rule.pages]


def held(counts: Iterable[int], every: float) -> list[Sample]:
    return [reading(START + every * n, {"web": count}) for n, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "every", "expected"),
    [
        ([80] * 9, 15.0, []),  # not above
        ([79, 81, 81, 80], 15.0, [(15.0, 45.0)]),
        ([81, 81], 15.0, [(0.0, None)]),
        ([20, 90, 90, 20, 20, 90, 20], 5.0, []),  # above at 5, 10 and 25 s only
        ([20, 90, 90, 90, 90, 90, 20], 5.0, [(15.0, 30.0)]),
        ([20, 90, 20, 90], 60.0, [(60.0, 120.0), (180.0, None)]),  # at every sample
        ([20, 20, 90, 20, 20, 20], 10.0, [(20.0, 30.0)]),  # evaluations at 0, 20, 30 and 50 s
    ],
)
def test_it_fires_at_evaluations_above_the_share(
    counts: Sequence[int], every: float, expected: Told
) -> None:
    assert pages(held(counts, every)) == expected


def test_the_ratio_is_of_max_connections() -> None:
    found = held([88, 90, 91, 90], 15.0)
    assert pages(found, 0.9) == [(30.0, 45.0)]
    assert pages(found, 0.875) == [(0.0, None)]


def test_a_pause_moves_no_evaluation() -> None:
    """After a pause of 1004 s, evaluations go on at multiples of 15 s: 1005 s is the next."""
    found = [reading(START + at, {"web": n}) for at, n in ((0, 1), (1004, 1), (1006, 81))]
    assert pages(found) == [(1006.0, None)]
    found = [reading(START + at, {"web": n}) for at, n in ((0, 1), (1006, 1), (1019, 81))]
    assert pages(found) == []


def test_logins_in_progress_are_not_counted() -> None:
    found = [reading(START, {"web": 80}, hidden=9), reading(START + 15, {"web": 81}, hidden=0)]
    assert pages(found) == [(15.0, None)]


def test_a_failed_reading_changes_nothing() -> None:
    replay = Replay("db", POLICY)
    readings: list[Reading] = [
        *held([81, 81], 15.0),
        Failure(START + 30, Outcome.FULL, "sorry, too many clients already"),
        reading(START + 45, {"web": 81}),
        reading(START + 60, {"web": 20}),
    ]
    for each in readings:
        replay.add(each)
    (page,) = replay.account.bare_pages
    assert (page.start, page.end) == (START, START + 60)


def test_what_nothing_limits_is_never_above() -> None:
    unlimited = pooler_sample(at=START, used=500)
    unlimited = unlimited._replace(main=unlimited.main._replace(limit=None))
    assert pages([unlimited]) == []
    assert pages([pooler_sample(at=START, used=81, limit=100)]) == [(0.0, None)]


@given(
    st.lists(st.integers(0, 97), min_size=1, max_size=80),
    st.sampled_from([1, 3, 5, 15]),
    st.sampled_from([0.5, 0.8, 0.9]),
)
def test_every_fifteenth_second_decides(counts: list[int], every: int, ratio: float) -> None:
    """As score tables do it: look at each evaluation alone, and count the changes."""
    looked = counts[:: 15 // every]
    above = [count > ratio * LIMITS.max_connections for count in looked]
    rises = [
        n * 15.0 for n, (a, b) in enumerate(zip([False, *above], above, strict=False)) if b > a
    ]
    found = pages(held(counts, float(every)), ratio)
    assert [start for start, _ in found] == rises
    assert all(end is None or end > start for start, end in found)
    assert [end for _, end in found[:-1]] == [end for _, end in found[:-1] if end is not None]
