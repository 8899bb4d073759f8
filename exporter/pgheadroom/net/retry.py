"""Keeps when the next attempt is due, for one thing that is attempted again and again."""

from __future__ import annotations

import time

from pgheadroom.model.reading import Outcome
from pgheadroom.net.backoff import delay_seconds, longest_delay_seconds


class Retry:
    """The pauses between attempts at one thing, by the monotonic clock.

    While attempts fail they grow from *first_seconds* to *longest_seconds*; a *patient* one grows
    them even where a slot may come free any moment, and so leaves it to others.
    """

    def __init__(
        self, first_seconds: float, longest_seconds: float, *, patient: bool = False
    ) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._patient = patient
        self._not_before = 0.0
        self.failed = 0
        """How many attempts have failed in a row."""
        self.seconds: float | None = None
        """How long the next attempt waits after a failed one; None while they succeed."""
        self.seconds_at_most: float | None = None
        """What that may grow to while they go on failing in the same way."""

    @property
    def due(self) -> bool:
        """Whether the next attempt may begin."""
        return time.monotonic() >= self._not_before

    def at_once(self) -> None:
        """Have the next attempt begin as soon as it can."""
        self._not_before = time.monotonic()

    def succeeded(self, not_before: float = 0.0) -> None:
        """Note that an attempt succeeded; the next is due when the clock shows *not_before*."""
        self.failed = 0
        self.seconds = self.seconds_at_most = None
        self._not_before = not_before

    def failed_with(self, outcome: Outcome, began: float | None = None) -> None:
        """Note that an attempt ended in *outcome*, and put the next one off.

        From one attempt's beginning (*began*, if there was one) to the next one's, so that one
        which outlasts the server's trouble does not make the pause longer.
        """
        self.failed += 1
        delay = delay_seconds(
            outcome,
            self.failed,
            first_seconds=self._first,
            longest_seconds=self._longest,
            patient=self._patient,
        )
        self.seconds_at_most = self._longest
        if not self._patient:
            self.seconds_at_most = longest_delay_seconds(
                outcome, first_seconds=self._first, longest_seconds=self._longest
            )
        now = time.monotonic()
        self._not_before = now + delay
        if began is not None:
            self._not_before = max(began + delay, now + min(delay, self._first) / 2)
        self.seconds = self._not_before - now
