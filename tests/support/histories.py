"""Makes histories of usage, in the shapes that forecasts distinguish.

A shape says who holds how many connections at a moment; `samples` looks at it every so often. What
chance there is comes from a seed, so that a shape is the same each time.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain

from pgheadroom.backtest.replay import BacktestResult, Episode, Replay
from pgheadroom.model.alert import AlertName
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.model.reading import Group, Holders, Reading, Sample
from pgheadroom.model.slots import Limits, Slots, Tier
from pgheadroom.state import State
from pgheadroom.step import Policy, step
from tests.support.readings import POLICY, SERVER

START = 1_767_225_600.0  # a midnight
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LIMITS = Limits(max_connections=100, superuser_reserved=3)
SMALL = Limits(max_connections=20, superuser_reserved=3)

Held = Mapping[str, int]
Shape = Callable[[float], Held]
"""Who holds how many connections, so many seconds after the start; asked in order of time."""


def reading(
    at: float,
    holders: Held,
    limits: Limits = LIMITS,
    *,
    hidden: int = 0,
    busy: Iterable[str] = (),
) -> Sample:
    """Return a full reading of who holds what; connections of *busy* applications are active."""
    working = frozenset(busy)
    groups = tuple(
        Group(name, "active" if name in working else "idle", count, 60.0)
        for name, count in holders.items()
        if count > 0
    )
    visible = sum(group.count for group in groups)
    found = Holders(at, visible, groups, complete=True, cost_seconds=0.0)
    return Sample.of_postgres(
        at, 0.002, PostgresFacts(Slots(limits, visible, hidden), SERVER), found
    )


def samples(
    shape: Shape,
    seconds: float,
    every: float = 1.0,
    *,
    limits: Limits = LIMITS,
    busy: Iterable[str] = (),
    start: float = 0.0,
) -> Iterator[Sample]:
    """Yield a reading of *shape* every so many seconds; whom no slot is left for gets none."""
    most = limits.of(Tier.ORDINARY)
    for number in range(int(seconds / every)):
        after = start + number * every
        yield reading(START + after, let_in(shape(after), most), limits, busy=busy)


def let_in(holders: Held, most: int) -> Held:
    """Return *holders* cut down to *most* connections; the last in the list are refused first."""
    found: dict[str, int] = {}
    for name, count in holders.items():
        found[name] = max(0, min(count, most - sum(found.values())))
    return found


def together(*shapes: Shape) -> Shape:
    """Return what the *shapes* come to at once."""

    def shape(at: float) -> Held:
        found: dict[str, int] = {}
        for one in shapes:
            for name, count in one(at).items():
                found[name] = found.get(name, 0) + count
        return found

    return shape


def pool(name: str, size: int, noise: int = 0, seed: int = 1) -> Shape:
    """Return a pool of *size* that lends and takes back, up to *noise* to either side."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    held = size

    def shape(_at: float) -> Held:
        nonlocal held
        # Likelier back towards its size than away from it, as a pool is.
        pull = 0.5 - (held - size) / (4 * noise) if noise else 0.5
        if noise and chance.random() < 0.5:
            held += 1 if chance.random() < pull else -1
            held = max(size - noise, min(size + noise, held))
        return {name: held}

    return shape


def curve(name: str, count: Callable[[float], float]) -> Shape:
    """Return an application with as many connections as *count* says."""
    return lambda at: {name: max(0, round(count(at)))}


def climb(name: str, first: float, per_second: float, begins: float = 0.0) -> Shape:
    """Return an application that takes connections at an even pace and gives none back."""
    return curve(name, lambda at: first + per_second * max(0.0, at - begins))


def staircase(name: str, step: int, every: float, begins: float, steps: int = 100) -> Shape:
    """Return deploys, each of which opens *step* connections more within two seconds."""

    def count(at: float) -> float:
        if at < begins:
            return 0.0
        number, since = divmod(at - begins, every)
        done = min(number, steps) * step
        return done if number >= steps else done + step * min(1.0, (since + 1) / 2)

    return curve(name, count)


def pile_up(name: str, first: float, doubles: float, begins: float, most: int = 1000) -> Shape:
    """Return requests that wait for one another: their number doubles again and again."""
    return curve(
        name, lambda at: min(most, first * 2.0 ** min(20.0, max(0.0, at - begins) / doubles))
    )


def mountains(name: str, height: float, growth: float, period: float) -> Shape:
    """Return use that comes and goes once in each *period*, each time *growth* higher."""

    def count(at: float) -> float:
        number, since = divmod(at, period)
        return (height + growth * number) * math.sin(math.pi * since / period) ** 2

    return curve(name, count)


def between(first: float, last: float, begins: float, ends: float, at: float) -> float:
    """Return where a straight way from *first* to *last* is *at* a moment."""
    share = min(1.0, max(0.0, (at - begins) / (ends - begins)))
    return first + (last - first) * share


def ramp(name: str, first: float, last: float, begins: float, ends: float) -> Shape:
    """Return an application that goes from *first* to *last* connections, and stays there."""
    return curve(name, partial(between, first, last, begins, ends))


def daily(
    name: str,
    night: float,
    day: float,
    *,
    spread: float = 0.05,
    seed: int = 1,
    weekend: float = 1.0,
) -> Shape:
    """Return a day's rhythm: low at night, high at noon; days differ by *spread* at most.

    On days six and seven of a week it rises to the share *weekend* of the others only.
    """
    chance = random.Random(seed)  # noqa: S311 - the same each time
    factors = [chance.uniform(1 - spread, 1 + spread) for _ in range(40)]

    def count(at: float) -> float:
        number, since = divmod(at, DAY)
        share = math.sin(math.pi * since / DAY) ** 2
        if number % 7 >= 5:
            share *= weekend
        return night + (day - night) * share * factors[int(number)]

    return curve(name, count)


def bursts(name: str, rest: int, high: int, seed: int = 1) -> Shape:
    """Return short work: up to *high* for half a minute, every 5 to 20 minutes."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    begins = chance.uniform(5, 20) * MINUTE

    def shape(at: float) -> Held:
        nonlocal begins
        if at > begins + 30.0:
            begins = at + chance.uniform(5, 20) * MINUTE
        since = at - begins
        return {name: round(rest + (high - rest) * min(1.0, since / 5)) if since >= 0 else rest}

    return shape


def without(found: Iterable[Sample], begins: float, ends: float) -> Iterator[Sample]:
    """Yield *found* but for what was taken between two moments after the start."""
    return (one for one in found if not begins <= one.at - START < ends)


def replay(*parts: Iterable[Reading], policy: Policy = POLICY) -> BacktestResult:
    """Return what would have fired over the *parts*, one after the other."""
    told = Replay("db", policy)
    for found in chain.from_iterable(parts):
        told.add(found)
    return told.account


def after(*parts: Iterable[Reading], policy: Policy = POLICY) -> State:
    """Return what is known after the *parts*, one after the other."""
    state = State("db")
    for found in chain.from_iterable(parts):
        state = step(state, found, policy)
    return state


def fired(account: BacktestResult, name: AlertName) -> list[Episode]:
    """Return each time that the alert of that *name* fired."""
    return [episode for episode in account.episodes if episode.alert.name is name]


def pages(account: BacktestResult) -> list[str]:
    """Return what a person would have been paged with."""
    return [
        f"{episode.start - START:.0f} s: {episode.alert.description}"
        for episode in account.episodes
        if episode.pages
    ]


def wavering(account: BacktestResult) -> list[str]:
    """Return the alerts that fired more than once."""
    seen = Counter((str(e.alert.name), str(e.alert.severity)) for e in account.episodes)
    return [f"{name}, {severity}" for (name, severity), times in seen.items() if times > 1]
