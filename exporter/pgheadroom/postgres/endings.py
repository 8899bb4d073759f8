"""Notices that our session is ended again and again although each new one is let in.

Such a loss leaves no gap in the samples, so nothing else tells of it.
"""

from __future__ import annotations

from typing import NamedTuple

_AGAIN = 3
_WITHIN_SECONDS = 300.0
"""Ended so many times within this time is again and again; not ended for this long is kept."""


class Endings(NamedTuple):
    """When our session was ended lately, and whether that was told as a nuisance."""

    times: tuple[float, ...] = ()
    """The newest ends, oldest first, in seconds of one clock."""
    told: bool = False

    def add(self, at: float) -> tuple[Endings, str]:
        """Return what is known after an end *at* that time, and what to log of it; "" for nothing.

        The first one is told, and the third within five minutes as a nuisance.
        """
        times = (*(time for time in self.times if 0 <= at - time < _WITHIN_SECONDS), at)[-_AGAIN:]
        if len(times) == 1:
            return Endings(times), "session ended"
        if len(times) < _AGAIN or self.told:
            return self._replace(times=times), ""
        return Endings(times, told=True), "session ended again and again"

    def quiet(self, at: float) -> tuple[Endings, str]:
        """Return what is known *at* that time, without an end since, and what to log of it."""
        if self.told and not 0 <= at - self.times[-1] < _WITHIN_SECONDS:
            return Endings(), "session is kept again"
        return self, ""
