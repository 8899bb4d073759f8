"""Tests that the history keeps what the samples said, in bounded memory."""

from __future__ import annotations

import math
import random
from itertools import groupby
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.forecast.history import RUNGS, SPAN, History, Span

NEWEST_WIDTH = 1 << (RUNGS - 1)
KEPT_SECONDS = (SPAN - 2) * NEWEST_WIDTH


class Seen(NamedTuple):
    """One sample as it was given."""

    at: float
    used: int
    free: int
    spans: dict[str, Span]

    @property
    def second(self) -> int:
        """The second that it was taken in."""
        return int(self.at)


def remembered(samples: list[Seen]) -> History:
    history = History()
    for sample in samples:
        history, _ = history.add(*sample)
    return history


def _in_order(steps: list[tuple[float, int, int, dict[str, int]]]) -> list[Seen]:
    now, found = 1_000_000.0, list[Seen]()
    for pause, used, free, holders in steps:
        now += pause
        found.append(Seen(now, used, free, {name: (n, n) for name, n in holders.items()}))
    return found


pauses = st.one_of(st.floats(0, 3), st.sampled_from([1.0, 15.0]), st.floats(0, 5000))
counts = st.integers(0, 500)
totals = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 100), max_size=4)
runs = st.lists(st.tuples(pauses, counts, counts, totals), min_size=1, max_size=100).map(_in_order)
"""Samples in order of time, with pauses of all lengths."""
anyhow = st.lists(st.tuples(st.one_of(st.floats(0, 1e4), st.floats(0, 2e9)), counts), max_size=80)
"""Samples in no order."""


def resolution(age: float) -> int:
    """Return the width of the finest buckets that reach back by *age* seconds."""
    width = 1
    while (SPAN - 2) * width < age:
        width *= 2
    return width


@given(runs)
def test_each_bucket_sums_up_the_samples_of_its_time(samples: list[Seen]) -> None:
    history = remembered(samples)
    arrived = samples[-1].second + 1  # samples from here on are not on this rung yet
    for number, rung in enumerate(history.rungs):
        for bucket in rung:
            begins, ends = bucket.nth << number, (bucket.nth + 1) << number
            inside = [s for s in samples if begins <= s.second < min(ends, arrived)]
            assert bucket.samples == len(inside)
            assert bucket.total == sum(s.used for s in inside)
            assert bucket.low == min(s.used for s in inside)
            assert bucket.high == max(s.used for s in inside)
            assert bucket.free == min(s.free for s in inside)
            for name in "abcd":
                held = [s.spans[name] for s in inside if name in s.spans]
                expected = (min(h[0] for h in held), max(h[1] for h in held)) if held else None
                assert bucket.spans.get(name) == expected
        arrived = rung[-1].nth << number if rung else 0


@given(runs)
def test_nothing_is_lost_that_a_rung_reaches_back_to(samples: list[Seen]) -> None:
    history = remembered(samples)
    arrived = samples[-1].second + 1
    for number, rung in enumerate(history.rungs):
        there = {s.second >> number for s in samples if s.second < arrived}
        newest = max(there, default=0)
        assert [b.nth for b in rung] == sorted(nth for nth in there if nth > newest - SPAN)
        arrived = rung[-1].nth << number if rung else 0


@given(anyhow)
def test_whatever_the_clock_does_time_runs_forwards_and_rungs_are_bounded(
    found: list[tuple[float, int]],
) -> None:
    history = History()
    for at, used in found:
        history, touched = history.add(at, used, 0, {})
        assert 1 <= touched <= RUNGS
        assert history.rungs[0][-1].nth == int(at)
        for number, rung in enumerate(history.rungs):
            places = [bucket.nth for bucket in rung]
            assert len(rung) <= SPAN
            assert places == sorted(set(places))
            assert not places or places[-1] <= int(at) >> number
            assert not places or places[-1] - places[0] < SPAN


@given(anyhow)
def test_no_rung_reaches_back_further_than_the_coarsest_that_has_any(
    found: list[tuple[float, int]],
) -> None:
    history = History()
    assert history.began is None
    for at, used in found:
        history, _ = history.add(at, used, 0, {})
        starts = [rung[0].nth << number for number, rung in enumerate(history.rungs) if rung]
        assert history.began == min(starts)


@given(runs, st.randoms(use_true_random=False))
def test_the_order_of_samples_within_a_second_does_not_matter(
    samples: list[Seen], chance: random.Random
) -> None:
    shuffled: list[Seen] = []
    for _, second in groupby(samples, key=lambda s: s.second):
        these = list(second)
        chance.shuffle(these)
        shuffled += these
    assert remembered(shuffled) == remembered(samples)


@given(runs)
def test_how_many_rungs_are_touched_is_how_many_changed(samples: list[Seen]) -> None:
    history = remembered(samples[:-1])
    after, touched = history.add(*samples[-1])
    assert after.rungs[touched:] == history.rungs[touched:]
    for rung, now in zip(history.rungs[:touched], after.rungs[:touched], strict=True):
        assert now != rung


@given(runs, st.floats(-10, 1e6))
def test_the_bucket_of_a_moment_is_of_that_time_or_holds_the_last_sample_before(
    samples: list[Seen], ago: float
) -> None:
    history = remembered(samples)
    at = samples[-1].at - ago
    before = [s for s in samples if s.second <= int(at)]
    bucket = history.bucket_at(at)
    if bucket is None:
        assert not before or samples[-1].at - before[-1].at >= KEPT_SECONDS
        return
    number = next(n for n, rung in enumerate(history.rungs) if bucket in rung)
    covers = bucket.nth == int(at) >> number
    # In a gap it is the last one before, which may be long ago and known in outline only.
    assert not covers or 1 << number <= 2 * resolution(max(0.0, ago))
    assert covers or bucket.low <= before[-1].used <= bucket.high


@given(runs, st.floats(0, 1e6))
def test_what_was_before_a_moment_is_known_up_to_the_resolution(
    samples: list[Seen], ago: float
) -> None:
    history, now = remembered(samples), samples[-1].at
    at = now - ago
    before = [s for s in samples if s.second < int(at)]
    known = [
        s for s in before if now - s.at < KEPT_SECONDS and at - s.at >= resolution(now - s.at) + 1
    ]
    least = history.least_free_before(at)
    assert least <= min((s.free for s in known), default=math.inf)
    assert least >= min((s.free for s in before), default=math.inf)
    for name in "abcd":
        held = max((s.spans[name][1] for s in known if name in s.spans), default=0)
        most = max((s.spans[name][1] for s in before if name in s.spans), default=0)
        assert held <= history.most_before(at, name) <= most


@given(anyhow)
def test_the_history_begins_with_its_oldest_bucket(found: list[tuple[float, int]]) -> None:
    history = History()
    assert history.began is None
    for at, used in found:
        history, _ = history.add(at, used, 0, {})
        assert history.began is not None
        assert history.began <= at
        assert history.began == min(
            bucket.nth << number for number, rung in enumerate(history.rungs) for bucket in rung
        )


def test_a_week_is_known_in_outline_and_half_a_minute_to_the_second() -> None:
    day = 86_400
    history = remembered(
        [Seen(float(60 * i), 0, 90 - i // 1440, {}) for i in range(7 * 1440)]
        + [Seen(float(7 * day + i), i, 50, {}) for i in range(30)]
    )
    for second in range(30):
        bucket = history.bucket_at(7 * day + second)
        assert bucket is not None
        assert (bucket.samples, bucket.total) == (1, second)
    assert [history.least_free_before((n + 1.5) * day) for n in range(5)] == [89, 88, 87, 86, 85]


def test_a_clock_set_back_forgets_the_future_and_keeps_the_past() -> None:
    history = remembered([Seen(float(i), 0, 90, {}) for i in range(100)])
    history, _ = history.add(50.0, 0, 80, {})
    assert max(bucket.nth for bucket in history.rungs[0]) == 50
    assert history.least_free_before(51.0) == 80
    assert history.least_free_before(20.0) == 90


def test_the_last_few_slots_and_the_time_around_them_may_be_left_out() -> None:
    free = [50] * 100 + [20, 5, 20] + [40] * 100
    history = remembered([Seen(float(at), 0, left, {}) for at, left in enumerate(free)])
    assert history.least_free_before(203) == 5
    assert history.least_free_before(203, last=4) == 5
    assert history.least_free_before(203, last=5, around=40) == 40
    assert history.least_free_before(100, last=5, around=40) == 50
    assert history.least_free_before(203, last=5, around=1e6) == math.inf


def test_names_that_come_and_go_do_not_pile_up() -> None:
    history = History()
    for minute in range(3 * 1440):
        spans = {f"job {minute // 10}, {number}": (1, 1) for number in range(40)}
        spans["web"] = (20, 20)
        history, _ = history.add(60.0 * minute, 60, 37, spans)
    for rung in history.rungs:
        for bucket in rung:
            assert len(bucket.spans) <= 128
            assert bucket.spans["web"] == (20, 20)
