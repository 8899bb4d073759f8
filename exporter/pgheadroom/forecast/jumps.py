"""Recognises use that goes up in jumps, and says whether one more of them fits.

A deploy that adds a pool, a rolling update that starts pod after pod: use jumps, stays, and jumps
again. Between two jumps no curve tells of the next one, but its size is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_KEPT = 6
_STILL = 2
"""A jump is over when use has not risen for this many times the time it took to rise ..."""
_STILL_SECONDS = 3.0
"""... and for so long at least."""
_ALIKE = 3
"""Two jumps are alike when the larger is at most this many times the smaller."""
_PATIENCE = 3
"""The next jump is waited for this many times as long as lay between the last two."""


Point = tuple[float, int]
"""When, and how many slots were in use."""


class Jump(NamedTuple):
    """A rise that came to rest."""

    began: float
    ended: float
    rise: int


class NextJump(NamedTuple):
    """What may come next."""

    size: int
    since: float
    """When the first of the two jumps that foretell it began."""
    last: float
    """When the second one began."""
    gap: float
    """Seconds between those two."""


class Jumps(NamedTuple):
    """The jumps since use last came down."""

    done: tuple[Jump, ...] = ()
    moving: bool = False
    base: tuple[float, int] = (0.0, 0)
    """Where the jump that is under way began."""
    high: Point | None = None
    """The highest use since it last came down, and when it was first reached."""

    def add(self, at: float, used: int, least: float) -> Jumps:
        """Return the jumps with one more sample; one is a rise by *least* slots or more."""
        if self.high is None:
            return Jumps(high=(at, used))
        if self.moving:
            return self._moved(self.high, at, used, least)
        return self._rested(self.high, at, used, least)

    def with_older(self, older: Jumps, means: Iterable[Point], least: float) -> Jumps:
        """Return the jumps after all of *older* and then these, of a course with these *means*.

        The means are those of short stretches, so what they tell of is less exact: only jumps
        before these are taken from it.
        """
        both = older
        for at, used in means:
            both = both.add(at, used, least)
        if self.high is None:
            return both
        earlier = both.done[: max(0, len(both.done) - len(self.done))]
        return self._replace(done=(*earlier, *self.done))

    def expected(self, now: float) -> NextJump | None:
        """Return the jump that may come next, when the last two are of a kind."""
        jumps = self.done
        if self.moving and self.high is not None:
            (began, level), (ended, height) = self.base, self.high
            jumps = (*jumps, Jump(began, ended, height - level))
        if len(jumps) < 2:  # noqa: PLR2004 - one jump foretells nothing
            return None
        earlier, last = jumps[-2:]
        small, large = sorted((earlier.rise, last.rise))
        gap = last.began - earlier.began
        if large > _ALIKE * small or now - last.ended > _PATIENCE * gap:
            return None
        if max(last.ended - last.began, earlier.ended - earlier.began) > gap / _STILL:
            return None  # that is a slope
        return NextJump(small, earlier.began, last.began, gap)

    def _moved(self, high: Point, at: float, used: int, least: float) -> Jumps:
        if used > high[1]:
            return self._replace(high=(at, used))
        if at - high[0] <= max(_STILL_SECONDS, _STILL * (high[0] - self.base[0])):
            return self
        jump = Jump(self.base[0], high[0], high[1] - self.base[1])
        rested = self._replace(done=(*self.done[1 - _KEPT :], jump), moving=False)
        return rested.add(at, used, least)

    def _rested(self, high: Point, at: float, used: int, least: float) -> Jumps:
        if used >= high[1] + least:
            return self._replace(moving=True, base=(at, high[1]), high=(at, used))
        last = self.done[-1].rise if self.done else 0
        if used < high[1] - max(least, last / 2):
            return Jumps(high=(at, used))
        return self
