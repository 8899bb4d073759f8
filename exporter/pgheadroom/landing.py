"""What a person sees who opens the daemon's address: each target in one row, and where to go on."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from pgheadroom import __version__
from pgheadroom.reading import Condition
from pgheadroom.slots import Tier
from pgheadroom.state import State

_STYLE = """
:root { color-scheme: light dark; --bad: #b3261e; --good: #1b6e3c; --line: #8886; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --good: #7bd89b; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: var(--bad); font-weight: 600; }
.good { color: var(--good); }
small { opacity: .8; }
"""


def landing_page(states: tuple[State, ...], now: float) -> str:
    """Return the page about *states*, at *now* in seconds since the epoch.

    Every name in it is somebody else's text: all of it is escaped.
    """
    rows = "\n".join(_row(state, now) for state in states)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>pgheadroom</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>pgheadroom</h1>
<p>Watches PostgreSQL's connection slots and pages before they run out.</p>
<div class="wide">
<table>
<thead><tr><th scope="col">target</th><th scope="col">state</th>
<th scope="col" class="number">free</th><th scope="col" class="number">used</th>
<th scope="col" class="number">ordinary limit</th><th scope="col">biggest applications</th>
<th scope="col" class="number">sample</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<p><a href="/metrics">/metrics</a>: all of it, for Prometheus ·
<code>/probe?target=NAME</code>: one target ·
<a href="/-/healthy">/-/healthy</a> · <a href="/-/ready">/-/ready</a></p>
<p><small>pgheadroom {escape(__version__)}</small></p>
</body>
</html>
"""


def _row(state: State, now: float) -> str:
    name, link = escape(state.target), quote(state.target, safe="")
    condition = "waiting" if state.condition is None else str(state.condition)
    kind = "good" if state.condition is Condition.OK else "bad"
    detail = f"<br><small>{escape(state.detail)}</small>" if state.detail else ""
    free, used, limit, age = "-", "-", "-", "none yet"
    if state.sample is not None:
        slots = state.sample.slots
        free, used = str(state.free(Tier.ORDINARY)), str(slots.used)
        limit = str(slots.limits.of(Tier.ORDINARY))
        age = f"{max(0.0, now - state.sample.at):.0f} s ago"
    return (
        f'<tr><th scope="row"><a href="/probe?target={link}">{name}</a></th>'
        f'<td><span class="{kind}">{escape(condition)}</span>{detail}</td>'
        f'<td class="number">{free}</td><td class="number">{used}</td>'
        f'<td class="number">{limit}</td><td>{_biggest(state)}</td>'
        f'<td class="number">{age}</td></tr>'
    )


def _biggest(state: State, most: int = 3) -> str:
    totals: dict[str, int] = {}
    for (name, _), count in state.applications.counts.items():
        totals[name] = totals.get(name, 0) + count
    top = sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:most]
    return escape(", ".join(f"{name} {count}" for name, count in top)) or "-"
