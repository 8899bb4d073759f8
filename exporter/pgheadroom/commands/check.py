"""Runs `pgheadroom check`: tries each target and says what is missing and how to fix it."""

from __future__ import annotations

import argparse
import asyncio
import enum
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from pgheadroom.commands.arguments import ExitStatus
from pgheadroom.commands.configured import add_settings, settings_of, targets_of
from pgheadroom.commands.once import read_once
from pgheadroom.config.load import load_web
from pgheadroom.judge.rules.overcommit import arithmetic, overcommitted_slots
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.postgres import PG_16
from pgheadroom.model.reading import Outcome, Sample
from pgheadroom.model.slots import Tier
from pgheadroom.state import State
from pgheadroom.status.advice import remedy

HELP = "look at the settings, connect to every target, say what works and what is missing"
USAGE = "%(prog)s [--json] [SETTING ...]"
DESCRIPTION = """\
Look at the settings, connect to every target, say what works and what is missing; with --json as
JSON. Exits 0 if all of it works, 1 if a target does not, 2 if the settings are not allowed."""
EPILOG = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the settings, and the form of what is printed."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser)


def run(options: argparse.Namespace) -> ExitStatus:
    """Try every target and print what was found."""
    settings = settings_of(options)
    targets = targets_of(settings)
    load_web(settings.web_config_file)
    states = asyncio.run(read_once(settings, targets))
    checks = {state.target: [*findings(state)] for state in states}
    if options.json:
        sys.stdout.write(json.dumps([*map(_as_json, checks, checks.values())], indent=2) + "\n")
    else:
        report(checks, Console(soft_wrap=True))
    return ExitStatus.OK if all(map(_works, checks.values())) else ExitStatus.NOT_OK


class Grade(enum.Enum):
    """How a finding turned out: the sign to print, and its colour."""

    GOOD = ("ok", "green")
    MISSING = ("!!", "yellow")
    BROKEN = ("XX", "bold red")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    grade: Grade
    words: str


def findings(state: State) -> Iterator[Check]:
    """Yield what a reading and a knock say about the way a target is set up."""
    if state.sample is None or state.outcome is not Outcome.OK:
        words = f"no sample: {state.outcome}: {state.detail}. {remedy(state)}"
        yield Check(Grade.BROKEN, words)
    elif isinstance(state.sample.facts, PoolerFacts):
        yield from _about_pooler(state.sample, state.sample.facts)
        yield _behind(state)
    else:
        yield from _about(state.sample)
        yield from _about_poolers(state)
    knock = state.knocks.newest
    if knock is not None:
        if knock.outcome is Outcome.OK:
            yield Check(Grade.GOOD, f"knock answered in {knock.seconds * 1000:.1f} ms")
        else:
            yield Check(Grade.BROKEN, f"knock refused: {knock.outcome}: {knock.detail}")
    yield from _canary(state)


def _canary(state: State) -> Iterator[Check]:
    login = state.canary.newest
    if login is None:
        return
    if login.outcome is not Outcome.OK:
        remedy = "; check canary_dsn, canary_password_file and pg_hba.conf"
        yield Check(
            Grade.BROKEN,
            f"canary login failed: {login.outcome}: {login.detail}"
            + (remedy if login.outcome is Outcome.AUTH else ""),
        )
        return
    yield Check(Grade.GOOD, f"canary got in within {login.seconds * 1000:.1f} ms")
    if login.privilege:
        yield Check(
            Grade.MISSING,
            f"the canary proves nothing for ordinary roles: {login.privilege}; give it a role"
            " without privileges",
        )


def _about_pooler(sample: Sample, facts: PoolerFacts) -> Iterator[Check]:
    main, config = sample.main, facts.config
    software = f"{facts.software} {facts.version}".strip()
    yield Check(
        Grade.GOOD,
        f"{software}, {main.free} of {main.limit} places for clients free"
        f" (max_client_conn), {len(facts.pools)} pools, read in"
        f" {sample.duration_seconds * 1000:.1f} ms",
    )
    if config.shares_port or facts.peers > 1:
        others = f"1 of {facts.peers}" if facts.peers > 1 else "one of several"
        yield Check(
            Grade.MISSING,
            f"you watch {others} processes that share a port (so_reuseport, peers): each has pools"
            " of its own; watch each as a target, by its own port or socket",
        )
    if config.from_settings:
        yield Check(
            Grade.MISSING,
            "its exporter tells no limits, no applications, no pause and no timeout: limits are"
            " those of our settings (max_client_conn, default_pool_size); log in to the console"
            " where that is open",
        )
    elif config.wait_timeout_seconds is None:
        yield Check(
            Grade.MISSING,
            "query_wait_timeout is 0: a client that gets no server connection hangs for ever; set"
            " it to a little less than the applications' own timeout",
        )
    paused = [one.name for one in facts.databases if one.paused]
    if facts.paused or paused:
        what = "all of it" if facts.paused else ", ".join(paused)
        yield Check(Grade.MISSING, f"paused: {what}; RESUME lets clients go on")
    disabled = [one.name for one in facts.databases if one.disabled]
    if disabled:
        words = f"disabled: {', '.join(disabled)}; ENABLE lets clients in again"
        yield Check(Grade.MISSING, words)


def _behind(state: State) -> Check:
    if state.pooling is not None and state.pooling.serves:
        return Check(Grade.GOOD, f"serves {', '.join(state.pooling.serves)}")
    return Check(
        Grade.MISSING,
        "no server that is watched is behind it, by process and port or by address: watch that"
        " server as a target too, or name it in `serves`",
    )


def _about_poolers(state: State) -> Iterator[Check]:
    if state.pooling is None or not state.pooling.uses:
        return
    for use in state.pooling.uses:
        pooled = "an unknown number of" if use.pooled is None else str(use.pooled)
        highest = "unbounded" if use.ceiling is None else str(use.ceiling)
        words = f"{pooled} slots are held by {use.pooler}; its settings admit {highest}"
        words += f" (set {use.unbounded_by})" if use.ceiling is None else ""
        yield Check(Grade.GOOD if use.ceiling is not None else Grade.MISSING, words)
    over = overcommitted_slots(state)
    yield Check(Grade.GOOD if over == 0 else Grade.MISSING, arithmetic(state, over))


def _about(sample: Sample) -> Iterator[Check]:
    server, slots = sample.postgres.server, sample.postgres.slots
    limits = slots.limits
    yield Check(
        Grade.GOOD,
        f"PostgreSQL {server.version_text}, {slots.free(Tier.ORDINARY)} of"
        f" {limits.of(Tier.ORDINARY)} ordinary slots free (max_connections"
        f" {limits.max_connections}), read in {sample.duration_seconds * 1000:.1f} ms",
    )
    if sample.holders.complete:
        yield Check(Grade.GOOD, "our role sees every session: counts are exact")
    else:
        what = "states and ages are unknown" if sample.exact else "counts are estimates"
        yield Check(Grade.MISSING, f"{what}: GRANT pg_monitor TO {server.role};")
    if server.superuser:
        yield Check(
            Grade.MISSING,
            "our role is a superuser: pg_monitor and pg_use_reserved_connections would do",
        )
    elif server.reserve:
        yield Check(Grade.GOOD, "our role may use the reserved slots")
    elif server.version >= PG_16:
        yield Check(
            Grade.MISSING,
            "our role is refused when applications are:"
            f" GRANT pg_use_reserved_connections TO {server.role};"
            " and set reserved_connections to 1 or more",
        )
    if server.reserve and not limits.reserved:
        yield Check(Grade.MISSING, "reserved_connections is 0, so no slot is kept for our role")
    if server.pooled:
        yield Check(
            Grade.MISSING,
            "through a pooler: when that is full we are refused, and a knock asks the pooler;"
            " name the server itself",
        )


def report(checks: Mapping[str, Sequence[Check]], console: Console) -> None:
    """Print what was looked at, by target."""
    console.print("settings are allowed")
    for target, target_checks in checks.items():
        console.print(Text(target, "bold"))
        for check in target_checks:
            sign, style = check.grade.value
            console.print(Text.assemble("  ", (sign, style), " ", check.words))


def _works(checks: Sequence[Check]) -> bool:
    return not any(check.grade is Grade.BROKEN for check in checks)


def _as_json(target: str, checks: Sequence[Check]) -> dict[str, object]:
    rows = [{"grade": check.grade.name.lower(), "words": check.words} for check in checks]
    return {"target": target, "works": _works(checks), "checks": rows}
