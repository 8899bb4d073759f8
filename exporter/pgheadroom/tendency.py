"""How does each application behave: does it climb, storm, come and go, shrink, or stay."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pgheadroom.history import SPAN, History, Rung

FIRST, LAST = 7, 14
"""Rungs on which lasting tendencies show: 32 buckets are 68 minutes on the first of them, six days
on the last."""

_QUARTER = SPAN // 4
_LEAST_CONNECTIONS = 3
_LEAST_SHARE = 0.1
"""Fewer connections, or a smaller share of what the application has, are no tendency."""
_NEWS = 1.1
"""A climb is news when it is so many times as high as the application ever was: days differ."""
_TOOTH_SHARE = 0.5
_TEETH = 3
"""A sawtooth went up and down so many times by this share of its highest count."""


class Verdict(enum.StrEnum):
    """What a person would say of an application's curve."""

    STABLE = "stable"
    CLIMBING = "climbing"
    """It takes connections and does not give them back: a leak."""
    STORM = "storm"
    """It takes many within a minute."""
    SAWTOOTH = "sawtooth"
    """It goes up and down and comes back every time."""
    SHRINKING = "shrinking"


class Trait(NamedTuple):
    """What showed of an application on one rung."""

    name: str
    verdict: Verdict
    change: int
    """Connections more, or fewer, than at the rung's beginning."""
    level: int
    """Connections that it had at the rung's end, at least."""
    seconds: float
    """The rung's length."""


@dataclass(frozen=True, slots=True)
class Tendencies:
    """What showed of every application on the rungs of hours and days."""

    traits: tuple[Mapping[str, Trait], ...] = ({},) * (LAST - FIRST + 1)
    """By rung, as of when that was last looked at; of the applications that have any there."""
    leaks: tuple[Trait, ...] = ()
    """Of each application that climbs, what shows on the longest rung on which it does."""

    def update(self, history: History, touched: int) -> Tendencies:
        """Return the tendencies, given that the newest sample shows on *touched* rungs."""
        if touched <= FIRST:
            return self
        traits = tuple(
            _traits(history, number) if number < touched else known
            for number, known in enumerate(self.traits, FIRST)
        )
        leaks = {
            name: trait
            for seen in traits
            for name, trait in seen.items()
            if trait.verdict is Verdict.CLIMBING
        }
        return Tendencies(traits, tuple(leaks.values()))

    def leaking(self, totals: Mapping[str, int]) -> Iterator[Trait]:
        """Yield the leaks that are not mended by now, given that there are *totals* connections."""
        for leak in self.leaks:
            if totals.get(leak.name, 0) >= leak.level - leak.change / 2:
                yield leak

    def verdict(self, name: str) -> Verdict:
        """Return what shows of application *name*.

        A leak is told even if a sawtooth goes on top of it.
        """
        seen = {found[name].verdict for found in self.traits if name in found}
        telling = (Verdict.CLIMBING, Verdict.SAWTOOTH, Verdict.SHRINKING)
        return next((verdict for verdict in telling if verdict in seen), Verdict.STABLE)


def _traits(history: History, number: int) -> Mapping[str, Trait]:
    """Return what shows on rung *number*, of the applications that have any tendency there."""
    rung = history.rungs[number]
    if not rung or rung[-1].nth - rung[0].nth < SPAN - 2:
        return {}  # not known for long enough
    start = rung[-1].nth - SPAN + 1
    quarters: list[Rung] = [(), (), (), ()]
    for quarter in range(4):
        first = start + quarter * _QUARTER
        quarters[quarter] = tuple(b for b in rung if first <= b.nth < first + _QUARTER)
    if not all(quarters):
        return {}
    found: dict[str, Trait] = {}
    for name in rung[-1].spans:
        trait = _trait(name, quarters, float(SPAN << number))
        if trait is None:
            continue
        if trait.verdict is Verdict.CLIMBING and not _new(history, name, start << number, quarters):
            continue
        found[name] = trait
    return found


def _trait(name: str, quarters: list[Rung], seconds: float) -> Trait | None:
    lows: list[int] = []
    highs: list[int] = []
    for quarter in quarters:
        spans = [bucket.spans.get(name, (0, 0)) for bucket in quarter]
        lows.append(min(span[0] for span in spans))
        highs.append(max(span[1] for span in spans))
    most = max(highs)
    least = max(_LEAST_CONNECTIONS, _LEAST_SHARE * most)
    if most - min(lows) < least:
        return None
    if (
        lows[3] - highs[0] >= least
        and lows[0] <= lows[1] <= lows[2] < lows[3]
        and lows[2] > lows[0]
    ):
        return Trait(name, Verdict.CLIMBING, lows[3] - highs[0], lows[3], seconds)
    if lows[0] - highs[3] >= least and highs[0] >= highs[1] >= highs[2] > highs[3]:
        return Trait(name, Verdict.SHRINKING, highs[3] - lows[0], lows[3], seconds)
    if _comes_and_goes(name, quarters, max(least, _TOOTH_SHARE * most)):
        return Trait(name, Verdict.SAWTOOTH, 0, lows[3], seconds)
    return None


def _comes_and_goes(name: str, quarters: list[Rung], tooth: float) -> bool:
    """Say whether the count went up by *tooth* and down again a few times."""
    teeth, up, turn = 0, True, None
    for quarter in quarters:
        for bucket in quarter:
            low, high = bucket.spans.get(name, (0, 0))
            if turn is None:
                turn = low
            if up and high - turn >= tooth:
                teeth, up, turn = teeth + 1, False, high
            if not up and turn - low >= tooth:
                up, turn = True, low
            turn = min(turn, low) if up else max(turn, high)
    return teeth >= _TEETH


def _new(history: History, name: str, start: int, quarters: list[Rung]) -> bool:
    """Say whether the application stands higher than it ever did before this rung begins.

    So the morning's rise of every day is a leak on the first day only.
    """
    now = min(bucket.spans.get(name, (0, 0))[0] for bucket in quarters[3])
    return now > _NEWS * history.most_before(float(start), name)
