"""Runs the daemon's own step over the readings of a history and notes what would have fired.

Pure: readings in, one after the other; what fired, when, and how full it was comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pgheadroom.backtest.curve import UsageSeries
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

# A server that is down has no free slot either, but it did not run out of them.
_TELLING = frozenset({Outcome.OK, Outcome.FULL, Outcome.RESERVED_ONLY})


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
class FullPeriod:
    """From the first to the last reading that found no free slot for an ordinary role.

    A slot may have been free in between, for ``SAME_SECONDS`` at most.
    """

    start: float
    end: float


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

    def lead_seconds(self, episode: Episode) -> float | None:
        """Return how long after the start of *episode* the last ordinary slot went.

        0 when it had gone already; None when that did not happen, or long after it was over.
        """
        over = self.last if episode.end is None else episode.end + SOON_SECONDS
        for shortage in self.shortages:
            if shortage.end >= episode.start and shortage.start <= over:
                return max(0.0, shortage.start - episode.start)
        return None


class Replay:
    """Steps through one history; give it a *curve* to have the way there kept too."""

    def __init__(self, name: str, policy: Policy, curve: UsageSeries | None = None) -> None:
        self.account = BacktestResult(name)
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
        if self._curve is not None:
            most = ordinary + main.reserve
            self._curve.add(sample.at, state.applications.counts, ordinary, most)

    def _watch_the_end(self, at: float, state: State) -> None:
        if state.outcome not in _TELLING or state.free != 0:
            return
        shortages = self.account.shortages
        if shortages and at - shortages[-1].end <= SAME_SECONDS:
            shortages[-1].end = at
        else:
            shortages.append(FullPeriod(at, at))

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
