"""Writes a backtest for a person: what fired, when, why, and how long before the end.

The sentences stand here for the page (``backtest_html``) too, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from pgheadroom.backtest.comparison import (
    Comparison,
    PeriodLeads,
    Tally,
    bare_seconds,
    comparable,
    compare,
    total,
)
from pgheadroom.backtest.replay import BacktestResult, Episode
from pgheadroom.backtest.threshold import EVERY_SECONDS
from pgheadroom.durations import duration, moment
from pgheadroom.judge.wording import NOUNS
from pgheadroom.model.alert import Severity
from pgheadroom.model.capacity import CapacityKind

_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow"}
_INDENT = 4
_SHORTAGES_TOLD = 5
_LEADS_TOLD = 3


def tell(accounts: Sequence[BacktestResult], console: Console) -> None:
    """Print every history, then the verdict as the last line."""
    comparisons = [compare(account) for account in accounts]
    for account, comparison in zip(accounts, comparisons, strict=True):
        console.print(Text(account.name, "bold"))
        for name, value in facts(account):
            console.print(Text(f"  {name:<9}{value}"))
        for note in account.notes:
            console.print(Text.assemble("  ", ("note     ", "yellow"), note))
        for episode in account.episodes:
            console.print()
            _tell_one(account, episode, console)
        if not account.episodes:
            console.print(Text("  nothing would have fired", "green"))
        console.print()
        _tell_comparison(
            f"compared with a bare rule: {bare_rule(account.ratio)}", comparison, console
        )
    if len(accounts) > 1:
        console.print(Text(f"all {len(accounts)} histories", "bold"))
        _tell_comparison("", total(comparisons), console)
    paged = any(account.paged for account in accounts)
    console.print(Text(verdict(accounts), "bold red" if paged else "bold green"))


def _tell_one(account: BacktestResult, episode: Episode, console: Console) -> None:
    alert = episode.alert
    line = Text.assemble(
        f"  {moment(episode.start)}  ",
        (f"{alert.severity:<8}", _STYLES[alert.severity]),
        f"  {title(episode)}",
    )
    if alert.application_name is not None:
        line.append("  of ").append(alert.application_name, "bold")
    console.print(line)
    for words in (f"{alert.summary} {alert.description}", length(account, episode)):
        console.print(Padding(Text(words), (0, 0, 0, _INDENT), expand=False))


def _tell_comparison(heading: str, comparison: Comparison, console: Console) -> None:
    """Print who was earlier, if it is of one history and so has a *heading*, and both tallies."""
    lines = [*tallies(comparison)]
    if heading:
        console.print(Text(f"  {heading}", "bold"))
        lines = [*periods(comparison), *lines]
    for words in lines:
        console.print(Padding(Text(words), (0, 0, 0, _INDENT), expand=False))
    console.print()


def facts(account: BacktestResult) -> Iterator[tuple[str, str]]:
    """Yield what a history is: each fact's name and the fact."""
    if account.first is None:
        return
    span = account.last - account.first
    kind = account.limits[0][1].scope.kind if account.limits else CapacityKind.SLOTS
    one, several = NOUNS[kind]
    yield "span", f"{moment(account.first)} to {moment(account.last)} UTC, {duration(span)}"
    failures = f", {account.failures:,} readings failed" if account.failures else ""
    yield "samples", f"{account.samples:,}{failures}"
    for at, limits in account.limits:
        since = "" if at == account.limits[0][0] else f", from {moment(at)} on"
        if limits.scope.kind is CapacityKind.SLOTS:
            whole = (limits.limit or 0) + limits.reserve
            yield "limits", f"{whole} slots, {limits.limit} of them ordinary{since}"
        else:
            yield "limits", f"{limits.limit} {NOUNS[limits.scope.kind][1]}{since}"
    if account.samples:
        when = moment(account.highest_at)
        yield "highest", f"{account.highest} of {account.highest_of} {several}, {when}"
    for shortage in account.shortages[:_SHORTAGES_TOLD]:
        words = f"no {one} was free at {moment(shortage.start)}"
        lasted = shortage.end - shortage.start
        yield "full", words + (f", and again and again for {duration(lasted)}" if lasted else "")
    more = len(account.shortages) - _SHORTAGES_TOLD
    if more > 0:
        yield "full", f"and {more} more times"


def title(episode: Episode) -> str:
    """Return the name of the alert, and of what it speaks if there are several such."""
    alert = episode.alert
    about = ", ".join(map(" ".join, alert.about))
    return f"{alert.name} ({about})" if about else alert.name


def length(account: BacktestResult, episode: Episode) -> str:
    """Say how long it fired, how long before it was full, and what the bare rule did."""
    if episode.end is None:
        fired = f"still fires at the end, after {duration(account.last - episode.start)}"
    else:
        fired = f"fired for {duration(episode.end - episode.start)}"
    words = (fired, lead_words(account, episode), bare_words(account, episode))
    return "; ".join(filter(None, words))


def lead_words(account: BacktestResult, episode: Episode) -> str:
    """Say how long before it was full it began; empty when that did not happen."""
    lead = account.lead_seconds(episode)
    if lead is None:
        return ""
    if lead > 0:
        return f"began {duration(lead)} before it was full"
    return "began when it was full already"


def bare_rule(ratio: float) -> str:
    """Say what the bare rule is."""
    every = duration(EVERY_SECONDS)
    return f"above {percent(ratio)} of max_connections pages at once, evaluated every {every}"


def percent(ratio: float) -> str:
    """Return *ratio* as ``80 %``."""
    return f"{ratio * 100:.4g} %"


def bare_words(account: BacktestResult, episode: Episode) -> str:
    """Say how much earlier or later the bare rule paged; empty for what it cannot see."""
    if not comparable(episode):
        return ""
    name, earlier = f"a bare {percent(account.ratio)} rule", bare_seconds(account, episode)
    if earlier is None:
        return f"{name} would not have paged for it"
    return f"{name} would have paged {_apart(earlier)}"


def periods(comparison: Comparison) -> Iterator[str]:
    """Say of each full period who paged when; of many, of the first ones."""
    for one in comparison.periods[:_SHORTAGES_TOLD]:
        ours, bare = when(one.ours), when(one.bare)
        words = f"full at {moment(one.period.start)}: pgheadroom paged {ours}, the bare rule {bare}"
        yield f"{words}: {difference(one)}" if one.ours != one.bare else words
    more = len(comparison.periods) - _SHORTAGES_TOLD
    if more > 0:
        yield f"and {more} more times"


def when(lead: float | None) -> str:
    """Say when a page came: so many seconds before the server was full."""
    if lead is None:
        return "not at all"
    if lead == 0:
        return "at that moment"
    return f"{duration(lead)} before" if lead > 0 else f"{duration(-lead)} after"


def difference(one: PeriodLeads) -> str:
    """Say who paged first before a full period, and how much earlier."""
    if one.ours is None or one.bare is None:
        if one.ours == one.bare:
            return "nobody paged"
        return "only the bare rule paged" if one.ours is None else "only pgheadroom paged"
    return f"pgheadroom {_apart(one.ours - one.bare)}"


def _apart(earlier: float) -> str:
    if earlier == 0:
        return "at the same time"
    return f"{duration(abs(earlier))} {'earlier' if earlier > 0 else 'later'}"


def tallies(comparison: Comparison) -> Iterator[str]:
    """Say what the pages came to: pgheadroom's, then the bare rule's."""
    full, others = len(comparison.periods), comparison.others
    apart = f"; {others} more about what a bare rule cannot see" if others else ""
    yield f"pgheadroom: {_tally(comparison.ours, full)}{apart}."
    yield f"A bare {percent(comparison.ratio)} rule: {_tally(comparison.bare, full)}."


def _tally(tally: Tally, full: int) -> str:
    parts = [f"{tally.pages:,} {_plural('page', tally.pages)}" if tally.pages else "no page"]
    if full:
        parts.append(before_full(tally, full))
    if tally.pages:
        parts.append(f"{nothing_words(tally)} for nothing")
    return "; ".join(parts)


def nothing_words(tally: Tally) -> str:
    """Say how many of the pages were for nothing."""
    return f"{tally.for_nothing:,}" if tally.for_nothing else "none"


def before_full(tally: Tally, full: int) -> str:
    """Say how often, of *full* times, it paged before the server was full, and how early."""
    leads = sorted(tally.leads, reverse=True)
    if not leads:
        return "never before it was full"
    if len(leads) > _LEADS_TOLD:
        middle = duration(median(leads))
        early = f"{duration(leads[-1])} to {duration(leads[0])} before, {middle} in the median"
    else:
        early = f"{' and '.join(map(duration, leads))} before"
    often = f"{len(leads)} of {full} times"
    return f"{early} it was full" if full == 1 else f"before it was full {often}: {early}"


def verdict(accounts: Sequence[BacktestResult]) -> str:
    """Say in one sentence whether anybody would have been paged, and how early."""
    pages = [(account, e) for account in accounts for e in account.episodes if e.pages]
    if not pages:
        warnings = sum(len(account.episodes) for account in accounts)
        ran_out = sum(1 for account in accounts if account.shortages)
        missed = f", though the slots ran out in {ran_out} of the histories" if ran_out else ""
        count = f"{warnings} {_plural('warning', warnings)}" if warnings else "no warning either"
        return f"Nobody would have been paged; {count}{missed}."
    account, first = min(pages, key=lambda page: page[1].start)
    whom = f", because of {first.alert.application_name}" if first.alert.application_name else ""
    lead = account.lead_seconds(first)
    before = f", {duration(lead)} before it was full" if lead else ""
    where = f" ({account.name})" if len(accounts) > 1 else ""
    if not lead and account.warning:
        late, lead = account.warning
        before = (
            f"; the one at {moment(late.start)} came {duration(lead)} before the last slot went"
        )
        return f"{len(pages)} pages, the first at {moment(first.start)} UTC{where}{whom}{before}."
    count = "One page," if len(pages) == 1 else f"{len(pages)} pages, the first"
    return f"{count} at {moment(first.start)} UTC{where}{before}{whom}."


def _plural(word: str, number: int) -> str:
    return word if number == 1 else word + "s"
