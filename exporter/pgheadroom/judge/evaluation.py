"""Holds what the rules are evaluated on: one target's state, with a sample, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pgheadroom.model.alert import AlertName
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.reading import Sample
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State


class Names(NamedTuple):
    """What the alerts about a target's main capacity are called."""

    exhausted: AlertName
    imminent: AlertName
    low: AlertName


NAMES: Mapping[CapacityKind, Names] = {
    CapacityKind.SLOTS: Names(AlertName.EXHAUSTED, AlertName.IMMINENT, AlertName.LOW),
    CapacityKind.CLIENTS: Names(
        AlertName.CLIENTS_EXHAUSTED, AlertName.CLIENTS_IMMINENT, AlertName.CLIENTS_LOW
    ),
}


class Evaluation(NamedTuple):
    """A state whose newest reading is a sample, and the limit of its main capacity."""

    state: State
    sample: Sample
    limit: int
    """What ordinary clients may take."""

    @property
    def names(self) -> Names:
        """What the alerts about its main capacity are called."""
        return NAMES[self.sample.main.scope.kind]

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
