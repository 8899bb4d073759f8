"""Runs `pgheadroom top`: watches one server live in a terminal, without a daemon."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
import time

from rich.console import Console

from pgheadroom.board import Board
from pgheadroom.commands.arguments import ExitStatus
from pgheadroom.commands.configured import NO_TARGET, add_settings, settings_of
from pgheadroom.commands.help.parser import Parser
from pgheadroom.commands.output import failure
from pgheadroom.config.given import repeatable
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.objections import meant
from pgheadroom.config.resolve import policy, sources
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.log import configure
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.state import State
from pgheadroom.terminal.applications import Order
from pgheadroom.terminal.screen import Look, screen
from pgheadroom.terminal.terminal import Terminal
from pgheadroom.text import printable
from pgheadroom.watch.fleet import WatchedTarget
from pgheadroom.watch.jobs import Jobs
from pgheadroom.watch.sampler import Sampler
from pgheadroom.watch.schedule import Schedule

HELP = "watch one server live in a terminal, without a daemon"
USAGE = "%(prog)s [--target NAME] [SETTING ...]"
DESCRIPTION = """\
Watches one server live in a terminal, without a daemon: how many slots are
left, for whom, for how long, and who takes them. It samples and judges as
`serve` does. Nothing is served, posted or kept.

Keys: q quits, p pauses the display, s sorts by connections, growth or name.
Ctrl-C quits too.

While the server refuses or does not answer, the screen says why, and how old
its figures are. The log goes to standard error if that is a file.
Without a terminal, use `pgheadroom once`.

  pgheadroom top --dsn postgresql://pgheadroom@db1/postgres
  PGSERVICE=orders pgheadroom top"""
EPILOG = ""

_DRAW_SECONDS = 1.0
_NO_TERMINAL = "top needs a terminal; to print one reading, use `pgheadroom once`"


def add_arguments(parser: Parser) -> None:
    """Take the settings, and which target."""
    parser.add_argument("--target", metavar="NAME", help="which target, if there are several")
    add_settings(parser, "interval_seconds", "paging_horizon_seconds")


def run(options: argparse.Namespace) -> ExitStatus:
    """Watch until it is ended by a key or a signal."""
    settings = settings_of(options)
    problems: list[str] = []
    chosen = _chosen(settings.all_targets(), options.target, problems)
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        problems.append(_NO_TERMINAL)
    if chosen is None or problems:
        raise ConfigurationError(problems)
    _log(settings)
    asyncio.run(watch(settings, *chosen, Terminal(console)))
    return ExitStatus.OK


def _chosen(
    targets: dict[str, TargetSettings], name: str | None, problems: list[str]
) -> tuple[str, TargetSettings] | None:
    """Return the one target to watch; what is wrong with that is added to *problems*."""
    names = ", ".join(targets)
    if not targets:
        problems += NO_TARGET
    elif name is None and len(targets) > 1:
        problems.append(f"several targets are configured; choose one with --target: {names}")
    elif name is not None and name not in targets:
        instead = meant(name, targets) or f"; there are {names}"
        told = f": {printable(name)}" if repeatable(name) else ""
        problems.append(f"--target: no such target{told}{instead}")
    else:
        name = name or next(iter(targets))
        return name, targets[name]
    return None


def _log(settings: Settings) -> None:
    """Send the log where it does not spoil the screen, which tells the same."""
    configure(settings.log_format, settings.log_level)
    if sys.stderr.isatty():
        logging.getLogger().handlers[:] = [logging.NullHandler()]


class Watcher:
    """What is drawn, how, and until when."""

    def __init__(self, terminal: Terminal, board: Board, name: str) -> None:
        self._terminal = terminal
        self._board = board
        self._name = name
        self._order = Order.CONNECTIONS
        self._frozen: State | None = None
        self._news = asyncio.Event()
        self.ended = asyncio.Event()
        self.bug: Exception | None = None
        board.subscribe(lambda _: self._news.set())

    def pressed(self, key: str) -> None:
        """Do what *key* asks for."""
        match key.lower():
            case "q":
                self.ended.set()
            case "p":
                paused = self._frozen is not None
                self._frozen = None if paused else self._board.state(self._name)
            case "s":
                orders = list(Order)
                self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self.redraw()

    def redraw(self) -> None:
        """Draw soon: something changed."""
        self._news.set()

    def suspend(self) -> None:
        """Stop as Ctrl-Z does, and redraw when it goes on."""
        self._terminal.suspend()
        self.redraw()

    def fail(self, bug: Exception) -> None:
        """End because of a *bug*, which is raised then."""
        self.bug = bug
        self.ended.set()

    async def draw(self) -> None:
        """Draw, and wait for the next piece of news, a second at most: ages grow."""
        self._news.clear()
        width, height = self._terminal.size
        paused = self._frozen is not None
        state = self._frozen or self._board.state(self._name)
        look = Look(width, height, self._order, paused=paused)
        self._terminal.draw(screen(state, time.time(), look))
        if failure() is not None:  # the terminal is gone
            self.ended.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAW_SECONDS):
                await self._news.wait()


async def watch(settings: Settings, name: str, target: TargetSettings, terminal: Terminal) -> None:
    """Sample *target* as the daemon does and draw it on *terminal*, until it is ended.

    That is the key q, SIGINT, SIGTERM or SIGHUP. Errors of our own, not of the
    server, also end it and are raised.
    """
    rules = policy(settings)
    board = Board({name: target.identity}, rules.thresholds)
    watcher = Watcher(terminal, board, name)
    jobs = Jobs(SelfMetrics(), watcher.fail)
    sampler = Sampler(name, sources(settings, name, target), rules, board)
    watched, schedule = WatchedTarget(target, sampler, jobs), Schedule()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, watcher.ended.set)
    loop.add_signal_handler(signal.SIGWINCH, watcher.redraw)
    loop.add_signal_handler(signal.SIGTSTP, watcher.suspend)
    try:
        with terminal.taken():
            terminal.listen(watcher.pressed)
            jobs.repeat("draw", watcher.draw)
            watched.begin(schedule)
            schedule.start()
            try:
                await watcher.ended.wait()
            finally:
                schedule.stop()
                await jobs.end()
    finally:
        await watched.end()
    if watcher.bug is not None:
        raise watcher.bug
