"""Says what the values of metrics are called, and in which colour they are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dashboards.builder.parts import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    Json,
    Select,
    fixed,
    name,
    painted,
    steps,
    texts,
)

ORDINARY: Final = 'tier="ordinary"'
PER_MINUTE: Final = 60

FOREVER: Final = 1e9
"""Seconds that stand for +Inf, which is neither sorted nor shown well."""
UNSURE: Final = 2 * FOREVER
"""Seconds that stand for +Inf where that says only that there is no forecast yet."""
FEW: Final = 0.1
"""With this share left, or less, nobody should read that it does not fill up."""


def blamed(of: Select) -> str:
    """Return the verdicts that blame an application; *of* selects the targets."""
    return of("pgheadroom_application_verdict", 'verdict=~"climbing|storm"')


def at_this_rate(seconds: str, by: str, free: str, of: Select) -> str:
    """Return *seconds*; without a forecast until *free* is used up by whom a verdict blames."""
    growth = of("pgheadroom_application_growth")
    rate = f"max {by} ({growth} and ignoring (verdict) {blamed(of)} == 1)"
    return f"({seconds} < Inf or {free} / ({rate} > 0) or {seconds})"


def full_after(seconds: str, by: str, free: str, limit: str, of: Select) -> str:
    """Return the *seconds* of `at_this_rate`, or what stands for no forecast, *by* labels of all.

    Without a forecast a target does not fill up, unless an application is blamed, or few are left.
    """
    unsure = f"max {by} ({blamed(of)} == 1) or 1 + 0 * ({free} / {limit} <= {FEW})"
    return (
        f"{seconds} < Inf or {UNSURE:.0f} * ({unsure}) and {by.replace('by', 'on')} {seconds}"
        f" or clamp_max({seconds}, {FOREVER:.0f})"
    )


def forever(text: str, colour: str, place: int = 0, *, since: float = FOREVER) -> Json:
    """Return the mapping of *since* and more to a *text*."""
    result = {"text": text, "color": colour, "index": place}
    return {"type": "range", "options": {"from": since, "to": None, "result": result}}


DURATION: Final = "dtdurations"
"""Seconds, in words; without decimals one: "2 minutes"."""
NOT_FILLING: Final = [
    *texts(_0=("full", RED)),
    forever("no forecast", "text", 1, since=UNSURE),
    forever("not filling up", "text", 2),
]
"""What a forecast says that is no time. None of it is good news: it is neutral."""
NOTHING_AHEAD: Final[Json] = {
    "type": "special",
    "options": {
        "match": "null+nan",
        "result": {"text": "no forecast", "color": "text", "index": 0},
    },
}
"""What no forecast at all says."""
LEFT_OF: Final = steps(RED, (3600, ORANGE), (259200, "text"))
"""The time that is left, in seconds."""
GROWTH: Final = steps("text", (0.5, ORANGE))
"""Connections a minute."""
SHARE_OF: Final = steps(GREEN, (0.9, ORANGE), (1, RED))
"""The share that is in use."""
SHARE_BAR: Final = steps(BLUE, (0.9, ORANGE), (1, RED))
NONE_IS_BAD: Final = steps(RED, (1, "text"))
SOME_IS_BAD: Final = steps("text", (1, ORANGE))

_FAILED: Final = {
    "full": ("full", RED),
    "reserved_only": ("only the reserve is left", RED),
    "role_limit": ("role limit", RED),
    "database_limit": ("database limit", RED),
    "pooler_full": ("pooler full", RED),
    "starting": ("starting", ORANGE),
    "shutting_down": ("shutting down", ORANGE),
    "auth": ("login refused", ORANGE),
    "error": ("error", ORANGE),
    "timeout": ("timeout", ORANGE),
    "host_unknown": ("host unknown", ORANGE),
    "unreachable": ("unreachable", ORANGE),
}
STATES: Final = texts(ok=("readable", "text"), **_FAILED)
"""`ok` says that the target could be read, and nothing of how full it is."""
CONDITIONS: Final = {
    "critical": RED,
    "warning": "yellow",
    "recovering": ORANGE,
    "rising": BLUE,
    "steady": GREEN,
    "unknown": PURPLE,
}
"""Where several daemons watch a target, the first of these that one of them tells holds."""


def condition(by: str, of: Callable[[str], str]) -> str:
    """Return the number of the condition that holds; *of* selects that of a name."""
    return " or ".join(
        f"{number} * max {by} (({of(word)}) == 1)" for number, word in enumerate(CONDITIONS)
    )


STATE_LINES: Final = [
    name("ok", color=fixed(GREY), displayName="readable"),
    *painted(
        full=RED,
        reserved_only="dark-red",
        role_limit="#e78ac3",
        database_limit="#c15c9f",
        pooler_full="semi-dark-red",
        starting="light-blue",
        shutting_down="dark-blue",
        auth="yellow",
        error="#8f6b4a",
        timeout=PURPLE,
        host_unknown="light-purple",
        unreachable=ORANGE,
    ),
]
"""How readings end, where each outcome is a line."""
CONNECTION_LINES: Final = painted(
    **{
        "idle": BLUE,
        "active": GREEN,
        "idle in transaction": ORANGE,
        "idle in transaction (aborted)": "#e78ac3",
        "starting": PURPLE,
        "unknown": GREY,
        "fastpath function call": "dark-green",
        "disabled": "super-light-blue",
    }
)
READABLE: Final = texts(
    ok=("yes", "text"),
    **{state: (f"no: {words}", colour) for state, (words, colour) in _FAILED.items()},
)
"""How the newest reading ended, where the question is whether the figures are fresh."""
SEVERITIES: Final = texts(critical=("critical", RED), warning=("warning", ORANGE))
VERDICTS: Final = texts(
    stable=("stable", "text"),
    climbing=("climbing", RED),
    storm=("storm", RED),
    sawtooth=("sawtooth", BLUE),
    shrinking=("shrinking", BLUE),
)
