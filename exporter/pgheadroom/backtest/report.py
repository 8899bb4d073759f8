"""Writes a backtest as one HTML page: the verdict, curves, and every alert.

A single file without scripts that loads nothing: the page's policy forbids even trying to.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from pgheadroom.backtest.chart import COLOURS, Lane, colour, draw
from pgheadroom.backtest.curve import Picture, UsageSeries
from pgheadroom.backtest.replay import BacktestResult, Episode
from pgheadroom.backtest.text import facts, lead_words, title, verdict
from pgheadroom.durations import duration, moment

_CLOSE_UP_BELOW = 1 / 3  # of the whole span; else the whole says as much
_CLOSE_UP_LEAST_SECONDS = 120.0
_COLUMNS = 800  # two points each; more would only make the file large
_MOST_ROWS = 200
_NONE = "&ndash;"

_STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1d2530;--soft:#5d6877;--line:#e3e7ec;
--red:#c62f3b;--redsoft:#c62f3b1f;--amber:#c07a00;--green:#1d8a55;--limit:#1d2530;
--c0:#b4bcc8;--c1:#4c86d9;--c2:#3fb3a3;--c3:#8f7be0;--c4:#e39a3b;--c5:#d86f9b;--c6:#7aa95c;
--c7:#b98563;--c8:#5fa8d3}
@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2029;--ink:#e6eaf0;--soft:#98a4b3;
--line:#2b3440;--red:#ff6b70;--redsoft:#ff6b7030;--amber:#f0b04a;--green:#4cc38a;--limit:#e6eaf0;
--c0:#5b6675;--c1:#5a93e6;--c2:#3fae9f;--c3:#9585e6;--c4:#dc9a45;--c5:#d6749f;--c6:#7fae62;
--c7:#b58a6b;--c8:#66add6}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,
"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:1160px;margin:0 auto;padding:32px 20px 64px}
a{color:inherit;text-decoration-color:var(--soft);text-underline-offset:3px}
header p.kind{margin:0;color:var(--soft);letter-spacing:.02em}
h1{font-size:26px;line-height:1.3;margin:2px 0 24px;font-weight:650;text-wrap:balance}
h1.bad{color:var(--red)}h1.good{color:var(--green)}
section,.card{background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:20px 20px 22px;margin:0 0 20px}
h2{font-size:19px;margin:0 0 12px;overflow-wrap:anywhere}
h3{font-size:14px;margin:26px 0 6px;color:var(--soft);font-weight:600}
dl{display:flex;flex-wrap:wrap;gap:10px 40px;margin:0 0 18px}
dl div{min-width:120px}dt{color:var(--soft);font-size:12.5px}dd{margin:0}
svg{display:block;width:100%;height:auto;font:12px system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","DejaVu Sans",sans-serif}
.grid{stroke:var(--line);stroke-width:1;fill:none}
.tick,.lane{fill:var(--soft)}.lane{font-size:11.5px}
.area{stroke:var(--card);stroke-width:.4;stroke-linejoin:round}
.limit{fill:none;stroke:var(--limit)}
path.ordinary{stroke-width:1.8}path.most{stroke-width:1;stroke-dasharray:5 4;opacity:.7}
.halo{fill:var(--ink);paint-order:stroke;stroke:var(--card);stroke-width:4px;
stroke-linejoin:round;font-weight:600}
text.most{font-weight:400;fill:var(--soft)}
.full{fill:var(--red);opacity:.28}
.page{stroke:var(--red);stroke-width:1.6}
.span{stroke:var(--red);stroke-width:1.4;fill:none}
.call{fill:var(--red);font-weight:650}
.bar.critical{fill:var(--red)}.bar.warning{fill:var(--amber)}
ul.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;margin:10px 0 0;padding:0;
font-size:13px;color:var(--soft)}
ul.legend svg{display:inline-block;width:11px;height:11px;margin-right:6px}
table{border-collapse:collapse;width:100%;font-size:14px}
.scroll{overflow-x:auto}
th{text-align:left;color:var(--soft);font-weight:600;font-size:12.5px}
th,td{padding:8px 14px 8px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
td.when{white-space:nowrap;font-variant-numeric:tabular-nums}
td small{display:block;color:var(--soft);font-size:13px}
.tag{display:inline-block;border-radius:99px;padding:0 9px;font-size:12px;font-weight:600;
border:1px solid currentColor}
.tag.critical{color:var(--red)}.tag.warning{color:var(--amber)}.tag.quiet{color:var(--green)}
.note{color:var(--soft);border-left:3px solid var(--amber);padding-left:10px;margin:0 0 14px}
code,.name{overflow-wrap:anywhere}
footer{color:var(--soft);font-size:13px}
""" + "".join(f".c{n}{{fill:var(--c{n})}}" for n in range(COLOURS + 1))

_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, slots=True)
class Chapter:
    """One history: what it came to, and how it went."""

    account: BacktestResult
    curve: UsageSeries


def page(chapters: Sequence[Chapter], made_by: str) -> str:
    """Return the whole page; *made_by* is named at its foot."""
    accounts = [chapter.account for chapter in chapters]
    kind = "bad" if any(account.paged for account in accounts) else "good"
    body = [
        '<header><p class="kind">pgheadroom backtest</p>',
        f'<h1 class="{kind}">{escape(verdict(accounts))}</h1></header>',
    ]
    if len(chapters) > 1:
        body += _overview(accounts)
    for number, chapter in enumerate(chapters):
        body += _section(chapter, number)
    body.append(f"<footer>Times are UTC. Made by {escape(made_by)}.</footer>")
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>pgheadroom backtest</title><style>{_STYLE}</style></head>"
    )
    return f"{head}\n<body><main>\n" + "\n".join(body) + "\n</main></body></html>\n"


def _overview(accounts: Sequence[BacktestResult]) -> Iterator[str]:
    yield '<div class="card scroll"><table><tr><th>history</th><th>span</th><th>highest use</th>'
    yield "<th>pages</th><th>warnings</th><th>the first page</th></tr>"
    for number, account in enumerate(accounts):
        pages = [episode for episode in account.episodes if episode.pages]
        first = ""
        if pages:
            first = f"{moment(pages[0].start)}<small>{lead_words(account, pages[0])}</small>"
        span = duration(account.last - (account.first or account.last))
        yield (
            f'<tr><td class="name"><a href="#h{number}">{escape(account.name)}</a></td>'
            f"<td>{span}</td><td>{account.highest} of {account.highest_of}</td>"
            f"<td>{len(pages) or _NONE}</td><td>{len(account.episodes) - len(pages) or _NONE}</td>"
            f'<td class="when">{first}</td></tr>'
        )
    yield "</table></div>"


def _section(chapter: Chapter, number: int) -> Iterator[str]:
    account = chapter.account
    yield f'<section id="h{number}"><h2>{escape(account.name)}</h2><dl>'
    for name, value in facts(account):
        yield f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>"
    yield "</dl>"
    yield from (f'<p class="note">{escape(note)}</p>' for note in account.notes)
    if account.first is not None and account.samples:
        picture = chapter.curve.thinned(_COLUMNS, COLOURS, account.first, account.last)
        lanes = _lanes(account)
        ahead = _ahead(account)
        words = f"Connections of {account.name}"
        yield draw(picture, lanes, account.shortages, ahead, words)
        yield from _legend(picture)
        window = _close_up(account)
        if window is not None:
            yield "<h3>Around the page</h3>"
            near = chapter.curve.thinned(_COLUMNS, COLOURS, *window, like=picture)
            yield draw(near, lanes, account.shortages, ahead, "Around the page")
            yield from _legend(near)
    yield from _alerts(account)
    yield "</section>"


def _ahead(account: BacktestResult) -> tuple[float, float] | None:
    if account.warning is None:
        return None
    episode, lead = account.warning
    return episode.start, episode.start + lead


def _lanes(account: BacktestResult) -> list[Lane]:
    found: dict[object, list[Episode]] = {}
    for episode in account.episodes:
        found.setdefault(episode.alert.key, []).append(episode)
    return [
        Lane(f"{title(episodes[0])} ({severity})", severity, tuple(episodes))
        for episodes in found.values()
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


def _legend(picture: Picture) -> Iterator[str]:
    yield '<ul class="legend">'
    for index in reversed(range(len(picture.names))):
        peak = max((point.counts[index] for run in picture.runs for point in run), default=0)
        yield (
            '<li><svg viewBox="0 0 10 10"><rect width="10" height="10" rx="2"'
            f' class="{colour(index, picture)}"/></svg>{escape(picture.names[index])},'
            f" {peak} at most</li>"
        )
    yield "</ul>"


def _alerts(account: BacktestResult) -> Iterator[str]:
    if not account.episodes:
        yield '<p><span class="tag quiet">quiet</span> Nothing would have fired.</p>'
        return
    yield '<h3>What would have fired</h3><div class="scroll"><table>'
    yield "<tr><th>when</th><th></th><th>alert</th><th>application</th><th>for</th></tr>"
    for episode in account.episodes[:_MOST_ROWS]:
        alert = episode.alert
        end = account.last if episode.end is None else episode.end
        open_ = "" if episode.end is not None else "<small>still fires at the end</small>"
        yield (
            f'<tr><td class="when">{moment(episode.start)}</td>'
            f'<td><span class="tag {alert.severity}">{alert.severity}</span></td>'
            f"<td>{escape(title(episode))}<small>{escape(alert.description)}</small>"
            f"<small>{escape(lead_words(account, episode))}</small></td>"
            f'<td class="name">{escape(alert.application_name or "") or _NONE}</td>'
            f'<td class="when">{duration(end - episode.start)}{open_}</td></tr>'
        )
    yield "</table></div>"
    if len(account.episodes) > _MOST_ROWS:
        yield f"<p>and {len(account.episodes) - _MOST_ROWS:,} more</p>"
