"""What is the latest state of every target: written by the samplers, read by everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pgheadroom.state import State
from pgheadroom.thresholds import Thresholds

Listener = Callable[[State], None]


class Board:
    """The newest State of each target, in the order in which the targets were configured.

    States are values and replacing one is a single assignment, so a reader sees the old or the
    new state, never half of each.
    """

    def __init__(self, targets: Iterable[str], thresholds: Thresholds | None = None) -> None:
        decided = thresholds or Thresholds()
        self._states = {target: State(target, decided) for target in targets}
        self._listeners: list[Listener] = []

    def publish(self, state: State) -> None:
        """Replace the state of its target, then tell who listens."""
        self._states[state.target] = state
        for listener in self._listeners:
            listener(state)

    def subscribe(self, listener: Listener) -> None:
        """Call *listener* with each state published from now on."""
        self._listeners.append(listener)

    def state(self, target: str) -> State:
        """Return the newest state of *target*; KeyError when there is no such target."""
        return self._states[target]

    def states(self) -> tuple[State, ...]:
        """Return the newest state of every target."""
        return tuple(self._states.values())

    @property
    def ready(self) -> bool:
        """Whether every target has been read once, successfully or not."""
        return all(state.condition is not None for state in self._states.values())
