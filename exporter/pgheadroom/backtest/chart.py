"""Draws a history as SVG: connections by application, the limit, and what fired when.

Makes one SVG element as text. It has classes and no styles or scripts of its own: the page that
holds it (``backtest_html``) says how they look, in light and in dark.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from math import inf
from typing import TypeVar

from pgheadroom.backtest.curve import Picture, Point
from pgheadroom.backtest.replay import Episode, FullPeriod
from pgheadroom.backtest.threshold import BarePage
from pgheadroom.durations import duration, moment

WIDTH = 1080
COLOURS = 8
"""How many applications can be told apart by colour; class ``c0`` is for the rest."""

_LEFT, _RIGHT, _TOP, _PLOT, _AXIS = 44, 12, 34, 300, 40
_LANE = 30
_HEADROOM = 1.1  # the scale ends so far above max_connections
_MOST_TICKS = 9
_LABEL_FITS = 64  # pixels
_MOST_MARKS = 60
_DOT = 8  # pixels wide

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_TIME_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 28, 91, 364)),
)

LevelT = TypeVar("LevelT", int, float)


@dataclass(frozen=True, slots=True)
class Lane:
    """The episodes of one alert, a row below the plot."""

    title: str
    severity: str
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True)
class BareMarks:
    """A bare threshold, and when it would have paged."""

    ratio: float
    """As a share of ``max_connections``."""
    pages: Sequence[BarePage]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a time and a number of slots lie in the picture."""

    start: float
    end: float
    top: float

    def x(self, at: float) -> float:
        share = (min(max(at, self.start), self.end) - self.start) / ((self.end - self.start) or 1)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, slots: float) -> float:
        return round(_TOP + _PLOT * (1 - slots / self.top), 1)


def draw(
    picture: Picture,
    lanes: Sequence[Lane],
    shortages: Sequence[FullPeriod],
    warning: tuple[float, float] | None,
    title: str,
    bare: BareMarks,
) -> str:
    """Return *picture* as an SVG element, with *lanes* of alerts and the *shortages* marked.

    A *warning* is from when to when a page was ahead of the shortage that it was about. The *bare*
    threshold is a line, with a dot at each of its pages.
    """
    points = [point for run in picture.runs for point in run]
    highest = max((max(point.most, point.used) for point in points), default=1)
    scale = _Scale(picture.start, picture.end, max(1, highest) * _HEADROOM)
    lanes = [lane for lane in lanes if any(_within(e.start, e.end, scale) for e in lane.episodes)]
    shortages = [s for s in shortages if _within(s.start, s.end, scale)]
    height = _TOP + _PLOT + _AXIS + _LANE * len(lanes)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        *_grid(scale),
        *_areas(picture, scale),
        *_limits(picture, scale),
        *_shortages(shortages, scale),
        *_pages(lanes, scale),
        *_bare(picture, bare, scale),
        *_warning_time(lanes, warning, scale),
    ]
    for number, lane in enumerate(lanes):
        parts += _lane(lane, _TOP + _PLOT + _AXIS + _LANE * number, scale)
    return "\n".join([*parts, "</svg>"])


def colour(index: int, picture: Picture) -> str:
    """Return the class of the application at *index* of the picture's names."""
    return f"c{index if picture.summed else index + 1}"


def _within(start: float, end: float | None, scale: _Scale) -> bool:
    return start <= scale.end and (end is None or end >= scale.start)


def _grid(scale: _Scale) -> Iterator[str]:
    bottom = _TOP + _PLOT
    step = next(n for n in _round_numbers() if scale.top / n <= _MOST_TICKS)
    for number in range(0, int(scale.top) + 1, step):
        y = scale.y(number)
        yield f'<path class="grid" d="M{_LEFT} {y}H{WIDTH - _RIGHT}"/>'
        yield f'<text class="tick" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{number}</text>'
    span = scale.end - scale.start
    tick = next((n for n in _TIME_STEPS if span / n <= _MOST_TICKS), _TIME_STEPS[-1])
    at, dated = scale.start - scale.start % tick + tick, ""
    while at < scale.end:
        x, when = scale.x(at), datetime.fromtimestamp(at, UTC)
        clock = f"{when:%H:%M:%S}" if tick < _MINUTE else f"{when:%H:%M}"
        day = f"{when:%-d %b}"
        yield f'<path class="grid" d="M{x} {bottom}v5"/>'
        first = day if tick >= _DAY else clock
        yield f'<text class="tick" x="{x}" y="{bottom + 18}" text-anchor="middle">{first}</text>'
        if tick < _DAY and day != dated:
            yield f'<text class="tick" x="{x}" y="{bottom + 31}" text-anchor="middle">{day}</text>'
        dated = day
        at += tick


def _round_numbers() -> Iterator[int]:
    size = 1
    while True:
        yield from (size, 2 * size, 5 * size)
        size *= 10


def _areas(picture: Picture, scale: _Scale) -> Iterator[str]:
    """Draw each application's connections on top of those before it."""
    for index, name in enumerate(picture.names):
        paths = []
        for run in picture.runs:
            lower = _edge(run, index, scale)
            upper = _edge(run, index + 1, scale)
            if lower != upper:
                paths.append("M" + "L".join([*upper, *reversed(lower)]) + "Z")
        yield f'<path class="area {colour(index, picture)}" d="{"".join(paths)}">'
        yield f"<title>{escape(name)}</title></path>"


def _edge(run: Sequence[Point], applications: int, scale: _Scale) -> list[str]:
    """Return the corners of the sum of the first *applications* of them."""
    corners = [(scale.x(point.at), scale.y(sum(point.counts[:applications]))) for point in run]
    if len(corners) == 1:  # a sample all alone is as wide as a line
        corners.append((corners[0][0] + 1, corners[0][1]))
    return [f"{x:g} {y:g}" for x, y in corners]


def _limits(picture: Picture, scale: _Scale) -> Iterator[str]:
    kinds: tuple[tuple[str, str, Callable[[Point], int], int], ...] = (
        ("most", "max_connections", lambda point: point.most, -6),
        ("ordinary", "slots for applications", lambda point: point.ordinary, 14),
    )
    for kind, words, value, offset in kinds:
        for path, first in _level(picture, value, scale):
            yield f'<path class="limit {kind}" d="{path}"/>'
            yield (
                f'<text class="halo {kind}" x="{_LEFT + 6}" y="{scale.y(first) + offset}">'
                f"{first} {words}</text>"
            )


def _level(
    picture: Picture, value: Callable[[Point], LevelT], scale: _Scale
) -> Iterator[tuple[str, LevelT]]:
    """Yield the line at *value* across the picture and its first value; nothing without points."""
    points = [point for run in picture.runs for point in run]
    if not points:
        return
    first = last = value(points[0])
    path = f"M{scale.x(scale.start):g} {scale.y(first):g}"
    for point in points:
        if value(point) != last:
            last = value(point)
            path += f"H{scale.x(point.at):g}V{scale.y(last):g}"
    yield f"{path}H{WIDTH - _RIGHT}", first


def _bare(picture: Picture, bare: BareMarks, scale: _Scale) -> Iterator[str]:
    """Draw the bare threshold, and a dot at each of its pages that has room for one."""
    levels = [point.most * bare.ratio for run in picture.runs for point in run]
    times = [point.at for run in picture.runs for point in run]
    for path, _ in _level(picture, lambda point: point.most * bare.ratio, scale):
        yield f'<path class="limit bare" d="{path}"/>'
    drawn = -inf
    for page in bare.pages:
        x = scale.x(page.start)
        if not scale.start <= page.start <= scale.end or x - drawn < _DOT:
            continue
        drawn = x
        level = levels[max(0, bisect_right(times, page.start) - 1)]
        words = escape(f"{moment(page.start)}: the bare rule pages")
        yield f'<circle class="bare" cx="{x}" cy="{scale.y(level)}" r="{_DOT / 2:g}">'
        yield f"<title>{words}</title></circle>"


def _shortages(shortages: Sequence[FullPeriod], scale: _Scale) -> Iterator[str]:
    for shortage in shortages[:_MOST_MARKS]:
        x, end = scale.x(shortage.start), scale.x(shortage.end)
        words = escape(f"no ordinary slot free from {moment(shortage.start)}")
        yield (
            f'<rect class="full" x="{x}" y="{_TOP}" width="{max(2, end - x):.1f}"'
            f' height="{_PLOT}"><title>{words}</title></rect>'
        )


def _pages(lanes: Sequence[Lane], scale: _Scale) -> Iterator[str]:
    """Draw a line through the plot at which a page would have fired."""
    pages = [e for lane in lanes for e in lane.episodes if e.pages]
    for episode in [e for e in pages if e.start >= scale.start][:_MOST_MARKS]:
        yield f'<path class="page" d="M{scale.x(episode.start)} {_TOP - 4}v{_PLOT + 4}"/>'


def _warning_time(
    lanes: Sequence[Lane], warning: tuple[float, float] | None, scale: _Scale
) -> Iterator[str]:
    """Draw how long the page came before the end, if there is room for it."""
    starts = [e.start for lane in lanes for e in lane.episodes if e.pages]
    if not starts:
        return
    page, end = warning or (min(starts), 0.0)
    if page < scale.start:
        return
    x, y = scale.x(page), _TOP - 12
    if scale.x(end) - x < _LABEL_FITS:
        anchor = "end" if x > WIDTH / 2 else "start"
        yield f'<text class="call" x="{x}" y="{y}" text-anchor="{anchor}">page</text>'
        return
    right = scale.x(end)
    words = duration(end - page)
    if right - x > 3 * _LABEL_FITS:
        words = f"paged {words} before the last slot went"
    yield f'<path class="span" d="M{x} {y + 6}H{right}M{x} {y + 2}v8M{right} {y + 2}v8"/>'
    middle = round((x + right) / 2, 1)
    yield f'<text class="call" x="{middle}" y="{y - 2}" text-anchor="middle">{words}</text>'


def _lane(lane: Lane, top: int, scale: _Scale) -> Iterator[str]:
    yield f'<text class="lane" x="{_LEFT}" y="{top + 14}">{escape(lane.title)}</text>'
    yield f'<path class="grid" d="M{_LEFT} {top + 22.5}H{WIDTH - _RIGHT}"/>'
    # More bars than there are pixels would only make the file large.
    drawn = -1.0
    for episode in lane.episodes:
        if not _within(episode.start, episode.end, scale):
            continue
        x = scale.x(episode.start)
        end = scale.x(scale.end if episode.end is None else episode.end)
        width = max(3.0, end - x)
        if x + width <= drawn:
            continue
        drawn = x + width
        words = escape(f"{moment(episode.start)}: {episode.alert.description}")
        yield (
            f'<rect class="bar {lane.severity}" x="{x}" y="{top + 19}" width="{width:.1f}"'
            f' height="7" rx="3"><title>{words}</title></rect>'
        )
