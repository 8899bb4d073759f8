"""Writes a backtest as one HTML page: the verdict, curves, and every alert.

A single file without scripts that loads nothing: the page's policy forbids even trying to. The
template escapes whatever it is given; only the pictures, which `chart` escapes itself, are markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pgheadroom.backtest.chart import COLOURS, BareMarks, Lane, colour, draw
from pgheadroom.backtest.comparison import Comparison, Tally, compare, total
from pgheadroom.backtest.curve import Picture, UsageSeries
from pgheadroom.backtest.replay import BacktestResult, Episode
from pgheadroom.backtest.text import (
    bare_rule,
    bare_words,
    before_full,
    difference,
    facts,
    lead_words,
    nothing_words,
    percent,
    title,
    verdict,
    when,
)
from pgheadroom.durations import duration, moment

_CLOSE_UP_BELOW = 1 / 3  # of the whole span; else the whole says as much
_CLOSE_UP_LEAST_SECONDS = 120.0
_COLUMNS = 800  # two points each; more would only make the file large
_MOST_ROWS = 200

View = dict[str, object]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One history: what it came to, and how it went."""

    account: BacktestResult
    curve: UsageSeries


def page(chapters: Sequence[Chapter], made_by: str) -> str:
    """Return the whole page; *made_by* is named at its foot."""
    results = [chapter.account for chapter in chapters]
    comparisons = [compare(result) for result in results]
    style = _file("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_file("report.html")).render(
        # Quotes of the style are no quotes of an attribute; escaped, its hash would not fit.
        style=Markup(style),  # noqa: S704 - a file of ours
        policy=Markup(  # noqa: S704 - a digest
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        ),
        verdict=verdict(results),
        paged=any(result.paged for result in results),
        histories=[
            _history(chapter, comparison)
            for chapter, comparison in zip(chapters, comparisons, strict=True)
        ],
        total=_comparison(total(comparisons)),
        made_by=made_by,
    )


def _file(name: str) -> str:
    return (files("pgheadroom.backtest") / name).read_text(encoding="utf-8")


def _history(chapter: Chapter, comparison: Comparison) -> View:
    result = chapter.account
    pages = [episode for episode in result.episodes if episode.pages]
    return {
        "name": result.name,
        "span": duration(result.last - (result.first or result.last)),
        "highest": f"{result.highest} of {result.highest_of}",
        "pages": len(pages),
        "warnings": len(result.episodes) - len(pages),
        "first_page": moment(pages[0].start) if pages else "",
        "first_lead": lead_words(result, pages[0]) if pages else "",
        "facts": [*facts(result)],
        "notes": result.notes,
        "pictures": [*_pictures(chapter)],
        "comparison": _comparison(comparison),
        "alerts": [_alert(result, episode) for episode in result.episodes[:_MOST_ROWS]],
        "more": f"{more:,}" if (more := max(0, len(result.episodes) - _MOST_ROWS)) else "",
    }


def _comparison(comparison: Comparison) -> View:
    full = len(comparison.periods)
    return {
        "rule": bare_rule(comparison.ratio),
        "short": f"a bare {percent(comparison.ratio)} rule",
        "tallies": [
            _tally("pgheadroom", comparison.ours, full),
            _tally(f"a bare {percent(comparison.ratio)} rule", comparison.bare, full),
        ],
        "others": comparison.others,
        "periods": [
            {
                "start": moment(one.period.start),
                "ours": when(one.ours),
                "bare": when(one.bare),
                "difference": difference(one),
            }
            for one in comparison.periods[:_MOST_ROWS]
        ],
        "more": f"{max(0, full - _MOST_ROWS):,}" if full > _MOST_ROWS else "",
    }


def _tally(name: str, tally: Tally, full: int) -> View:
    return {
        "name": name,
        "pages": f"{tally.pages:,}" if tally.pages else "",
        "for_nothing": nothing_words(tally) if tally.pages else "",
        "early": before_full(tally, full) if full else "",
    }


def _alert(result: BacktestResult, episode: Episode) -> View:
    alert = episode.alert
    end = result.last if episode.end is None else episode.end
    return {
        "start": moment(episode.start),
        "severity": str(alert.severity),
        "title": title(episode),
        "description": alert.description,
        "lead": lead_words(result, episode),
        "bare": bare_words(result, episode),
        "application_name": alert.application_name,
        "duration": duration(end - episode.start),
        "open": episode.end is None,
    }


def _pictures(chapter: Chapter) -> Iterator[View]:
    """Yield the curve of the whole history, and one of the time around the first page."""
    result = chapter.account
    if result.first is None or not result.samples:
        return
    whole = chapter.curve.thinned(_COLUMNS, COLOURS, result.first, result.last)
    yield _picture("", whole, result, f"Connections of {result.name}")
    window = _close_up(result)
    if window is not None:
        near = chapter.curve.thinned(_COLUMNS, COLOURS, *window, like=whole)
        yield _picture("Around the page", near, result, "Around the page")


def _picture(heading: str, picture: Picture, result: BacktestResult, words: str) -> View:
    bare = BareMarks(result.ratio, result.bare_pages)
    svg = draw(picture, _lanes(result), result.shortages, _ahead(result), words, bare)
    return {
        "title": heading,
        "svg": Markup(svg),  # noqa: S704 - chart escapes names
        "legend": [*_legend(picture)],
    }


def _legend(picture: Picture) -> Iterator[View]:
    for index in reversed(range(len(picture.names))):
        peak = max((point.counts[index] for run in picture.runs for point in run), default=0)
        yield {"colour": colour(index, picture), "name": picture.names[index], "peak": peak}


def _ahead(account: BacktestResult) -> tuple[float, float] | None:
    if account.warning is None:
        return None
    episode, lead = account.warning
    return episode.start, episode.start + lead


def _lanes(account: BacktestResult) -> list[Lane]:
    episodes_of: dict[object, list[Episode]] = {}
    for episode in account.episodes:
        episodes_of.setdefault(episode.alert.key, []).append(episode)
    return [
        Lane(f"{title(episodes[0])} ({severity})", severity, tuple(episodes))
        for episodes in episodes_of.values()
        for severity in (str(episodes[0].alert.severity),)
    ]


def _close_up(account: BacktestResult) -> tuple[float, float] | None:
    """Return the time around a page that deserves a picture of its own: the first in time."""
    first = next((episode for episode in account.episodes if episode.pages), None)
    first = account.warning[0] if account.warning else first
    if first is None or account.first is None:
        return None
    lead = account.lead_seconds(first)
    ahead = lead if lead is not None else min((first.end or account.last) - first.start, 3600.0)
    ahead = max(ahead, _CLOSE_UP_LEAST_SECONDS)
    start = max(account.first, first.start - 1.5 * ahead)
    end = min(account.last, first.start + 1.5 * ahead)
    return (start, end) if end - start < _CLOSE_UP_BELOW * (account.last - account.first) else None
