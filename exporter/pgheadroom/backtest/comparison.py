"""Compares pgheadroom's pages with those of a bare threshold on the same history.

For each time that the server was full: who paged when. For both: how many pages were for nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from pgheadroom.backtest.replay import (
    SAME_SECONDS,
    SOON_SECONDS,
    BacktestResult,
    Episode,
    FullPeriod,
    Span,
)
from pgheadroom.backtest.threshold import BarePage
from pgheadroom.model.alert import AlertName

_ABOUT_SLOTS = frozenset(
    {
        AlertName.EXHAUSTED,
        AlertName.IMMINENT,
        AlertName.RESERVE,
        AlertName.CLIENTS_EXHAUSTED,
        AlertName.CLIENTS_IMMINENT,
    }
)
"""What a bare threshold is about too. Other pages (unreachable, a role's limit) it cannot see."""


class PeriodLeads(NamedTuple):
    """One full period, and how many seconds before it who paged first.

    Below 0: so long after it began. None: not at all.
    """

    period: FullPeriod
    ours: float | None
    bare: float | None


class Tally(NamedTuple):
    """What the pages of one rule came to."""

    pages: int
    for_nothing: int
    leads: tuple[float, ...]
    """Seconds, of each full period that it paged before."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a history came to, or several: with pgheadroom and with a bare threshold."""

    ratio: float
    """The bare threshold, as a share of ``max_connections``."""
    periods: tuple[PeriodLeads, ...]
    ours: Tally
    """Of pages about the slots alone."""
    bare: Tally
    others: int
    """Our pages about something else."""


def compare(account: BacktestResult) -> Comparison:
    """Return what the pages of pgheadroom and of the bare threshold came to in one history."""
    pages = [episode for episode in account.episodes if episode.pages]
    about_slots = [episode for episode in pages if comparable(episode)]
    periods = tuple(
        PeriodLeads(
            period,
            _lead(period, _first_about(period, about_slots)),
            _lead(period, _first_bare(account, period.start, period.end, SOON_SECONDS)),
        )
        for period in account.shortages
    )
    return Comparison(
        account.ratio,
        periods,
        _tally(account, about_slots, (one.ours for one in periods)),
        _tally(account, account.bare_pages, (one.bare for one in periods)),
        len(pages) - len(about_slots),
    )


def total(comparisons: Sequence[Comparison]) -> Comparison:
    """Return what *comparisons* of one ratio (at least one) come to together."""
    return Comparison(
        comparisons[0].ratio,
        tuple(one for each in comparisons for one in each.periods),
        _sum([each.ours for each in comparisons]),
        _sum([each.bare for each in comparisons]),
        sum(each.others for each in comparisons),
    )


def for_nothing(account: BacktestResult, page: Span) -> bool:
    """Tell whether a page, ours or the bare threshold's, was for nothing.

    It was not if it was about a full period (it fired when the last slot went, or within the hour
    before), or if at least 92 % of the ordinary slots were in use when it began or within five
    minutes after. The history has to go on for so long, or nobody can tell.
    """
    until = page.start + SAME_SECONDS
    if account.about(page) is not None or until > account.last:
        return False
    stretches = account.nearly_full
    index = bisect_left(stretches, page.start, key=lambda stretch: stretch.end)
    return index == len(stretches) or stretches[index].start > until


def comparable(episode: Episode) -> bool:
    """Tell whether *episode* is a page about what a bare threshold is about."""
    return episode.pages and episode.alert.name in _ABOUT_SLOTS


def bare_seconds(account: BacktestResult, episode: Episode) -> float | None:
    """Return by how many seconds the bare threshold paged earlier than *episode*, a page of ours.

    Below 0: later. None when it did not page for the same: the same full period or, where there
    was none, at any time while the page fired; and for pages about something else.
    """
    if not comparable(episode):
        return None
    period = account.about(episode)
    if period is not None:
        first = _first_bare(account, period.start, period.end, SOON_SECONDS)
    else:
        first = _first_bare(account, episode.start, _reach(episode, 0.0), 0.0)
    return None if first is None else episode.start - first.start


def _reach(page: Span, more: float) -> float:
    """Return until when *page* counts: *more* seconds beyond its end."""
    return inf if page.end is None else page.end + more


def _first_about(period: FullPeriod, pages: Sequence[Episode]) -> Episode | None:
    reaching = (page for page in pages if _reach(page, SOON_SECONDS) >= period.start)
    first = next(reaching, None)
    return None if first is None or first.start > period.end else first


def _first_bare(account: BacktestResult, start: float, end: float, more: float) -> BarePage | None:
    """Return the bare threshold's first page that reaches *start* and began by *end*.

    There may be tens of thousands of them; none overlap, so they are in order of their ends too.
    """
    pages = account.bare_pages
    index = bisect_left(pages, start, key=lambda page: _reach(page, more))
    return pages[index] if index < len(pages) and pages[index].start <= end else None


def _lead(period: FullPeriod, first: Span | None) -> float | None:
    return None if first is None else period.start - first.start


def _tally(account: BacktestResult, pages: Sequence[Span], leads: Iterable[float | None]) -> Tally:
    in_vain = sum(1 for page in pages if for_nothing(account, page))
    return Tally(
        len(pages), in_vain, tuple(lead for lead in leads if lead is not None and lead > 0)
    )


def _sum(tallies: Sequence[Tally]) -> Tally:
    return Tally(
        sum(tally.pages for tally in tallies),
        sum(tally.for_nothing for tally in tallies),
        tuple(lead for tally in tallies for lead in tally.leads),
    )
