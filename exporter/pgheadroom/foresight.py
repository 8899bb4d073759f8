"""What will go wrong: which forecasts are worth a page, which a ticket, and who is to blame."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pgheadroom.alert import AlertName, Severity
from pgheadroom.climb import least_rise
from pgheadroom.durations import duration
from pgheadroom.finding import Finding, Words
from pgheadroom.forecast import Prospect, Sign
from pgheadroom.growth import Culprit, culprit
from pgheadroom.state import State
from pgheadroom.tendency import Trait
from pgheadroom.thresholds import Thresholds
from pgheadroom.wording import blaming, slots, took

_RELEASE = 1.5
"""A forecast keeps an alert up to so many times the horizon that raises it."""


_NEWS_TO_PAGE, _NEWS_TO_WARN = 0.5, 1.5
"""Least rises by which it must be tighter than ever before: one day differs from the next."""
_COHERENT = 0.6
"""A climb is the work of an application that took this share of it."""
_LAST_SLOTS = 0.06
"""Share of the ordinary slots that nobody should get used to being left with."""

_AROUND_SECONDS = 3600.0

Ahead = tuple[Prospect, ...]


def foreseen(
    state: State, ahead: Ahead, limit: int, thresholds: Thresholds, now: float
) -> Iterator[Finding]:
    """Yield what of *ahead* is worth a ticket."""
    yield from _expected(state, ahead, limit, thresholds, now)
    if state.tendencies.leaks:
        yield from _leaking(state, ahead, thresholds)


def imminent(
    state: State, ahead: Ahead, limit: int, thresholds: Thresholds, now: float
) -> Iterator[Finding]:
    """Yield the page that *ahead* is worth, given how many slots are in use already."""
    fires = _fires(state, AlertName.IMMINENT, Severity.CRITICAL)
    used = state.sample.slots.used if state.sample is not None else 0
    if fires and limit - used <= least_rise(limit):
        # It has come true. As long as that lasts nothing is over, whatever the curve does now.
        words = partial(_come_true, state)
        yield Finding(AlertName.IMMINENT, Severity.CRITICAL, words, only_keeps=True)
        return
    if used >= limit:
        return  # that is another alert's news
    paging = [
        prospect
        for prospect in ahead
        if _near(prospect, thresholds.paging_horizon_seconds)
        and _pages(state, prospect, limit, thresholds, fires=fires)
    ]
    if paging:
        yield Finding(
            AlertName.IMMINENT,
            Severity.CRITICAL,
            partial(_words_of, state, paging, now),
            lasts_seconds=max(prospect.lasts for prospect in paging),
        )


def _come_true(state: State) -> Words:
    assert state.sample is not None  # noqa: S101 - imminent() has looked
    return blaming(state, f"{state.target}: {slots(state.sample.slots)}.")


def _fires(state: State, name: AlertName, severity: Severity) -> bool:
    known = state.watched.get((name, severity, None))
    return known is not None and known.alert is not None


def _near(prospect: Prospect, horizon: float) -> bool:
    # A stroke has no hour: the one that does not fit may come at any time.
    return prospect.sign is Sign.STROKES or (prospect.next and prospect.seconds <= horizon)


def _pages(
    state: State, prospect: Prospect, limit: int, thresholds: Thresholds, *, fires: bool
) -> bool:
    """Say whether so many slots are in use that *prospect* is worth waking somebody.

    Most climbs end by themselves: a deploy, a burst, a job. Far below the limit one pages only
    when it is of a kind that does not, and goes where use has not been before. A page that *fires*
    goes on without being news.
    """
    reached = prospect.reached / max(1, limit)
    if reached < thresholds.early_floor_ratio:
        return False
    if prospect.sign is Sign.RANGE:
        return True  # that it came back from the last peak says nothing of the next
    if fires:
        return True
    if not _new(state, prospect, limit, _NEWS_TO_PAGE):
        return False
    if prospect.sign is not Sign.CLIMB or reached >= thresholds.paging_floor_ratio:
        return True
    lasting = prospect.lasts >= thresholds.paging_horizon_seconds
    return lasting or _busy(state, prospect, thresholds.busy_ratio)


def _new(state: State, prospect: Prospect, limit: int, margin: float) -> bool:
    """Say whether it is clearly tighter than it was before *prospect* began, or very tight.

    What use has come back from by itself is no news, but for the last few slots. When those were
    taken before, that was an incident: neither it nor the hour around it is a comfort.
    """
    free, last = limit - prospect.reached, _LAST_SLOTS * limit
    if free <= last:
        return True
    before = state.course.history.least_free_before(prospect.since, last, _AROUND_SECONDS)
    return free < before - margin * least_rise(limit)


def _busy(state: State, prospect: Prospect, ratio: float) -> bool:
    who = to_blame(state, prospect)
    if who is None:
        return False
    idle = state.applications.counts.get((who.application_name, "idle"), 0)
    total = state.applications.totals.get(who.application_name, 0)
    return total > 0 and 1 - idle / total >= ratio


def _expected(
    state: State, ahead: Ahead, limit: int, thresholds: Thresholds, now: float
) -> Iterator[Finding]:
    horizon = thresholds.forecast_horizon_seconds
    fires = _fires(state, AlertName.EXPECTED, Severity.WARNING)
    for prospect in ahead:
        if prospect.seconds > _RELEASE * horizon or prospect.sign is Sign.STROKES:
            continue
        if prospect.sign is Sign.CLIMB and (
            prospect.lasts < thresholds.leak_seconds
            or not (fires or _new(state, prospect, limit, _NEWS_TO_WARN))
        ):
            continue
        yield Finding(
            AlertName.EXPECTED,
            Severity.WARNING,
            partial(_words_of, state, [prospect], now),
            lasts_seconds=prospect.lasts / 2,
            only_keeps=prospect.seconds > horizon,
        )
        return


def spoken_of(state: State) -> frozenset[str]:
    """Return the applications that alerts and forecasts speak of, or may speak of next."""
    names = {alert.application_name for alert in state.alerts}
    names |= {leak.name for leak in state.tendencies.leaks}
    names |= {who.application_name for ahead in state.outlook if (who := to_blame(state, ahead))}
    return frozenset(name for name in names if name is not None)


def _leaking(state: State, ahead: Ahead, thresholds: Thresholds) -> Iterator[Finding]:
    totals = state.applications.tracked
    lasting = [
        leak for leak in state.tendencies.leaking(totals) if leak.seconds >= thresholds.leak_seconds
    ]
    if not lasting:
        return
    worst = max(lasting, key=lambda leak: leak.change)
    yield Finding(
        AlertName.LEAKING,
        Severity.WARNING,
        partial(_leak_words, state, worst, ahead),
        lasts_seconds=worst.seconds,
    )


def _leak_words(state: State, leak: Trait, ahead: Ahead) -> Words:
    words = (
        f"{state.target}: {leak.name} took {leak.change} connections in the last"
        f" {duration(leak.seconds)}, gave none back, and holds"
        f" {state.applications.tracked[leak.name]}"
    )
    alone = min((one.seconds for one in ahead if one.application_name == leak.name), default=None)
    words += "." if alone is None else f"; by itself it takes the rest in {duration(alone)}."
    return words, leak.name


def to_blame(state: State, prospect: Prospect) -> Culprit | None:
    """Return whose growth *prospect* is; None when nobody's."""
    totals = state.applications.tracked
    if prospect.application_name is not None:
        name = prospect.application_name
        return Culprit(name, prospect.slots, totals.get(name, 0))
    if prospect.sign is Sign.RANGE:  # who made the last peak
        peak = state.course.history.bucket_at(prospect.until)
        totals = {} if peak is None else {name: span[1] for name, span in peak.spans.items()}
    return culprit(state.course, totals, prospect.since)


def _words_of(state: State, found: list[Prospect], now: float) -> Words:
    """Tell of the one of *found* that somebody is to blame for, rather than of all and none.

    Noise may look like a climb for a moment, but then it is nobody's; of two that are somebody's
    the faster one tells more.
    """
    told = [(prospect, to_blame(state, prospect)) for prospect in found]
    blamed = [(p, who) for p, who in told if who and who.took >= _COHERENT * p.slots]
    if blamed:
        return _words(state, *max(blamed, key=lambda one: one[1].took / one[0].lasts), now)
    return _words(state, *max(told, key=lambda one: one[0].slots), now)


def _words(state: State, prospect: Prospect, who: Culprit | None, now: float) -> Words:
    assert state.sample is not None  # noqa: S101 - foreseen() has looked
    words = f"{state.target}: {slots(state.sample.slots)}"
    period = duration(prospect.period)
    match prospect.sign:
        case Sign.STROKES:
            words += f"; use goes up in strokes of {prospect.slots:.0f}, and one more does not fit."
        case Sign.RANGE if prospect.next:
            words += (
                f"; use peaks about every {period}, each time {prospect.slots:.0f} higher, last at"
                f" {prospect.reached}, and the next one does not"
                f" fit: in {duration(prospect.seconds)}."
            )
        case Sign.RANGE:
            words += (
                f"; use peaks about every {period}, each time {prospect.slots:.0f} higher, last at"
                f" {prospect.reached}: too high in {duration(prospect.seconds)}."
            )
        case _:
            words += f"; as it goes on now, the last goes in {duration(prospect.seconds)}."
    if who is not None:
        words += " " + took(who, duration(now - prospect.since))
    return words, None if who is None else who.application_name
