"""Forecasts when the last slot goes, by four patterns.

The patterns: a climb that goes on, jumps of which one more does not fit, a cycle whose peaks grow,
and an application that leaks while others shrink.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from pgheadroom.forecast.application_trends import FIRST, ApplicationTrend
from pgheadroom.forecast.climb import least_rise
from pgheadroom.forecast.cycles import Expected
from pgheadroom.forecast.forecast import Forecast, Pattern
from pgheadroom.forecast.usage import Usage

SLOW = 4
"""What takes hours is looked at when this rung of the history shows something new: every 16 s."""
_TRUST = 3.0
"""A climb is expected to go on for at most this many times as long as it has lasted."""
_LEAST_GROWTH = 2.0
_LEAST_GROWTH_RATIO = 0.02
"""Peaks grow when each is higher by this many slots, and by this share of the limit."""
_STALE = 4
"""A climb was last seen at most this many bucket widths of its rung ago."""
_LATE = 4
"""Buckets of the first rung for trends that are the recent past: some eight minutes."""
_JUMPS = 2
_NEAR = 0.02
"""A peak that would come as near to the limit is expected to reach it."""


def forecast(usage: Usage, now: float) -> Usage:
    """Return *usage* with the forecasts for its own limit, as they are at *now*.

    What takes hours is looked at again when a coarse rung of the history shows something new.
    """
    if usage.touched > SLOW:
        leaks = leaking(usage, usage.limit, now)
    else:
        leaks = (one for one in usage.forecasts if one.pattern is Pattern.LEAK)
    ahead = _soonest_first(usage, leaks, usage.limit, now)
    return usage._replace(forecasts=ahead) if ahead or usage.forecasts else usage


def forecasts_for(usage: Usage, limit: int, now: float) -> tuple[Forecast, ...]:
    """Return the ways in which another *limit* will be reached, soonest first."""
    return _soonest_first(usage, leaking(usage, limit, now), limit, now)


def _soonest_first(
    usage: Usage, leaks: Iterable[Forecast], limit: int, now: float
) -> tuple[Forecast, ...]:
    ahead = [*_forecasts(usage, limit, now), *leaks]
    if len(ahead) > 1:
        ahead.sort(key=lambda forecast: forecast.seconds)
    return tuple(ahead)


def seconds_left(forecasts: tuple[Forecast, ...], limit: int, used: int) -> float:
    """Return the time until *limit* is reached by the *forecasts* for it; infinite if it is not."""
    if used >= limit:
        return 0.0
    return forecasts[0].seconds if forecasts else math.inf


def _forecasts(usage: Usage, limit: int, now: float) -> Iterator[Forecast]:
    used = usage.used
    peak = usage.cycles.expected(now)
    if peak is not None and peak.growth >= max(_LEAST_GROWTH, _LEAST_GROWTH_RATIO * limit):
        yield _range(peak, limit, now)
    if in_cycle(usage, limit, now):
        return
    yield from _climbs(usage, limit, now)
    if len(usage.jumps.done) + usage.jumps.moving < _JUMPS:
        return
    jump = usage.jumps.expected(now)
    if jump is not None and limit - used < jump.size:
        # It may come at any time; half the last gap is early for most. Overdue is not now.
        seconds = max(jump.gap / 4, jump.last + jump.gap / 2 - now)
        yield Forecast(Pattern.JUMPS, seconds, jump.since, now, jump.size, used, period=jump.gap)


def in_cycle(usage: Usage, limit: int, now: float) -> bool:
    """Say whether peaks as high as the present use come and go: such climbs come back."""
    peak = usage.cycles.expected(now)
    return peak is not None and usage.used <= peak.height + least_rise(limit) < limit


def leaking(usage: Usage, limit: int, now: float) -> Iterator[Forecast]:
    """Yield when the applications that leak take the rest, if all others stay as they are.

    So a leak shows that another service's decline hides in the sum.
    """
    if not usage.trends.leaks:
        return
    top = max([usage.used, *[bucket.high for bucket in usage.history.rungs[FIRST][-_LATE:]]])
    for leak in usage.trends.leaking(usage.totals):
        if not _goes_on(usage, leak, now):
            continue
        seconds_left = max(0.0, (limit - top) * leak.seconds / leak.change)
        if seconds_left <= _TRUST * leak.seconds:
            since = now - leak.seconds
            yield Forecast(
                Pattern.LEAK,
                seconds_left,
                since,
                now,
                leak.change,
                usage.used,
                application_name=leak.name,
            )


def _goes_on(usage: Usage, leak: ApplicationTrend, now: float) -> bool:
    """Say whether *leak* took, in the last quarter of its time, a third of what it should have."""
    then = usage.history.bucket_at(now - leak.seconds / 4)
    before = (0, 0) if then is None else then.spans.get(leak.name, (0, 0))
    return usage.totals[leak.name] - sum(before) / 2 >= leak.change / 12


def _climbs(usage: Usage, limit: int, now: float) -> Iterator[Forecast]:
    used = usage.used
    for number, climb in enumerate(usage.climbs):
        # What is known of a coarse rung may be old. Use that came down again has ended the climb,
        # and so has a gap, or a limit that should have been reached by now.
        if climb is None or used <= climb.top - climb.rise / 2:
            continue
        if now - climb.at > _STALE << number:
            continue
        seconds = climb.seconds_left(limit, now)
        if 0 < seconds <= _TRUST * climb.seconds or used >= limit:
            yield Forecast(Pattern.CLIMB, seconds, climb.since, now, climb.rise, used)


def _range(peak: Expected, limit: int, now: float) -> Forecast:
    rounds = max(1, math.ceil((limit * (1 - _NEAR) - peak.last.height) / peak.growth))
    seconds = max(0.0, peak.last.at + rounds * peak.period - now)
    return Forecast(
        Pattern.CYCLE,
        seconds,
        peak.last.began,
        peak.last.at,
        peak.growth,
        peak.last.height,
        next=rounds == 1,
        period=peak.period,
    )
