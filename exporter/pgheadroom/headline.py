"""How many slots are left, for whom, until when, and who takes them: the first lines of the screen.

What a person reads who has one second.
"""

from __future__ import annotations

import math

from rich.text import Text

from pgheadroom.behaviour import exhaustion_seconds
from pgheadroom.durations import duration, moment
from pgheadroom.foresight import to_blame
from pgheadroom.lines import visible
from pgheadroom.reading import Condition
from pgheadroom.shortage import NO_SLOT
from pgheadroom.slots import Tier
from pgheadroom.state import State
from pgheadroom.view import severity
from pgheadroom.wording import biggest

_LOUD = {"critical": "bold white on red", "warning": "bold black on yellow"}


def title(state: State, now: float, width: int) -> Text:
    """Return which target it is, how it stands, and what time it is."""
    line = Text.assemble((visible(state.target), "bold"))
    if state.sample is not None:
        server = state.sample.server
        line.append(f"  PostgreSQL {visible(server.version_text)}")
        line.append(" standby" if server.in_recovery else "")
        line.append(" through a pooler" if server.pooled else "")
    condition = "waiting" if state.condition is None else str(state.condition)
    line.append("  ")
    line.append(condition, "green" if state.condition is Condition.OK else "bold magenta")
    if state.since is not None:
        line.append(f" for {duration(round(max(0.0, now - state.since)))}")
    clock = f"{moment(now)[-8:]} UTC"
    line.append(clock.rjust(max(len(clock) + 2, width - line.cell_len)))
    return line


def headline(state: State, now: float, width: int) -> list[Text]:
    """Say how many slots are left, until when, and who takes them."""
    style = _LOUD.get(severity(state), "reverse")
    if state.sample is None:
        waiting = "waiting for the first reading" if state.condition is None else "no sample yet"
        return [Text(f" {waiting} ".ljust(width), style)]
    free, limit = state.free(Tier.ORDINARY), state.sample.slots.limits.of(Tier.ORDINARY)
    first = f" {free} of {limit} ordinary slots are free"
    if not free:
        first = f" FULL: no slot of {limit} is free for applications"
    if state.condition not in (Condition.OK, *NO_SLOT):
        first = f" Last known: {free} of {limit} ordinary slots free"
    lines = f"{first}; {_until_when(state, now)} ", f" {_who(state, now)} "
    if sum(map(len, lines)) <= width:
        lines = ("".join(lines), "")
    return [Text(line.ljust(width), style) for line in lines if line]


def _until_when(state: State, now: float) -> str:
    if state.condition is not Condition.OK:
        return "none to be had" if state.condition in NO_SLOT else "nobody knows what is left"
    seconds = exhaustion_seconds(state)[Tier.ORDINARY]
    if seconds == 0:
        return "applications are refused"
    if math.isinf(seconds):
        return "no end in sight"
    return f"the last goes in {duration(seconds)}, at {moment(now + seconds)[-8:-3]}"


def _who(state: State, now: float) -> str:
    """Say who takes slots: who grew most over what is foreseen, else who holds most."""
    who = to_blame(state, state.outlook[0]) if state.outlook else None
    if who is not None:
        since = duration(round(max(1.0, now - state.outlook[0].since)))
        name = visible(who.application_name)
        return f"{name} took {round(who.took)} in the last {since} and holds {who.holds}"
    holder = biggest(state.applications.tracked)
    if holder is None:
        return "nobody holds any"
    return f"{visible(holder)} holds most: {state.applications.tracked[holder]}"


def tiers(state: State) -> list[Text]:
    """Say for whom slots are left."""
    if state.sample is None:
        return []
    free = {tier: str(state.free(tier)) for tier in Tier}
    line = Text.assemble("free for applications ", (free[Tier.ORDINARY], "bold"))
    if state.sample.slots.limits.reserved:
        line.append(", pg_use_reserved_connections ")
        line.append(free[Tier.RESERVED], "bold")
    line.append(", superusers ")
    line.append(free[Tier.SUPERUSER], "bold")
    return [line]
