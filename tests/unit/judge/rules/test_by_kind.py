"""Tests that every kind of target has rules."""

from pgheadroom.judge.rules.by_kind import RULES
from pgheadroom.model.identity import TargetKind


def test_every_kind_of_target_has_rules() -> None:
    assert set(RULES) == set(TargetKind)
    assert all(rules.of_every_reading and rules.of_a_sample for rules in RULES.values())
