"""Writes the headline of `top`: slots left, until when, and which application takes them."""

from __future__ import annotations

from rich.text import Text

from pgheadroom.durations import duration, moment
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.model.reading import Outcome, Sample
from pgheadroom.model.slots import Tier
from pgheadroom.state import State
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.figures import free_for
from pgheadroom.status.standing import Standing, standing
from pgheadroom.status.status import Status, status
from pgheadroom.text import escaped

_LOUD = {
    Condition.CRITICAL: "bold white on red",
    Condition.WARNING: "bold black on yellow",
    Condition.RECOVERING: "bold black on yellow",
    Condition.RISING: "bold white on blue",
}
LOOKS = {
    Condition.STEADY: "green",
    Condition.RISING: "bold blue",
    Condition.WARNING: "yellow",
    Condition.CRITICAL: "bold red",
    Condition.RECOVERING: "yellow",
    Condition.UNKNOWN: "bold magenta",
}
"""How each condition looks."""


def title(state: State, now: float, width: int) -> Text:
    """Return the title line: target, server, state, and time, in *width* cells."""
    line = Text.assemble((escaped(state.target), "bold"))
    if state.sample is not None:
        line.append(f"  {_software(state.sample)}")
    is_now = condition(state)
    line.append("  ")
    line.append(str(is_now), LOOKS[is_now])
    if state.outcome is not Outcome.OK and state.since is not None:
        line.append(f"  {state.outcome} for {duration(round(max(0.0, now - state.since)))}")
    clock = f"{moment(now)[-8:]} UTC"
    line.append(clock.rjust(max(len(clock) + 2, width - line.cell_len)))
    return line


def _software(sample: Sample) -> str:
    if isinstance(sample.facts, PoolerFacts):
        return escaped(f"{sample.facts.software} {sample.facts.version}")
    server = sample.facts.server
    words = f"PostgreSQL {escaped(server.version_text)}"
    words += " standby" if server.in_recovery else ""
    return words + (" through a pooler" if server.pooled else "")


def headline(state: State, now: float, width: int) -> list[Text]:
    """Return lines that say how many slots are left, until when, and who takes them."""
    stands = standing(state)
    style = _LOUD.get(condition(state), "reverse")
    if state.sample is None:
        waiting = "waiting for the first reading" if state.outcome is None else "no sample yet"
        if stands is Standing.FULL:
            waiting = f"FULL: {status(state).left}, new connections are being refused"
        return [Text(f" {waiting} ".ljust(width), style)]
    says = status(state)
    first = f"{says.left}, {_until_when(state, says, now)}"
    if stands is Standing.FULL:
        first = f"FULL: {says.left}, {says.because}"
    if stands in (Standing.BLIND, Standing.WAITING):
        first = f"Last known: {says.left}; current number unknown"
    because = f" ({says.because})" if says.because and stands is not Standing.FULL else ""
    who = escaped(f"{says.who} {says.change}") if says.who else "no application holds any"
    lines = f" {first}{because} ", f" {who} "
    if sum(map(len, lines)) <= width:
        lines = ("".join(lines), "")
    return [Text(line.ljust(width), style) for line in lines if line]


def _until_when(state: State, says: Status, now: float) -> str:
    """Return until when slots are left, with the time of day where one is foreseen."""
    if not says.when.startswith("full in") or standing(state) is not Standing.RUNNING_OUT:
        return says.when
    return f"{says.when}, at {moment(now + state.countdown.seconds)[-8:-3]}"


def tiers(state: State) -> list[Text]:
    """Return a line of free slots by tier; empty before the first sample."""
    if state.sample is None or not isinstance(state.sample.facts, PostgresFacts):
        return []
    free = {tier: str(free_for(state, tier)) for tier in Tier}
    line = Text.assemble("free for applications ", (free[Tier.ORDINARY], "bold"))
    if state.sample.facts.slots.limits.reserved:
        line.append(", pg_use_reserved_connections ")
        line.append(free[Tier.RESERVED], "bold")
    line.append(", superusers ")
    line.append(free[Tier.SUPERUSER], "bold")
    return [line]
