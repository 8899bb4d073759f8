"""Watches one server for `pgheadroom top`, without a daemon."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time

from pgheadroom.board import Board
from pgheadroom.config.resolve import policy, sources
from pgheadroom.config.settings import Settings, TargetSettings
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.state import State
from pgheadroom.terminal.applications import Order
from pgheadroom.terminal.screen import Look, screen
from pgheadroom.terminal.terminal import Terminal
from pgheadroom.watch.fleet import WatchedTarget
from pgheadroom.watch.jobs import Jobs
from pgheadroom.watch.sampler import Sampler
from pgheadroom.watch.schedule import Schedule

_DRAW_SECONDS = 1.0


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
