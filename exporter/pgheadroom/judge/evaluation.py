"""Holds what the rules are evaluated on: one target's state, with a sample, at one moment."""

from __future__ import annotations

from typing import NamedTuple

from pgheadroom.model.reading import Sample
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State


class Evaluation(NamedTuple):
    """A state whose newest reading is a sample, and the limit of its main capacity."""

    state: State
    sample: Sample
    limit: int
    """What ordinary clients may take."""

    @property
    def thresholds(self) -> Thresholds:
        """What the rules compare with."""
        return self.state.thresholds

    @property
    def used(self) -> int:
        """What is used of the main capacity, by the sample."""
        return self.sample.main.used

    @property
    def free(self) -> int:
        """What is left of it; below 0 by as much as reserves are used."""
        return self.limit - self.sample.main.used
