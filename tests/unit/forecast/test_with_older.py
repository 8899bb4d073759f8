"""Tests that what was imported and what was measured come together as one history of all would."""

from __future__ import annotations

import math
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.cycles import Cycles
from pgheadroom.forecast.history import RUNGS, SPAN, History
from pgheadroom.forecast.jumps import Jumps
from pgheadroom.forecast.usage import Usage

LIMIT = 97
PROMINENCE = 9.7
MOST_PEAKS = 6


class Seen(NamedTuple):
    """One sample as it was given."""

    at: float
    used: int
    totals: dict[str, int]


def _in_order(steps: list[tuple[float, int, dict[str, int]]]) -> list[Seen]:
    now, found = 1_000_000.0, list[Seen]()
    for pause, used, totals in steps:
        now += pause
        found.append(Seen(now, used, totals))
    return found


pauses = st.one_of(st.sampled_from([1.0, 15.0, 60.0, 300.0]), st.floats(0, 5000))
totals = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 100), max_size=4)
runs = st.lists(st.tuples(pauses, st.integers(0, LIMIT), totals), min_size=2, max_size=60).map(
    _in_order
)
"""Samples in order of time, with pauses of all lengths."""
steep_runs = st.lists(
    st.tuples(pauses, st.sampled_from([0, 20, 40, 60, 80]), totals), min_size=2, max_size=60
).map(_in_order)
"""The same, with no move that is too small to be a turn."""
split_runs = runs.flatmap(lambda run: st.tuples(st.just(run), st.integers(0, len(run))))
steep_split_runs = steep_runs.flatmap(lambda run: st.tuples(st.just(run), st.integers(0, len(run))))


def history_of(samples: list[Seen]) -> History:
    history = History()
    for at, used, holders in samples:
        spans = {name: (count, count) for name, count in holders.items()}
        history, _ = history.add(at, used, LIMIT - used, spans)
    return history


def usage_of(samples: list[Seen]) -> Usage:
    usage = Usage()
    for at, used, holders in samples:
        usage = usage.add(at, used, holders, LIMIT)
    return usage


def cycles_of(samples: list[Seen]) -> Cycles:
    cycles = Cycles()
    for at, used, _ in samples:
        cycles = cycles.add(at, used, PROMINENCE)
    return cycles


def course(cycles: Cycles) -> object:
    """Return where use turned; not which of several samples at the same low was the last one."""
    turns = [(peak.at, peak.height, peak.floor) for peak in cycles.peaks]
    following = None if cycles.next is None else cycles.next[:2]
    return turns, cycles.rising, cycles.extreme, cycles.trough[1], following


@given(split_runs)
def test_a_merged_history_is_that_of_all_samples(case: tuple[list[Seen], int]) -> None:
    run, at = case
    assert history_of(run[at:]).with_older(history_of(run[:at])) == history_of(run)


def test_it_is_so_over_weeks_with_every_rung_full() -> None:
    """Fifteen days at a minute, then half an hour at a second, cut at several places."""
    coarse = [Seen(60.0 * n, n % 60, {"a": n % 7}) for n in range(15 * 1440)]
    begun = coarse[-1].at + 60
    run = coarse + [Seen(begun + n, n % 50, {"a": 1, "b": n % 5}) for n in range(1800)]
    whole = history_of(run)
    assert [len(rung) for rung in whole.rungs[:12]] == [SPAN] * 12
    for cut in (1, 5000, len(coarse), len(coarse) + 1, len(coarse) + 700, len(run) - 1):
        assert history_of(run[cut:]).with_older(history_of(run[:cut])) == whole


@given(split_runs)
def test_it_knows_since_when_it_knows(case: tuple[list[Seen], int]) -> None:
    """To a sixteenth of its length, or to a bucket of the last rung."""
    run, _ = case
    history = history_of(run)
    since = history.known_since
    assert since is not None
    first, last = run[0].at, run[-1].at
    kept = (SPAN - 1) << (RUNGS - 1)
    if last - first < kept:
        assert since <= first
        assert first - since <= 1 + (last - first) / 8
    else:
        assert since <= last - kept + (1 << (RUNGS - 1))


def test_nothing_known_is_known_since_never() -> None:
    assert History().known_since is None
    assert Usage().known_since is None


def test_an_hour_is_an_hour() -> None:
    """And not the one and a half that the bucket takes in which it began."""
    start = 2_000_000_011.0
    history = history_of([Seen(start + n, 5, {}) for n in range(3600)])
    assert history.began is not None
    assert history.began < start - 300
    assert history.known_since is not None
    assert 0 <= start - history.known_since < 256


@given(steep_split_runs)
def test_turns_are_those_of_all_samples(case: tuple[list[Seen], int]) -> None:
    run, at = case
    newer, whole = cycles_of(run[at:]), cycles_of(run)
    both = newer.with_older(cycles_of(run[:at]), PROMINENCE)
    if len(newer.peaks) == MOST_PEAKS:
        assert both == newer  # with nothing older left, but for where the first climb began
        assert whole.peaks[1:] == newer.peaks[1:]
    else:
        assert course(both) == course(whole)


@given(split_runs)
def test_the_newer_is_never_lost(case: tuple[list[Seen], int]) -> None:
    run, at = case
    newer, older = usage_of(run[at:]), usage_of(run[:at])
    both = newer.with_older(older)
    if not run[at:]:
        assert both == older.resting()
        return
    for rung, was in zip(both.history.rungs, newer.history.rungs, strict=True):
        assert rung[len(rung) - len(was) + 1 :] == was[1:]
    assert (both.used, both.limit, both.totals) == (newer.used, newer.limit, newer.totals)
    assert both.recent_max == newer.recent_max
    known = len(newer.jumps.done)
    assert both.jumps.done[len(both.jumps.done) - known :] == newer.jumps.done


@given(runs)
def test_nothing_older_changes_nothing(run: list[Seen]) -> None:
    usage = usage_of(run)
    assert usage.with_older(Usage()) == usage


@given(split_runs, st.lists(st.tuples(pauses, st.integers(0, LIMIT), totals), max_size=50))
def test_it_goes_on_as_one_history_of_all(
    case: tuple[list[Seen], int], more: list[tuple[float, int, dict[str, int]]]
) -> None:
    """What is added after the merge meets the same history."""
    run, at = case
    merged, whole = usage_of(run[at:]).with_older(usage_of(run[:at])), usage_of(run)
    now = run[-1].at
    for pause, used, holders in more:
        now += pause
        merged = merged.add(now, used, holders, LIMIT)
        whole = whole.add(now, used, holders, LIMIT)
    assert merged.history == whole.history


def test_a_jump_of_last_week_is_remembered_beside_one_of_today() -> None:
    """A pool with each deploy, a day apart: today's alone would not tell of the third."""
    day = 86_400.0
    older = usage_of([Seen(60.0 * n, 20 if n < 1440 else 40, {"api": 20}) for n in range(2800)])
    begun = 60.0 * 2800
    newer = usage_of([Seen(begun + n, 40 if n < 3000 else 60, {"api": 40}) for n in range(3600)])
    assert newer.jumps.expected(begun + 3600) is None
    both = newer.with_older(older)
    expected = both.jumps.expected(begun + 3600)
    assert expected is not None
    assert expected.size == 20
    assert math.isclose(expected.gap, day, rel_tol=0.1)


def test_jumps_of_today_stay_exact() -> None:
    older = Jumps(high=(0.0, 70))
    newer = usage_of([Seen(1e6 + n, 20 + 20 * (n // 400), {}) for n in range(1200)])
    means = [(start, round(one.mean)) for start, _, one in newer.history.stretches()]
    assert newer.jumps.with_older(older, means, 4.0) == newer.jumps
    assert len(newer.jumps.done) == 2


def test_ranges_and_climbs_are_as_the_whole_history_shows_them() -> None:
    """Ten days of a busy day and a quiet night, the last hour measured."""
    run = [Seen(300.0 * n, round(40 + 30 * math.sin(n * math.tau / 288)), {}) for n in range(2880)]
    cut = len(run) - 12
    merged, whole = usage_of(run[cut:]).with_older(usage_of(run[:cut])), usage_of(run)
    known = [(one, other) for one, other in zip(merged.ranges, whole.ranges, strict=True)]
    assert all(abs(one - other) <= 3 for one, other in known if other >= 0)
    assert max(merged.ranges) > 30
    assert merged.trends.due != 0
