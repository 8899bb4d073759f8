"""Holds what the rules are evaluated on: one target's state, with a sample, at one moment."""

from __future__ import annotations

from typing import NamedTuple

from pgheadroom.model.reading import Sample
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State


class Evaluation(NamedTuple):
    """A state that has a sample, and the limit of ordinary slots by that sample."""

    state: State
    sample: Sample
    limit: int

    @property
    def thresholds(self) -> Thresholds:
        """What the rules compare with."""
        return self.state.thresholds

    @property
    def used(self) -> int:
        """Slots in use, by the sample."""
        return self.sample.main.used
