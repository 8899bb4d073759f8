"""Holds the latest state of every target: samplers write it, everything else reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.state import State

Listener = Callable[[State], None]
GoneListener = Callable[[str], None]
Targets = Iterable[str] | Mapping[str, Identity]
"""Names of targets, with what else their settings say of them."""


class Board:
    """The newest State of each target, in the order in which the targets were configured.

    States are values and replacing one is a single assignment, so a reader sees the old or the
    new state, never half of each.
    """

    def __init__(self, targets: Targets, thresholds: Thresholds | None = None) -> None:
        self._thresholds = thresholds or Thresholds()
        self._states: dict[str, State] = {}
        self._poolers: tuple[str, ...] = ()
        self._listeners: list[Listener] = []
        self._gone_listeners: list[GoneListener] = []
        self.follow(targets)

    def follow(self, targets: Targets) -> None:
        """Hold the states of *targets*, in this order, from now on.

        States that are known stay, others begin. What is no longer named is forgotten, and who
        listens for that is told.
        """
        before = self._states
        identities = targets if isinstance(targets, Mapping) else dict.fromkeys(targets, Identity())
        self._states = {
            target: (before.get(target) or State(target, self._thresholds)).of(identity)
            for target, identity in identities.items()
        }
        poolers = [name for name, one in identities.items() if one.kind is not TargetKind.POSTGRES]
        self._poolers = tuple(poolers)
        for target in before.keys() - self._states.keys():
            for listener in self._gone_listeners:
                listener(target)

    def publish(self, state: State) -> None:
        """Replace the state of its target, then tell who listens."""
        self._states[state.target] = state
        for listener in self._listeners:
            listener(state)

    def subscribe(self, listener: Listener) -> None:
        """Call *listener* with each state published from now on."""
        self._listeners.append(listener)

    def when_gone(self, listener: GoneListener) -> None:
        """Call *listener* with the name of each target that is forgotten from now on."""
        self._gone_listeners.append(listener)

    def state(self, target: str) -> State:
        """Return the newest state of *target*; KeyError when there is no such target."""
        return self._states[target]

    def states(self) -> tuple[State, ...]:
        """Return the newest state of every target."""
        return tuple(self._states.values())

    def poolers(self) -> tuple[State, ...]:
        """Return the newest state of every target that is a pooler."""
        return tuple(self._states[name] for name in self._poolers)

    @property
    def ready(self) -> bool:
        """Whether every target has been read once, successfully or not."""
        return all(state.outcome is not None for state in self._states.values())
