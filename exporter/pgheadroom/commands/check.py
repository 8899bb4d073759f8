"""Runs `pgheadroom check`: tries each target and says what is missing and how to fix it."""

from __future__ import annotations

import argparse
import asyncio
import enum
import json
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from pgheadroom.commands.arguments import ExitStatus
from pgheadroom.commands.configured import add_settings, settings_of, targets_of
from pgheadroom.commands.help.parser import Parser
from pgheadroom.commands.once import read_once
from pgheadroom.config.load import load_web
from pgheadroom.config.settings import Settings
from pgheadroom.importing.saved import UnusableStateError, kept
from pgheadroom.judge.rules.overcommit import arithmetic, overcommitted_slots
from pgheadroom.model.pooler import PoolerFacts
from pgheadroom.model.postgres import PG_16
from pgheadroom.model.reading import Outcome, Sample
from pgheadroom.model.slots import Tier
from pgheadroom.state import State
from pgheadroom.status.advice import remedy
from pgheadroom.status.figures import history_words
from pgheadroom.storage.directory import StateDirectory
from pgheadroom.text import escaped

HELP = "check settings and targets; say what works and what is missing"
USAGE = "%(prog)s [--json] [SETTING ...]"
DESCRIPTION = """\
Checks the settings, connects to every target, and says what works and what is
missing.

Exits 0 if every target works, 1 if one does not, 2 if the settings are not
allowed."""
EPILOG = ""

_WIDEST = 100
_INDENT = " " * 7


def add_arguments(parser: Parser) -> None:
    """Take the settings, and the form of what is printed."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser, "canary_dsn")


def run(options: argparse.Namespace) -> ExitStatus:
    """Try every target and print what was found."""
    settings = settings_of(options)
    targets = targets_of(settings)
    load_web(settings.web_config_file)
    states = asyncio.run(read_once(settings, targets))
    checks = {
        state.target: [*findings(state), _history(settings, state.target)] for state in states
    }
    if options.json:
        sys.stdout.write(json.dumps([*map(_as_json, checks, checks.values())], indent=2) + "\n")
    else:
        report(checks, Console(soft_wrap=True))
    return ExitStatus.OK if all(map(_works, checks.values())) else ExitStatus.NOT_OK


class Grade(enum.Enum):
    """How a finding turned out: the sign to print, and its colour."""

    GOOD = ("ok", "green")
    MISSING = ("WARN", "yellow")
    BROKEN = ("FAIL", "bold red")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    grade: Grade
    words: str
    fix: str = ""
    """What to do about it, if it is not good."""


def findings(state: State) -> Iterator[Check]:
    """Yield what a reading and a knock say about the way a target is set up."""
    if state.sample is None or state.outcome is not Outcome.OK:
        words = f"no sample: {state.outcome}: {state.detail}"
        yield Check(Grade.BROKEN, words, remedy(state))
    elif isinstance(state.sample.facts, PoolerFacts):
        yield from _about_pooler(state.sample, state.sample.facts)
        yield _behind(state)
    else:
        yield from _about(state.sample)
        yield from _about_poolers(state)
    knock = state.knocks.newest
    if knock is not None:
        if knock.outcome is Outcome.OK:
            yield Check(Grade.GOOD, f"the knock is answered in {knock.seconds * 1000:.1f} ms")
        else:
            yield Check(Grade.BROKEN, f"the knock failed: {knock.outcome}: {knock.detail}")
    yield from _canary(state)


def _history(settings: Settings, target: str) -> Check:
    """Return how much the daemon knows of the time before, by what it has kept of *target*."""
    path, now = settings.directory_of_state(), time.time()
    if path is None:
        if settings.import_prometheus_url is not None:
            return Check(Grade.GOOD, "history: none is kept; it is imported after each start")
        words = "history: none is kept, so after each restart the usual days are unknown"
        return Check(Grade.MISSING, words, "Set state_directory.")
    try:
        since = kept(StateDirectory(path), target, now).usage.known_since
    except UnusableStateError as error:
        return Check(Grade.MISSING, f"history: {escaped(str(error))}")
    return Check(Grade.GOOD, history_words(None if since is None else max(0.0, now - since)))


def _canary(state: State) -> Iterator[Check]:
    login = state.canary.newest
    if login is None:
        return
    if login.outcome is not Outcome.OK:
        remedy = "Check canary_dsn, canary_password_file and pg_hba.conf."
        yield Check(
            Grade.BROKEN,
            f"the canary cannot log in: {login.outcome}: {login.detail}",
            remedy if login.outcome is Outcome.AUTH else "",
        )
        return
    yield Check(Grade.GOOD, f"the canary logs in within {login.seconds * 1000:.1f} ms")
    if login.privilege:
        yield Check(
            Grade.MISSING,
            f"the canary proves nothing for applications: {login.privilege}",
            "Give it a role without privileges.",
        )


def _about_pooler(sample: Sample, facts: PoolerFacts) -> Iterator[Check]:
    main, config = sample.main, facts.config
    software = f"{facts.software} {facts.version}".strip()
    yield Check(
        Grade.GOOD,
        f"{software}: {main.free} of {main.limit} places for clients free"
        f" (max_client_conn), {len(facts.pools)} pools, read in"
        f" {sample.duration_seconds * 1000:.1f} ms",
    )
    if config.shares_port or facts.peers > 1:
        others = f"1 of {facts.peers}" if facts.peers > 1 else "one of several"
        yield Check(
            Grade.MISSING,
            f"this is {others} processes that share a port (so_reuseport, peers), and each has"
            " its own pools",
            "Add each process as a target, by its own port or socket.",
        )
    if config.from_settings:
        yield Check(
            Grade.MISSING,
            "the exporter reports no limits, applications, pauses or timeouts; the limits are"
            " those in the settings (max_client_conn, default_pool_size)",
            "Log in to the console, if it is open.",
        )
    elif config.wait_timeout_seconds is None:
        yield Check(
            Grade.MISSING,
            "query_wait_timeout is 0: a client that gets no server connection waits forever",
            "Set it a little below the applications' own timeout.",
        )
    paused = [one.name for one in facts.databases if one.paused]
    if facts.paused or paused:
        what = "the whole pooler" if facts.paused else ", ".join(paused)
        yield Check(Grade.MISSING, f"paused: {what}", "RESUME lets clients continue.")
    disabled = [one.name for one in facts.databases if one.disabled]
    if disabled:
        words = f"disabled: {', '.join(disabled)}"
        yield Check(Grade.MISSING, words, "ENABLE lets clients in again.")


def _behind(state: State) -> Check:
    if state.pooling is not None and state.pooling.serves:
        return Check(Grade.GOOD, f"serves {', '.join(state.pooling.serves)}")
    return Check(
        Grade.MISSING,
        "no watched server is found behind it, by process and port or by address",
        "Add that server as a target, or name it in `serves`.",
    )


def _about_poolers(state: State) -> Iterator[Check]:
    if state.pooling is None or not state.pooling.uses:
        return
    for use in state.pooling.uses:
        pooled = "an unknown number of" if use.pooled is None else str(use.pooled)
        highest = "any number" if use.ceiling is None else str(use.ceiling)
        words = f"{use.pooler} holds {pooled} slots; its settings allow {highest}"
        if use.ceiling is None:
            yield Check(Grade.MISSING, words, f"Set {use.unbounded_by}.")
        else:
            yield Check(Grade.GOOD, words)
    over = overcommitted_slots(state)
    yield Check(Grade.GOOD if over == 0 else Grade.MISSING, arithmetic(state, over))


def _about(sample: Sample) -> Iterator[Check]:
    server, slots = sample.postgres.server, sample.postgres.slots
    limits = slots.limits
    yield Check(
        Grade.GOOD,
        f"PostgreSQL {server.version_text}: {slots.free(Tier.ORDINARY)} of"
        f" {limits.of(Tier.ORDINARY)} ordinary slots free (max_connections"
        f" {limits.max_connections}), read in {sample.duration_seconds * 1000:.1f} ms",
    )
    if sample.holders.complete:
        yield Check(Grade.GOOD, "the role can see all sessions: counts are exact")
    else:
        what = "states and ages are unknown" if sample.exact else "counts are estimates"
        yield Check(
            Grade.MISSING,
            f"the role cannot see all sessions: {what}",
            f"GRANT pg_monitor TO {server.role};",
        )
    if server.superuser:
        yield Check(
            Grade.MISSING,
            "the role is a superuser; pg_monitor and pg_use_reserved_connections are enough",
        )
    elif server.reserve:
        yield Check(Grade.GOOD, "the role may use the reserved slots")
    elif server.version >= PG_16:
        yield Check(
            Grade.MISSING,
            "the role is refused as soon as applications are",
            f"GRANT pg_use_reserved_connections TO {server.role};"
            + ("" if limits.reserved else " Set reserved_connections to 1 or more."),
        )
    if server.reserve and not limits.reserved:
        yield Check(
            Grade.MISSING,
            "reserved_connections is 0: no slot is kept for the role",
            "Set reserved_connections to 1 or more.",
        )
    if server.pooled:
        yield Check(
            Grade.MISSING,
            "the connection goes through a pooler: when that is full, pgheadroom is refused, and a"
            " knock reaches only the pooler",
            "Connect to the server itself.",
        )


def report(checks: Mapping[str, Sequence[Check]], console: Console) -> None:
    """Print what was looked at, by target."""
    width = min(_WIDEST, console.width) if console.is_terminal else _WIDEST
    console.print("settings are valid")
    for target, target_checks in checks.items():
        console.print(Text(target, "bold"))
        for check in target_checks:
            sign, style = check.grade.value
            first, *rest = _wrapped(check, width - len(_INDENT))
            console.print(Text.assemble("  ", (f"{sign:<4}", style), " ", first))
            for line in rest:
                console.print(Text(f"{_INDENT}{line}"))


def _wrapped(check: Check, width: int) -> list[str]:
    """Return what was found, and then what to do, in lines of *width* or of one long word."""
    return [
        line
        for part in filter(None, (check.words, check.fix))
        for line in textwrap.wrap(part, width, break_long_words=False, break_on_hyphens=False)
    ]


def _works(checks: Sequence[Check]) -> bool:
    return not any(check.grade is Grade.BROKEN for check in checks)


def _as_json(target: str, checks: Sequence[Check]) -> dict[str, object]:
    rows = [
        {"grade": check.grade.name.lower(), "words": check.words, "fix": check.fix}
        for check in checks
    ]
    return {"target": target, "works": _works(checks), "checks": rows}
