"""Watches one server for `pgheadroom top`, without a daemon."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable

from pgheadroom.board import Board
from pgheadroom.config.resolve import connect_options, policy
from pgheadroom.config.settings import Settings, TargetSettings
from pgheadroom.state import State
from pgheadroom.terminal.applications import Order
from pgheadroom.terminal.screen import Look, screen
from pgheadroom.terminal.terminal import Terminal
from pgheadroom.watch.fleet import CANARY_SECONDS
from pgheadroom.watch.sampler import Sampler

_DRAW_SECONDS = 1.0
_GRACE_SECONDS = 1.0


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
        """Stop as Ctrl-Z does, and draw anew when it goes on."""
        self._terminal.suspend()
        self.redraw()

    async def draw(self) -> None:
        """Draw at every piece of news, and once a second all the same: ages grow."""
        while True:
            self._news.clear()
            width, height = self._terminal.size
            paused = self._frozen is not None
            shown = self._frozen or self._board.state(self._name)
            look = Look(width, height, self._order, paused=paused)
            self._terminal.draw(screen(shown, time.time(), look))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAW_SECONDS):
                    await self._news.wait()


async def watch(settings: Settings, name: str, target: TargetSettings, terminal: Terminal) -> None:
    """Sample *target* as the daemon does and draw it on *terminal*, until somebody ends it.

    That is the key q, SIGINT, SIGTERM or SIGHUP. Errors of our own, not of the
    server, also end it and are raised.
    """
    rules = policy(settings)
    board = Board([name], rules.thresholds)
    sampler = Sampler(connect_options(settings, name, target), rules, board)
    watcher = Watcher(terminal, board, name)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, watcher.ended.set)
    loop.add_signal_handler(signal.SIGWINCH, watcher.redraw)
    loop.add_signal_handler(signal.SIGTSTP, watcher.suspend)
    work = [watcher.draw(), _every(settings.interval_seconds, sampler.sample)]
    if settings.knock_interval_seconds:
        work.append(_every(settings.knock_interval_seconds, sampler.knock))
    if sampler.has_canary:
        work.append(_every(CANARY_SECONDS, sampler.visit))
    try:
        with terminal.taken():
            terminal.listen(watcher.pressed)
            tasks = [asyncio.ensure_future(one) for one in (watcher.ended.wait(), *work)]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
            for task in done:
                task.result()
    finally:
        sampler.close()


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do *work* every so many *seconds*; turns that were missed are not made up for."""
    clock = asyncio.get_running_loop().time
    due = clock()
    while True:
        await work()
        due = max(due + seconds, clock())
        await asyncio.sleep(due - clock())
