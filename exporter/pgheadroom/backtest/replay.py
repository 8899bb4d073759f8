"""Runs the daemon's own step over the readings of a history and notes what would have fired.

Pure: readings in, one after the other; what fired, when, and how full it was comes out.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pgheadroom.backtest.curve import UsageSeries
from pgheadroom.backtest.threshold import USUAL_RATIO, BarePage, BareThreshold
from pgheadroom.model.alert import Alert, Severity
from pgheadroom.model.capacity import Capacity
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.reading import Failure, Outcome, Reading, Sample
from pgheadroom.state import State
from pgheadroom.step import Policy, step

SOON_SECONDS = 3600.0
"""An alert that was over for longer than this when the slots ran out was not about that."""

SAME_SECONDS = 300.0
"""Two moments without a free slot that are no further apart are one shortage."""

NEARLY_FULL = 0.92
"""Of the ordinary slots: so much in use makes nobody say that a page was for nothing."""

# A server that is down has no free slot either, but it did not run out of them.
_TELLING = frozenset({Outcome.OK, Outcome.FULL, Outcome.RESERVED_ONLY})


class Span(Protocol):
    """A page, ours or another rule's: from when to when it fired."""

    @property
    def start(self) -> float:
        """In seconds since the epoch."""

    @property
    def end(self) -> float | None:
        """None when it still fired at the end of the history."""


@dataclass(frozen=True, slots=True)
class Change:
    """An alert began to fire, or resolved."""

    at: float
    firing: bool
    alert: Alert


@dataclass(slots=True)
class Episode:
    """An alert from its first reading to the one that resolved it."""

    alert: Alert
    """As it was when it began."""
    start: float
    end: float | None = None
    """None when it still fired at the end of the history."""

    @property
    def pages(self) -> bool:
        """Whether a person would have been paged."""
        return self.alert.severity is Severity.CRITICAL


@dataclass(slots=True)
class Stretch:
    """From the first to the last reading that found something.

    It may not have been so in between, for ``SAME_SECONDS`` at most.
    """

    start: float
    end: float


@dataclass(slots=True)
class FullPeriod(Stretch):
    """A stretch of readings that found no free slot for an ordinary role."""


StretchT = TypeVar("StretchT", bound=Stretch)


@dataclass(slots=True)
class BacktestResult:
    """What a history came to."""

    name: str
    first: float | None = None
    last: float = 0.0
    samples: int = 0
    failures: int = 0
    limits: list[tuple[float, Capacity]] = field(default_factory=list)
    """Each time from which on other limits held; of each capacity its limit and its reserve."""
    highest: int = 0
    highest_at: float = 0.0
    highest_of: int = 0
    """The ordinary limit at that moment."""
    changes: list[Change] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    shortages: list[FullPeriod] = field(default_factory=list)
    nearly_full: list[Stretch] = field(default_factory=list)
    """Samples with at least ``NEARLY_FULL`` of the ordinary slots in use."""
    ratio: float = USUAL_RATIO
    """The bare threshold that it is compared with, as a share of ``max_connections``."""
    bare_pages: list[BarePage] = field(default_factory=list)
    """When that would have paged."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the way the history came to be."""

    @property
    def paged(self) -> bool:
        """Whether something critical fired."""
        return any(episode.pages for episode in self.episodes)

    @property
    def warning(self) -> tuple[Episode, float] | None:
        """The first page that came in time for a shortage, and how many seconds before it."""
        for episode in self.episodes:
            lead = self.lead_seconds(episode) if episode.pages else None
            if lead:
                return episode, lead
        return None

    def lead_seconds(self, page: Span) -> float | None:
        """Return how long after the start of *page* the last ordinary slot went.

        0 when it had gone already; None when that did not happen, or long after it was over.
        """
        shortage = self.about(page)
        return None if shortage is None else max(0.0, shortage.start - page.start)

    def about(self, page: Span) -> FullPeriod | None:
        """Return the first full period that *page* was about: before its end, or soon after."""
        over = self.last if page.end is None else page.end + SOON_SECONDS
        index = bisect_left(self.shortages, page.start, key=lambda shortage: shortage.end)
        found = index < len(self.shortages) and self.shortages[index].start <= over
        return self.shortages[index] if found else None


class Replay:
    """Steps through one history; give it a *curve* to have the way there kept too.

    *ratio* is the bare threshold to compare with, a share of ``max_connections`` above 0.
    """

    def __init__(
        self,
        name: str,
        policy: Policy,
        curve: UsageSeries | None = None,
        ratio: float = USUAL_RATIO,
    ) -> None:
        self._bare = BareThreshold(ratio)
        self.account = BacktestResult(name, ratio=ratio, bare_pages=self._bare.pages)
        self._state = State(name)
        self._policy = policy
        self._curve = curve
        self._open: dict[object, Episode] = {}

    def add(self, reading: Reading) -> None:
        """Take one more reading, later than those before."""
        if isinstance(reading, Sample) and isinstance(reading.facts, PoolerFacts):
            # A history is of one kind; what a pooler's is shows with its first sample.
            self._state = self._state.of(Identity(kind=TargetKind.PGBOUNCER))
        before = self._state
        after = self._state = step(before, reading, self._policy)
        account = self.account
        if account.first is None:
            account.first = reading.at
        account.last = max(account.last, reading.at)
        if isinstance(reading, Sample):
            self._sampled(reading, after)
        elif isinstance(reading, Failure):
            account.failures += 1
            if self._curve is not None:
                self._curve.gap()
        self._watch_the_end(reading.at, after)
        if after.alerts is not before.alerts:
            self._note(reading.at, before.alerts, after.alerts)

    def _sampled(self, sample: Sample, state: State) -> None:
        account, main = self.account, sample.main
        account.samples += 1
        used, ordinary = main.used, main.limit or 0
        last = account.limits[-1][1] if account.limits else None
        # Compared part by part: with every sample, and the same for weeks.
        if last is None or (main.limit, main.reserve, main.scope) != (
            last.limit,
            last.reserve,
            last.scope,
        ):
            empty = Capacity(main.scope, 0, main.limit, main.reserve)
            account.limits.append((sample.at, empty))
        if used > account.highest or account.samples == 1:
            account.highest, account.highest_at, account.highest_of = used, sample.at, ordinary
        if used >= NEARLY_FULL * ordinary and main.limit is not None:
            _prolong(account.nearly_full, sample.at, Stretch)
        if sample.at >= self._bare.due:
            self._bare.evaluate(sample.at, main)
        if self._curve is not None:
            most = ordinary + main.reserve
            self._curve.add(sample.at, state.applications.counts, ordinary, most)

    def _watch_the_end(self, at: float, state: State) -> None:
        if state.outcome not in _TELLING or state.free != 0:
            return
        _prolong(self.account.shortages, at, FullPeriod)

    def _note(self, at: float, before: tuple[Alert, ...], after: tuple[Alert, ...]) -> None:
        were = {alert.key: alert for alert in before}
        are = {alert.key: alert for alert in after}
        account = self.account
        for key, alert in were.items():
            if key not in are:
                account.changes.append(Change(at, firing=False, alert=alert))
                self._open.pop(key).end = at
        for key, alert in are.items():
            if key not in were:
                account.changes.append(Change(at, firing=True, alert=alert))
                self._open[key] = episode = Episode(alert, at)
                account.episodes.append(episode)


def _prolong(stretches: list[StretchT], at: float, kind: type[StretchT]) -> None:
    """Let the last of *stretches* go on to *at*, or begin one of that *kind*."""
    if stretches and at - stretches[-1].end <= SAME_SECONDS:
        stretches[-1].end = at
    else:
        stretches.append(kind(at, at))
