"""Evaluates a bare threshold as Prometheus would: above 80 % of max_connections pages at once.

Most teams have such a rule (``sum(pg_stat_activity_count) > 0.8 * pg_settings_max_connections``,
without ``for``); a backtest tells what it would have done on the same history.

Pure: what is used of a capacity goes in, sample by sample; when the rule fires comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from pgheadroom.model.capacity import Capacity

EVERY_SECONDS = 15.0
"""Between two evaluations."""
USUAL_RATIO = 0.8


@dataclass(slots=True)
class BarePage:
    """From the evaluation at which the rule began to fire to the first at which it did not."""

    start: float
    end: float | None = None
    """None when it still fired at the end of the history."""


class BareThreshold:
    """The rule, and what it has come to so far.

    Evaluations are 15 seconds apart, counted from the first sample; each looks at the first sample
    that is not older. Without a sample nothing changes, which is kind to the rule: in Prometheus
    it would resolve while the exporter is refused, and page again afterwards.
    """

    __slots__ = ("_firing", "_ratio", "due", "pages")

    def __init__(self, ratio: float = USUAL_RATIO) -> None:
        self.pages: list[BarePage] = []
        """In order of time; no two overlap."""
        self.due = -inf
        """The next evaluation, in seconds since the epoch; samples before it change nothing."""
        self._ratio = ratio
        self._firing = False

    def evaluate(self, at: float, main: Capacity) -> None:
        """Take the first sample that is not before ``due``: its time, and what was used of what.

        Logins in progress do not count: an exporter's count of connections lacks them.
        """
        beat = EVERY_SECONDS
        self.due = (
            at + beat if self.due == -inf else self.due + ((at - self.due) // beat + 1) * beat
        )
        most = inf if main.limit is None else main.limit + main.reserve
        above = main.used - main.logins > self._ratio * most
        if above and not self._firing:
            self.pages.append(BarePage(at))
        elif self._firing and not above:
            self.pages[-1].end = at
        self._firing = above
