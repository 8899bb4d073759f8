"""Tests that each family of the arena keeps its own truth, and that its recordings are readable."""

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from benchmarks.arena.families import KEPT, OPEN
from benchmarks.arena.player import without_signals
from benchmarks.arena.story import Family
from benchmarks.arena.write import played

from pgheadroom.model.reading import Sample
from pgheadroom.storage.recording import parse

ALL = OPEN + KEPT
SIGNALS = {"commits", "opened", "young", "waiting", "idle_transaction"}
MOST_SAMPLES = 30_000


def held(sample: dict[str, Any]) -> int:
    return sum(count for _, _, count in sample["connections"])


def slots(sample: dict[str, Any]) -> int:
    reserves = sample["superuser_reserved_connections"] + sample["reserved_connections"]
    return int(sample["max_connections"] - reserves)


def test_each_half_has_both_kinds_and_names_are_unique() -> None:
    for half in (OPEN, KEPT):
        assert sum(family.incident for family in half) >= 5
        assert sum(not family.incident for family in half) >= 5
    assert sum(family.incident for family in ALL) >= 10
    assert max(Counter(family.name for family in ALL).values()) == 1


@pytest.mark.parametrize("seed", [0, 4])
@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_a_family_keeps_its_truth(family: Family, seed: int) -> None:
    samples, truth = played(family, seed)
    assert 0 < len(samples) <= MOST_SAMPLES
    assert truth["incident"] == family.incident
    assert all(early["time"] < late["time"] for early, late in pairwise(samples))
    assert all(held(sample) <= slots(sample) for sample in samples)
    if family.incident:
        assert samples[0]["time"] < truth["onset"] <= truth["exhaustion"] <= samples[-1]["time"]
        # Whoever was refused found no slot: the first sample with none left is no later.
        full = next(sample["time"] for sample in samples if held(sample) == slots(sample))
        assert full <= truth["exhaustion"]
    else:
        assert truth["exhaustion"] is None
        assert truth["onset"] is None
    for begins, ends in truth["near_misses"]:
        assert begins <= ends
        near = [one for one in samples if one["time"] in {begins, ends}]
        assert near
        assert all(held(one) >= 0.92 * slots(one) for one in near)


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_signals_fit_the_counts(family: Family) -> None:
    samples, _ = played(family, 1)
    for early, late in pairwise(samples):
        assert early["commits"] <= late["commits"]
        assert early["opened"] <= late["opened"]
        # Who was not there a moment ago has been let in since.
        assert held(late) - held(early) <= late["opened"] - early["opened"]
    for sample in samples:
        counts: Counter[str] = Counter()
        for name, _, count in sample["connections"]:
            counts[name] += count
        for name, *young in sample["young"]:
            assert 0 <= young[0] <= young[1] <= young[2] <= counts[name]
        active = sum(count for _, state, count in sample["connections"] if state == "active")
        assert 0 <= sample.get("waiting", 0) <= active
        parked = [row for row in sample["connections"] if row[1] == "idle in transaction"]
        assert bool(parked) == ("idle_transaction" in sample)


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_recordings_are_readable_with_signals_and_without(family: Family) -> None:
    samples, _ = played(family, 2)
    for sample in samples[:: max(1, len(samples) // 200)]:
        plain = without_signals(sample)
        assert not SIGNALS & set(plain)
        for shown in (sample, plain):
            reading = parse(json.dumps(shown))
            assert isinstance(reading, Sample)
            assert reading.main.used == held(sample)
            assert reading.main.limit == slots(sample)


def test_the_same_seed_tells_the_same_story() -> None:
    family = next(family for family in OPEN if family.name == "lock_queue")
    assert played(family, 3) == played(family, 3)
    assert played(family, 3)[0] != played(family, 2)[0]


def test_a_lock_shows_as_waiters_that_keep_their_connections() -> None:
    family = next(family for family in OPEN if family.name == "lock_queue")
    samples, truth = played(family, 0)
    before = [one for one in samples if one["time"] < truth["onset"] - 5]
    assert not any("waiting" in one for one in before)
    last = samples[-1]
    assert last["waiting"] > 0.3 * slots(last)
    assert last["idle_transaction"] >= truth["exhaustion"] - truth["onset"]
