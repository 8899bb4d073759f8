"""Classifies how each application behaves: climbs, storms, comes and goes, shrinks, stays."""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from pgheadroom.forecast.history import SPAN, Bucket, History, Span

FIRST, LAST = 7, 14
"""Rungs on which lasting trends show: 32 buckets are 68 minutes on the first of them, six days
on the last."""

_QUARTER = SPAN // 4
_AT_ONCE = 10
"""Applications that are looked at with one sample: a step must not take long."""
_ABSENT: Span = (0, 0)
_LEAST_CONNECTIONS = 3
_LEAST_SHARE = 0.1
"""Fewer connections, or a smaller share of what the application has, are no trend."""
_NEWS = 1.1
"""A climb is new when it is this many times as high as the application ever was: days differ."""
_TOOTH_SHARE = 0.5
_TEETH = 3
"""A sawtooth went up and down this many times by this share of its highest count."""


class Verdict(enum.StrEnum):
    """What a person would say of an application's curve."""

    STABLE = "stable"
    CLIMBING = "climbing"
    """It takes connections and does not give them back: for hours a leak, for minutes a climb."""
    STORM = "storm"
    """It takes so many a minute that all slots go within two and a half."""
    SAWTOOTH = "sawtooth"
    """It goes up and down and comes back every time."""
    SHRINKING = "shrinking"
    NEW = "new"
    """It has not been watched for long enough to tell."""


class ApplicationTrend(NamedTuple):
    """What showed of an application on one rung."""

    name: str
    verdict: Verdict
    change: int
    """Connections more, or fewer, than at the rung's beginning."""
    level: int
    """Connections that it had at the rung's end, at least."""
    seconds: float
    """The rung's length."""


class ApplicationTrends(NamedTuple):
    """What showed of every application on the rungs of hours and days."""

    by_length: tuple[Mapping[str, ApplicationTrend], ...] = ({},) * (LAST - FIRST + 1)
    """By rung, as of when that was last looked at; of the applications that have any there."""
    leaks: tuple[ApplicationTrend, ...] = ()
    """Of each application that climbs, what shows on the longest rung on which it does."""
    due: int = 0
    """Rungs that show something new and were not looked at yet: a bit for each."""
    looking: int = 0
    """The one of them that is being looked at; 0 for none."""
    looked_at: int = 0
    """Applications of it that were looked at ..."""
    found: Mapping[str, ApplicationTrend] = {}
    """... and what showed of them."""

    def update(self, history: History, touched: int) -> ApplicationTrends:
        """Return the trends, given that the newest sample shows on *touched* rungs.

        A few applications of one rung are looked at with a sample; the next samples do the rest.
        """
        due = self.due
        if touched > FIRST:
            due |= (1 << min(touched, LAST + 1)) - (1 << FIRST)
        if not due:
            return self
        # The longest first: where samples are far apart, the shortest is due with each of them.
        number = self.looking or due.bit_length() - 1
        new, more = _traits(history, number, self.looked_at)
        if more:
            looked_at = self.looked_at + _AT_ONCE
            trends = {**self.found, **new}
            return ApplicationTrends(self.by_length, self.leaks, due, number, looked_at, trends)
        place = number - FIRST
        by_length = (*self.by_length[:place], {**self.found, **new}, *self.by_length[place + 1 :])
        leaks = {
            name: trait
            for rung in by_length
            for name, trait in rung.items()
            if trait.verdict is Verdict.CLIMBING
        }
        return ApplicationTrends(by_length, tuple(leaks.values()), due & ~(1 << number))

    def of_other_history(self) -> ApplicationTrends:
        """Return the same trends, to be looked at once more on every rung with the next samples."""
        due = (1 << (LAST + 1)) - (1 << FIRST)
        return ApplicationTrends(self.by_length, self.leaks, due)

    def leaking(self, totals: Mapping[str, int]) -> Iterator[ApplicationTrend]:
        """Yield the leaks that are not mended by now, given that there are *totals* connections."""
        for leak in self.leaks:
            if totals.get(leak.name, 0) >= leak.level - leak.change / 2:
                yield leak

    def verdict(self, name: str) -> Verdict:
        """Return what shows of application *name*.

        A leak is told even if a sawtooth goes on top of it.
        """
        verdicts = {trends[name].verdict for trends in self.by_length if name in trends}
        telling = (Verdict.CLIMBING, Verdict.SAWTOOTH, Verdict.SHRINKING)
        return next((verdict for verdict in telling if verdict in verdicts), Verdict.STABLE)


def _traits(
    history: History, number: int, looked_at: int
) -> tuple[dict[str, ApplicationTrend], bool]:
    """Return what shows on rung *number* of a few applications, and whether there are more.

    *looked_at* applications were looked at before.
    """
    rung = history.rungs[number]
    if not rung or rung[-1].nth - rung[0].nth < SPAN - 2:
        return {}, False  # not known for long enough
    start = rung[-1].nth - SPAN + 1
    ends = [bisect_left(rung, start + end, key=_nth) for end in range(0, SPAN + 1, _QUARTER)]
    quarters = list(pairwise(ends))
    if any(first == end for first, end in quarters):
        return {}, False
    spans = [bucket.spans for bucket in rung]
    trends: dict[str, ApplicationTrend] = {}
    names = list(spans[-1])
    for name in names[looked_at : looked_at + _AT_ONCE]:
        curve = [spans_of_bucket.get(name, _ABSENT) for spans_of_bucket in spans]
        trait = _trait(name, curve, quarters, float(SPAN << number))
        if trait is None:
            continue
        if trait.verdict is Verdict.CLIMBING and not _new(history, trait, start << number):
            continue
        trends[name] = trait
    return trends, looked_at + _AT_ONCE < len(names)


def _nth(bucket: Bucket) -> int:
    return bucket.nth


def _trait(
    name: str, curve: list[Span], quarters: list[tuple[int, int]], seconds: float
) -> ApplicationTrend | None:
    lowest, highest = [span[0] for span in curve], [span[1] for span in curve]
    most = max(highest)
    least = max(_LEAST_CONNECTIONS, _LEAST_SHARE * most)
    if most - min(lowest) < least:
        return None  # most are flat, and this is all that is done for them
    lows = [min(lowest[first:end]) for first, end in quarters]
    highs = [max(highest[first:end]) for first, end in quarters]
    if (
        lows[3] - highs[0] >= least
        and lows[0] <= lows[1] <= lows[2] < lows[3]
        and lows[2] > lows[0]
    ):
        return ApplicationTrend(name, Verdict.CLIMBING, lows[3] - highs[0], lows[3], seconds)
    if lows[0] - highs[3] >= least and highs[0] >= highs[1] >= highs[2] > highs[3]:
        return ApplicationTrend(name, Verdict.SHRINKING, highs[3] - lows[0], lows[3], seconds)
    if _comes_and_goes(curve, max(least, _TOOTH_SHARE * most)):
        return ApplicationTrend(name, Verdict.SAWTOOTH, 0, lows[3], seconds)
    return None


def _comes_and_goes(curve: list[Span], tooth: float) -> bool:
    """Say whether the count went up by *tooth* and down again a few times."""
    teeth, up, turn = 0, True, curve[0][0]
    for low, high in curve:
        if up and high - turn >= tooth:
            teeth, up, turn = teeth + 1, False, high
        if not up and turn - low >= tooth:
            up, turn = True, low
        turn = min(turn, low) if up else max(turn, high)
    return teeth >= _TEETH


def _new(history: History, trait: ApplicationTrend, start: int) -> bool:
    """Say whether the application stands higher than it ever did before this rung begins.

    So the morning's rise of every day is a leak on the first day only.
    """
    return trait.level > _NEWS * history.most_before(float(start), trait.name)
