"""Composes the screen of `top`: one target, on a terminal of a given size.

Pure: state, time and size in, lines out. Clients choose names, so a name becomes a rich `Text`,
in which markup has no effect, and unprintable characters are escaped.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group
from rich.text import Text

from pgheadroom.durations import duration, moment
from pgheadroom.judge.rules.overcommit import overcommitted_slots
from pgheadroom.model.alert import Alert, Severity
from pgheadroom.model.applications import unattributed
from pgheadroom.model.blockers import CLIENT
from pgheadroom.model.pooler import PoolerFacts, busiest_first
from pgheadroom.model.reading import Outcome
from pgheadroom.state import State
from pgheadroom.status.advice import by_urgency, outdated, to_do
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.figures import learning
from pgheadroom.status.standing import resolving
from pgheadroom.status.titles import superseded_by
from pgheadroom.terminal import bars
from pgheadroom.terminal.applications import Order, table
from pgheadroom.terminal.headline import LOOKS, headline, tiers, title
from pgheadroom.terminal.lines import cut, fitted, wrapped
from pgheadroom.text import escaped

_CURVE_SECONDS = 300.0
_STALE_SECONDS = 5.0
_TENTHS_BELOW_SECONDS = 0.01
_MOST_CURVE_ROWS = 16
_LEAST_ROWS = 4
"""Rows that the table of applications keeps, including its head, if it has that many."""
_LOOKS = {"critical": "bold red", "warning": "yellow", "ok": "green"}
_TO_DO = "▶ "
_AT_THE_FOOT = ("through", "locks", "limits", "history", "foot")
_APART = ("gauge", "curve", "alerts")
"""Sections that are followed by an empty line if there is room."""


@dataclass(frozen=True, slots=True)
class Look:
    """Size of the screen, and what the user chose."""

    width: int = 80
    height: int = 24
    order: Order = Order.CONNECTIONS
    paused: bool = False


def screen(state: State, now: float, look: Look) -> Group:
    """Return *state* at *now*, in seconds since the epoch, as lines that fit *look*."""
    rows = table(state, look.width, look.order)
    sections = {
        "title": [title(state, now, look.width)],
        "headline": headline(state, now, look.width),
        "tiers": tiers(state),
        "gauge": _gauge(state, look),
        "curve": _curve(state, now, look.width, max(2, min(8, look.height // 8))),
        "trouble": _trouble(state, now, look),
        "alerts": _alerts(state, now, look),
        "through": _through(state),
        "locks": _locks(state, now),
        "limits": _limits(state),
        "history": _history(state, look),
        "foot": [_foot(state, now, look)],
    }
    least_rows = min(len(rows), _LEAST_ROWS)
    # Sections are dropped in this order until the table has room.
    for name in (
        "history",
        "through",
        "limits",
        "locks",
        "curve",
        "tiers",
        "alerts",
        "gauge",
        "foot",
        "trouble",
    ):
        if look.height - sum(map(len, sections.values())) >= least_rows:
            break
        sections[name] = sections[name][:2] if name == "alerts" else []
    foot = [line for name in _AT_THE_FOOT for line in sections.pop(name)]
    room = look.height - sum(map(len, sections.values())) - len(foot)
    rows = cut(rows, room)
    spare = max(0, room - len(rows))
    apart = [name for name in _APART if sections[name]]
    more = min(spare - len(apart), _MOST_CURVE_ROWS - len(sections["curve"]))
    if sections["curve"] and more > 0:
        sections["curve"] = _curve(state, now, look.width, len(sections["curve"]) + more)
        spare -= more
    if spare >= len(apart):
        spare -= len(apart)
        for name in apart:
            sections[name].append(Text())
    above = [line for section in sections.values() for line in section]
    lines = [*above, *rows, *[Text()] * spare, *foot][: look.height]
    return Group(*(fitted(line, look.width) for line in lines))


def _gauge(state: State, look: Look) -> list[Text]:
    if state.sample is None:
        return []
    main, free = state.sample.main, state.free or 0
    limit, style = main.limit or 0, LOOKS[condition(state)]
    legend = Text.assemble((bars.USED, style), f" used {main.used - main.logins}  ")
    if main.logins:
        legend.append_text(
            Text.assemble((bars.HIDDEN, style), f" logins in progress {main.logins}  ")
        )
    legend.append_text(Text.assemble((bars.FREE, "green"), f" free {free}  "))
    if main.reserve:
        legend.append_text(Text.assemble((bars.RESERVE, "dim"), f" reserve {main.reserve}"))
        if main.used > limit:
            legend.append(f", {main.used - limit} of it in use", "bold red")
    legend.append(f"  of {limit + main.reserve}")
    return [bars.bar(main, free, look.width, style), legend]


def _curve(state: State, now: float, width: int, rows: int) -> list[Text]:
    """Return usage of the last minutes as a curve of *rows* lines, with labels at the left."""
    if state.sample is None:
        return []
    limit = state.usage.limit
    label = max(5, len(str(limit)) + 1)
    size = max(10, width - label - 1), rows
    labels = [str(limit), *[""] * (rows - 2), "0"]
    if rows > 2:  # noqa: PLR2004 - one at the top, one at the foot
        labels[rows // 2] = "5 min"
    drawn = bars.curve(state.usage.history, now, _CURVE_SECONDS, limit, size)
    style = LOOKS[condition(state)]
    return [
        Text.assemble((words.rjust(label) + " ", "dim"), (row, style))
        for words, row in zip(labels, drawn, strict=True)
    ]


def _trouble(state: State, now: float, look: Look) -> list[Text]:
    """Return why there is no new sample, and how old the figures are; else what is estimated."""
    if state.outcome in (None, Outcome.OK) and not _stale(state, now):
        return _estimates(state)
    words = escaped(f"{state.outcome}: {state.detail}") if state.detail else str(state.outcome)
    if state.outcome is Outcome.OK:
        words = "no new sample"
    if state.sample is not None:
        age = duration(round(max(0.0, now - state.sample.at)))
        words += f"; figures are of {moment(state.sample.at)[-8:]}, {age} ago"
    return wrapped(words, look.width, 2, "bold magenta")


def _estimates(state: State) -> list[Text]:
    if state.sample is None or state.sample.holders.complete:
        return []
    role = escaped(state.sample.postgres.server.role)
    what = "states are unknown" if state.sample.exact else "these are estimates"
    return [Text(f"{what}: GRANT pg_monitor TO {role};", "yellow")]


def _stale(state: State, now: float) -> bool:
    return state.sample is not None and now - state.sample.at > _STALE_SECONDS


def _alerts(state: State, now: float, look: Look) -> list[Text]:
    """Return what to do first and the alerts that fire, the most urgent with its description."""
    alerts = [one for one in by_urgency(state) if superseded_by(state, one) is None]
    lines = wrapped(f"{_TO_DO}{to_do(state)}", look.width, 3)
    lines[0].stylize("bold", 0, len(_TO_DO))
    most = max(1, look.height // 8)
    for number, alert in enumerate(alerts[:most]):
        lines.append(_alert(state, alert, now))
        if number == 0 or look.height > 2 * _LEAST_ROWS * len(alerts) + 24:
            lines += wrapped(_description(state, alert), look.width, 2, "")
    if len(alerts) > most:
        lines.append(Text(f"and {len(alerts) - most} more alerts"))
    return lines


def _description(state: State, alert: Alert) -> str:
    if alert.told_at is None or not outdated(state, alert):
        return alert.description
    return f"At {moment(alert.told_at)[-8:]}: {alert.description}"


def _alert(state: State, alert: Alert, now: float) -> Text:
    page, look = "PAGE  " if alert.severity is Severity.CRITICAL else "warn  ", str(alert.severity)
    gone = resolving(state, alert) or condition(state) is Condition.RECOVERING
    if gone:
        page, look = "over  ", "ok"
    line = Text.assemble((page, _LOOKS[look]), (str(alert.name), "bold"))
    if alert.about:
        about = ", ".join(f"{name} {escaped(value)}" for name, value in alert.about)
        line.append(f" ({about})")
    since = alert.since
    if gone and alert.told_at is not None:
        since = alert.told_at
    line.append(f"  for {duration(round(max(0.0, now - since)))}", "dim")
    return line


def _locks(state: State, now: float) -> list[Text]:
    """Return a line about who blocks most sessions that wait for a lock."""
    found = state.blockers
    if found is None:
        return []
    root = found.roots[0]
    who = root.application_name if root.kind == CLIENT else root.kind
    words = f"{who} (pid {root.pid}) is {root.state}"
    if root.transaction_seconds is not None:
        words += f" for {duration(round(root.transaction_seconds))}"
    least = "at least " if found.looked_at < found.waiting else ""
    words += f" and blocks {least}{root.blocks} of {found.waiting} that wait"
    age = max(0.0, now - found.at)
    if age > _STALE_SECONDS:
        words += f", {duration(round(age))} ago"
    return [Text.assemble(("locks   ", "bold"), (escaped(words), "yellow"))]


def _limits(state: State) -> list[Text]:
    """Return a line of role and database limits in use, the fullest first."""
    if state.sample is None:
        return []
    if isinstance(state.sample.facts, PoolerFacts):
        return _pools(state.sample.facts)
    uses = sorted(state.sample.others, key=lambda use: -use.used / max(1, use.limit or 1))
    thresholds = state.thresholds
    line = Text("limits  ", "bold")
    for use in uses:
        ratio = use.used / max(1, use.limit or 1)
        style = ""
        if ratio >= thresholds.limit_warning_ratio:
            style = "yellow" if ratio < thresholds.limit_critical_ratio else "bold red"
        line.append(f"{use.scope.kind} {escaped(use.name)} {use.used} of {use.limit}   ", style)
    return [line] if uses else []


def _history(state: State, look: Look) -> list[Text]:
    """Return how much history there is, while that is less than a week."""
    words = learning(state)
    return wrapped(words, look.width, 1, "dim") if words else []


def _through(state: State) -> list[Text]:
    """Return a line of the poolers that hold a server's slots, and whether their pools fit."""
    if state.pooling is None or not state.pooling.uses:
        return []
    line = Text("through ", "bold")
    for use in state.pooling.uses:
        held = "?" if use.pooled is None else str(use.pooled)
        most = "any number" if use.committed is None else str(use.committed)
        line.append(escaped(f"{use.pooler} {held} of {most}   "))
    direct = state.pooling.direct
    line.append(f"no pooler {'?' if direct is None else direct}   ")
    over = overcommitted_slots(state)
    if over is None:
        line.append("nothing bounds the pools", "yellow")
    elif over:
        line.append(f"over-committed by {over}", "yellow")
    return [line]


def _pools(facts: PoolerFacts) -> list[Text]:
    """Return a line of pools: those that clients wait for first, then the largest."""
    line = Text("pools  ", "bold")
    paused = {one.name for one in facts.databases if facts.paused or one.paused or one.disabled}
    for pool in busiest_first(facts.pools):
        size = "unlimited" if pool.size is None else str(pool.size + pool.reserve)
        line.append(escaped(f"{pool.database}/{pool.role} {pool.server_connections} of {size}"))
        if pool.database in paused:
            line.append(" PAUSED", "bold red")
        if pool.waiting:
            wait = duration(pool.wait_seconds)
            line.append(f", {pool.waiting} wait, the oldest for {wait}", "bold red")
        line.append("   ")
    return [line] if facts.pools else []


def _foot(state: State, now: float, look: Look) -> Text:
    parts = []
    knock = state.knocks.newest
    if knock is not None:
        good = knock.outcome is Outcome.OK
        parts.append(f"knock {'ok' if good else knock.outcome} ({_milliseconds(knock.seconds)})")
    if state.sample is not None:
        age = duration(max(0.0, now - state.sample.at))
        parts.append(f"sample {age} old ({_milliseconds(state.sample.duration_seconds)})")
        known = max(0.0, now - state.sample.holders.at)
        if known > _STALE_SECONDS:
            parts.append(f"applications {duration(round(known))} old")
        unknown = unattributed(state.sample, state.applications)
        if unknown:
            parts.append(f"{unknown} not told apart yet")
    keys = f"q quit  p {'PAUSED' if look.paused else 'pause'}  s by {look.order}"
    room = max(0, look.width - len(keys) - 1)
    return Text(f"{', '.join(parts):{room}.{room}} {keys}", "dim")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.{1 if seconds < _TENTHS_BELOW_SECONDS else 0}f} ms"
