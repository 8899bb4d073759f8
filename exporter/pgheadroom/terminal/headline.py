"""Writes the headline of `top`: slots left, until when, and which application takes them."""

from __future__ import annotations

from rich.text import Text

from pgheadroom.durations import duration, moment
from pgheadroom.judge.blame import taker
from pgheadroom.judge.wording import NOUNS
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.model.reading import Outcome, Sample
from pgheadroom.model.slots import Tier
from pgheadroom.state import State
from pgheadroom.status.advice import by_urgency
from pgheadroom.status.figures import exhaustion_seconds, free_for
from pgheadroom.status.ranking import severity
from pgheadroom.status.standing import Standing, standing
from pgheadroom.text import escaped

_LOUD = {"critical": "bold white on red", "warning": "bold black on yellow"}


def title(state: State, now: float, width: int) -> Text:
    """Return the title line: target, server, state, and time, in *width* cells."""
    line = Text.assemble((escaped(state.target), "bold"))
    if state.sample is not None:
        line.append(f"  {_software(state.sample)}")
    outcome = "waiting" if state.outcome is None else str(state.outcome)
    line.append("  ")
    line.append(outcome, "green" if state.outcome is Outcome.OK else "bold magenta")
    if state.since is not None:
        line.append(f" for {duration(round(max(0.0, now - state.since)))}")
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
    style = _LOUD["warning"] if stands is Standing.RECOVERING else _LOUD.get(severity(state), "")
    style = style or "reverse"
    if state.sample is None:
        waiting = "waiting for the first reading" if state.outcome is None else "no sample yet"
        if stands is Standing.FULL:
            waiting = "FULL: no slot is free for applications; no sample yet"
        return [Text(f" {waiting} ".ljust(width), style)]
    free, main = state.free, state.sample.main
    one, several = NOUNS[main.scope.kind]
    first = f" {free} of {main.limit} {several} are free"
    if stands is Standing.FULL:
        first = f" FULL: no {one.removeprefix('ordinary ')} of {main.limit} is free"
        first += " for applications" if main.scope.kind is CapacityKind.SLOTS else ""
    if stands in (Standing.BLIND, Standing.WAITING):
        first = f" Last known: {free} of {main.limit} {several} free"
    lines = f"{first}; {_until_when(state, now)} ", f" {_who(state)} "
    if sum(map(len, lines)) <= width:
        lines = ("".join(lines), "")
    return [Text(line.ljust(width), style) for line in lines if line]


_UNTIL = {
    Standing.FULL: "applications are refused",
    Standing.BLIND: "current number unknown",
    Standing.WAITING: "current number unknown",
    Standing.RECOVERING: "recovering: the alert's cause is gone",
    Standing.CLIMBING: "no forecast yet",
    Standing.QUEUEING: "clients queue for server connections",
    Standing.WELL: "no end in sight",
}


def _until_when(state: State, now: float) -> str:
    stands = standing(state)
    if stands is Standing.RUNNING_OUT:
        seconds = exhaustion_seconds(state)[Tier.ORDINARY]
        return f"the last goes in {duration(seconds)}, at {moment(now + seconds)[-8:-3]}"
    if stands is Standing.ALARMED:
        return f"no forecast, but {by_urgency(state.alerts)[0].name} fires"
    if stands is Standing.FULL and state.outcome is not Outcome.OK:
        return "logins are refused"
    return _UNTIL[stands]


def _who(state: State) -> str:
    """Return which application takes slots: the one that grew most; if none grew, holds most."""
    who = taker(state)
    if who is None:
        return "no application holds any"
    name = escaped(who.application_name)
    if not who.took:
        return f"{name} holds most: {who.holds}"
    last = duration(who.seconds)
    return f"{name} took {round(who.took)} in the last {last} and holds {who.holds}"


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
