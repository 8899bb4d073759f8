"""Puts the parts together, starts them in order, runs until a signal, ends them in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import NoReturn

import structlog

from pgheadroom import __version__
from pgheadroom.board import Board
from pgheadroom.config import resolve
from pgheadroom.config.load import load_web
from pgheadroom.config.settings import Settings, split_address
from pgheadroom.config.target import TargetSettings
from pgheadroom.metrics.exposition import Exposition
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.net.descriptors import OutOfDescriptors
from pgheadroom.notify.systemd import SystemdNotifier
from pgheadroom.watch.fleet import Fleet
from pgheadroom.watch.jobs import Jobs
from pgheadroom.watch.pooling_source import PoolingSource
from pgheadroom.watch.reload import Reloader, Reread, nothing_to_read
from pgheadroom.watch.sampler import Sampler
from pgheadroom.watch.schedule import Schedule
from pgheadroom.web.auth import guard
from pgheadroom.web.site import Site, serve

log = structlog.get_logger("pgheadroom.daemon")

Started = Callable[[str], None]

_ENDING = (signal.SIGINT, signal.SIGTERM)
_SIGNALLED = 128  # what a shell adds to the number of the signal that ended a command
_KEEP_SECONDS = 1.0
_MOST_ADDRESSES = 60


class AddressInUseError(Exception):
    """The address to listen at cannot be had; the message says which and why."""


async def run(
    settings: Settings,
    targets: Mapping[str, TargetSettings],
    started: Started | None = None,
    reread: Reread = nothing_to_read,
) -> None:
    """Watch *targets* until SIGINT or SIGTERM; on SIGHUP, watch those that *reread* tells.

    Raises AddressInUseError, or ConfigurationError if the web configuration file is wrong.

    *started* is called once, with the address at which pages are served, when they are.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(OutOfDescriptors())
    for number in _ENDING:
        loop.add_signal_handler(number, stop.set)
    async with running(settings, targets, reread) as (address, reloader):
        loop.add_signal_handler(signal.SIGHUP, reloader.ask)
        # One that came earlier was kept waiting, see __main__.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        log.info("started", version=__version__, address=address, targets=len(targets))
        if started is not None:
            started(address)
        await stop.wait()
        log.info("stopping")
        for number in _ENDING:
            signal.signal(number, _end_at_once)
    log.info("stopped")


def _end_at_once(number: int, _frame: object) -> NoReturn:
    """End without waiting for anything: a second signal means it."""
    os._exit(_SIGNALLED + number)


@contextlib.asynccontextmanager
async def running(
    settings: Settings, targets: Mapping[str, TargetSettings], reread: Reread = nothing_to_read
) -> AsyncIterator[tuple[str, Reloader]]:
    """Watch *targets* for as long as the context lasts.

    Its value is the address in use, and what reloads what *reread* tells.
    """
    web_config, tls = load_web(settings.web_config_file)
    policy = resolve.policy(settings)
    board = Board(resolve.identities(targets), policy.thresholds)
    exposition = Exposition(board)
    own = SelfMetrics()
    own.configured(time.time())
    notifier = resolve.notifier(settings, board, own)
    saver = resolve.saver(settings, targets, board, own)
    jobs = Jobs(own)
    if saver is not None:  # before a page could show that nothing fires
        await jobs.guarded("state", saver.recall)()

    def sampler(name: str, target: TargetSettings) -> Sampler:
        own_sources = resolve.sources(settings, name, target)
        others = PoolingSource(name, board, own_sources[0])
        return Sampler(name, (*own_sources, others), policy, board)

    fleet = Fleet(sampler, board, saver, own)
    stuck = stuck_seconds(settings)
    systemd = SystemdNotifier(board, lambda: fleet.longest_seconds("sample") < stuck)
    reloader = Reloader(settings, reread, fleet, own, systemd)
    host, port = split_address(settings.listen)
    reload = reloader.answer if settings.enable_reload else None
    app = Site(board, exposition, own, reload).application()
    guard(app, web_config)
    try:
        runner, port = await serve(app, host, port, tls)
    except OSError as error:
        raise AddressInUseError(_why_not(settings.listen, error)) from error
    schedule = Schedule()
    fleet.begin(targets, schedule)
    if saver is not None:
        schedule.every(_KEEP_SECONDS, jobs.guarded("state", saver.turn))
    for alertmanager in notifier.alertmanagers:
        jobs.repeat("page", alertmanager.turn)
    jobs.repeat("reload", reloader.turn)
    importer = resolve.importer(settings, board)
    if importer is not None:
        jobs.repeat("import", importer.turn)
    for seconds, turn in systemd.turns():
        schedule.every(seconds, jobs.guarded("notify", turn))
    schedule.start()
    try:
        yield f"{'http' if tls is None else 'https'}://{host or 'localhost'}:{port}", reloader
    finally:
        systemd.stopping()
        schedule.stop()
        await asyncio.gather(jobs.end(), fleet.end())
        last = Jobs(own)
        await last.guarded("page", notifier.flush)()
        if saver is not None:
            await last.guarded("state", saver.finish)()
        await runner.cleanup()


def _why_not(address: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{address} is in use, perhaps by another pgheadroom; choose another with --listen"
    return f"cannot listen at {address}: {error.strerror or error}"


def stuck_seconds(settings: Settings) -> float:
    """Return how long a turn of a sampler can't take, unless there is a bug in it.

    Every wait in it has an end; the longest turn is that of a target with many addresses, none
    of which answers.
    """
    return _MOST_ADDRESSES * (settings.connect_timeout_seconds + settings.read_timeout_seconds)
