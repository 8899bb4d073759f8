"""Runs `pgheadroom once`: reads each target once and prints a table, or JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Mapping

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from pgheadroom.board import Board
from pgheadroom.commands.arguments import ExitStatus
from pgheadroom.commands.configured import add_settings, settings_of, targets_of
from pgheadroom.commands.help.parser import Parser
from pgheadroom.config.resolve import identities, policy, sources
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.log import configure
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.pooler import PoolerFacts, busiest_first
from pgheadroom.model.reading import Outcome, Sample
from pgheadroom.model.slots import Slots, Tier
from pgheadroom.state import State
from pgheadroom.status.advice import remedy
from pgheadroom.status.figures import free_for
from pgheadroom.status.status import status
from pgheadroom.watch.pooling_source import PoolingSource
from pgheadroom.watch.sampler import Sampler
from pgheadroom.web.view import target_view

HELP = "read every target once and print a table, or JSON with --json"
USAGE = "%(prog)s [--json] [SETTING ...]"
DESCRIPTION = """\
Reads every target once and prints a table. With --json it prints a list of what
the API says of each target (/api/v1/targets/NAME).

Exits 0 if every target could be sampled, else 1."""
EPILOG = ""


def add_arguments(parser: Parser) -> None:
    """Take the settings, and the form of what is printed."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser, "canary_dsn")


def run(options: argparse.Namespace) -> ExitStatus:
    """Read every target once and print what it says."""
    settings = settings_of(options)
    states = asyncio.run(read_once(settings, targets_of(settings)))
    if options.json:
        sys.stdout.write(json.dumps([target_view(state) for state in states], indent=2) + "\n")
    else:
        print_table(states, Console(soft_wrap=True))
    sampled = all(state.sample is not None for state in states)
    return ExitStatus.OK if sampled else ExitStatus.NOT_OK


async def read_once(settings: Settings, targets: Mapping[str, TargetSettings]) -> tuple[State, ...]:
    """Ask every source of every target once, all targets at the same time."""
    # What is printed says it all; a log between would only say it twice.
    configure(settings.log_format, "error")
    rules = policy(settings)
    board = Board(identities(targets), rules.thresholds)

    samplers, relations = [], []
    for name, target in targets.items():
        own = sources(settings, name, target, thorough=True)
        relation = PoolingSource(name, board, own[0])
        samplers.append(Sampler(name, own, rules, board))
        relations.append(relation)
        await samplers[-1].take(relation)  # so that samples tell what relations are made of

    async def ask(sampler: Sampler) -> None:
        try:
            for source in sampler.sources:
                await sampler.take(source)
        finally:
            sampler.close()

    await asyncio.gather(*map(ask, samplers))
    for sampler, relation in zip(samplers, relations, strict=True):
        await sampler.take(relation)
    return board.states()


def print_table(states: Iterable[State], console: Console) -> None:
    """Print *states* to *console*, one block a target."""
    for state in states:
        console.print(_block(state))
        console.print()


def _block(state: State) -> Group:
    good = state.outcome is Outcome.OK
    title = Text.assemble(
        (state.target, "bold"), "  ", (str(state.outcome), "green" if good else "bold red")
    )
    # One reading tells nothing of growth, so no more of the status than this.
    says = Text(status(state).left)
    if state.sample is None:
        hint = f"{remedy(state)} To see what works, run `pgheadroom check`."
        return Group(title, Text(state.detail), Text(hint))
    if isinstance(state.sample.facts, PoolerFacts):
        return _pooler(title, says, state, state.sample.facts)
    server = state.sample.facts.server
    title.append(f"  PostgreSQL {server.version_text}")
    if server.in_recovery:
        title.append(" (standby)")
    if server.pooled:
        title.append(" through a pooler")
    lines = [title, says]
    if not state.sample.holders.complete:
        what = "states and ages are unknown" if state.sample.exact else "estimates only"
        lines.append(Text(f"{what}: GRANT pg_monitor TO {server.role};", "yellow"))
    return Group(
        *lines,
        _slots(state, state.sample.postgres.slots),
        *_through_whom(state),
        _applications(state.applications.counts),
        *_limits(state.sample),
    )


def _pooler(title: Text, says: Text, state: State, facts: PoolerFacts) -> Group:
    title.append(f"  {facts.software} {facts.version}")
    main = None if state.sample is None else state.sample.main
    places = Table("places for clients", "", box=None, pad_edge=False)
    if main is not None:
        for name, figure in (("limit", main.limit), ("used", main.used), ("free", state.free)):
            places.add_row(name, str(figure))
    pools = Table(
        *("pool", "role", "mode", "servers", "size", "reserve", "clients", "waiting", "oldest"),
        box=None,
        pad_edge=False,
    )
    for pool in busiest_first(facts.pools):
        pools.add_row(
            Text(pool.database),
            Text(pool.role),
            pool.mode,
            str(pool.server_connections),
            "unlimited" if pool.size is None else str(pool.size),
            str(pool.reserve),
            str(pool.active),
            str(pool.waiting),
            f"{pool.wait_seconds:.1f} s" if pool.waiting else "",
        )
    return Group(title, says, places, pools, _applications(state.applications.counts))


def _through_whom(state: State) -> list[Table]:
    if state.pooling is None or not state.pooling.uses:
        return []
    table = Table("slots held through", "now", "may open", box=None, pad_edge=False)
    for use in state.pooling.uses:
        most = "unlimited" if use.committed is None else str(use.committed)
        table.add_row(Text(use.pooler), "?" if use.pooled is None else str(use.pooled), most)
    direct = state.pooling.direct
    table.add_row("no pooler", "?" if direct is None else str(direct), "")
    return [table]


def _slots(state: State, slots: Slots) -> Table:
    table = Table("slots", *(str(tier) for tier in Tier), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("limit", *(str(slots.limits.of(tier)) for tier in Tier))
    table.add_row("used", *(str(slots.used) for _ in Tier))
    table.add_row("free", *(Text(str(free_for(state, tier)), "bold") for tier in Tier))
    if slots.hidden:
        table.add_row("logins in progress", *(str(slots.hidden) for _ in Tier))
    if slots.reserved_used:
        table.add_row("reserved slots in use", str(slots.reserved_used), style="bold red")
    return table


def _applications(counts: Mapping[tuple[str, str], int]) -> Table:
    totals: dict[str, int] = {}
    kinds: dict[str, list[str]] = {}
    for (name, kind), count in sorted(counts.items(), key=lambda item: -item[1]):
        totals[name] = totals.get(name, 0) + count
        kinds.setdefault(name, []).append(f"{count} {kind}")
    table = Table("application", "connections", "states", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for name in sorted(totals, key=lambda name: (-totals[name], name)):
        # Text, not str: a name in square brackets is no markup of ours.
        table.add_row(Text(name), str(totals[name]), Text(", ".join(kinds[name])))
    return table


def _limits(sample: Sample) -> list[Table]:
    tables = []
    for kind in (CapacityKind.ROLE, CapacityKind.DATABASE):
        uses = sample.limits_of(kind)
        if uses:
            table = Table(f"{kind} with a limit", "used", "limit", box=None, pad_edge=False)
            for use in uses:
                table.add_row(Text(use.name), str(use.used), str(use.limit))
            tables.append(table)
    return tables
