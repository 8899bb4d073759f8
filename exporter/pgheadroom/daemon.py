"""How do the parts become a daemon: built in order, run until a signal, ended in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import NoReturn

import structlog

from pgheadroom import __version__
from pgheadroom.board import Board
from pgheadroom.config.load import load_web
from pgheadroom.config.settings import Settings, TargetSettings, split_address
from pgheadroom.judge.slot_rules import least_share
from pgheadroom.metrics.exposition import Exposition
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.model.names import Folder
from pgheadroom.net.descriptors import Shortage
from pgheadroom.net.http import Credentials
from pgheadroom.notify.alertmanager import Alertmanagers
from pgheadroom.notify.notification import Form
from pgheadroom.notify.systemd import Herald
from pgheadroom.postgres.canary import APPLICATION_NAME as CANARY
from pgheadroom.postgres.login import Access
from pgheadroom.step import Policy
from pgheadroom.storage.directory import StateDirectory
from pgheadroom.storage.saver import Keeper
from pgheadroom.watch.fleet import Fleet
from pgheadroom.watch.jobs import Jobs
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


def access(settings: Settings, name: str, target: TargetSettings) -> Access:
    """Return how to get at *target*, which is called *name*."""
    return Access(
        name=name,
        conninfo=target.dsn.get_secret_value(),
        password_file=target.password_file,
        extra_reserved=target.extra_reserved,
        rds_reserve=target.rds_reserve,
        limit_share=least_share(settings.thresholds),
        connect_timeout_seconds=settings.connect_timeout_seconds,
        read_timeout_seconds=settings.read_timeout_seconds,
        backoff_first_seconds=max(1.0, settings.interval_seconds),
        backoff_longest_seconds=settings.backoff_longest_seconds,
        canary=_canary_access(settings, name, target),
    )


def _canary_access(settings: Settings, name: str, target: TargetSettings) -> Access | None:
    if target.canary_dsn is None:
        return None
    return Access(
        name=name,
        conninfo=target.canary_dsn.get_secret_value(),
        password_file=target.canary_password_file,
        connect_timeout_seconds=settings.connect_timeout_seconds,
        read_timeout_seconds=settings.read_timeout_seconds,
        backoff_first_seconds=settings.canary_interval_seconds,
        backoff_longest_seconds=max(
            settings.canary_interval_seconds, settings.backoff_longest_seconds
        ),
        application_name=CANARY,
    )


def policy(settings: Settings) -> Policy:
    """Return what *settings* decide about the way readings become a state."""
    return Policy(
        fold=Folder(settings.rules).fold,
        most_applications=settings.max_applications,
        thresholds=settings.thresholds,
    )


def alertmanagers(settings: Settings, board: Board, own: SelfMetrics) -> Alertmanagers:
    """Return those whom *settings* want told of the alerts on *board*."""
    return Alertmanagers(
        settings.alertmanager_urls,
        Form(settings.alertmanager_resend_seconds, settings.alert_labels, settings.external_url),
        Credentials(
            username=settings.alertmanager_username,
            password_file=settings.alertmanager_password_file,
            bearer_token_file=settings.alertmanager_bearer_token_file,
            ca_file=settings.alertmanager_ca_file,
            cert_file=settings.alertmanager_cert_file,
            key_file=settings.alertmanager_key_file,
        ),
        board,
        own,
    )


def keeper(
    settings: Settings, targets: Mapping[str, TargetSettings], board: Board, own: SelfMetrics
) -> Keeper | None:
    """Return what keeps the states of *targets* over a restart, if *settings* want that."""
    path = settings.directory_of_state()
    if path is None:
        return None
    others = {name: target for name, target in targets.items() if name not in settings.targets}
    unnamed = next((name for name, target in others.items() if name == target.address), None)
    return Keeper(StateDirectory(path), board, own, unnamed)


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
    loop.set_exception_handler(Shortage())
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
    """End without waiting for anything: whoever asks twice means it."""
    os._exit(_SIGNALLED + number)


@contextlib.asynccontextmanager
async def running(
    settings: Settings, targets: Mapping[str, TargetSettings], reread: Reread = nothing_to_read
) -> AsyncIterator[tuple[str, Reloader]]:
    """Watch *targets* for as long as the context lasts.

    Its value is the address in use, and what reloads what *reread* tells.
    """
    web_config, tls = load_web(settings.web_config_file)
    decided = policy(settings)
    addresses = {name: target.address for name, target in targets.items()}
    board = Board(addresses, decided.thresholds)
    exposition = Exposition(board)
    own = SelfMetrics()
    own.configured(time.time())
    told = alertmanagers(settings, board, own)
    kept = keeper(settings, targets, board, own)
    jobs = Jobs(own)
    if kept is not None:  # before a page could show that nothing fires
        await jobs.guarded("state", kept.recall)()

    def sampler(name: str, target: TargetSettings) -> Sampler:
        return Sampler(access(settings, name, target), decided, board)

    fleet = Fleet(settings, sampler, board, kept, own)
    stuck = stuck_seconds(settings)
    herald = Herald(board, lambda: fleet.longest_seconds("sample") < stuck)
    reloader = Reloader(settings, reread, fleet, own, herald)
    host, port = split_address(settings.listen)
    reload = reloader.answer if settings.enable_reload else None
    app = Site(board, exposition, own, reload).application()
    guard(app, web_config)
    try:
        runner, port = await serve(app, host, port, tls)
    except OSError as error:
        message = f"cannot listen at {settings.listen}: {error.strerror or error}"
        raise AddressInUseError(message) from error
    schedule = Schedule()
    fleet.begin(targets, schedule)
    if kept is not None:
        schedule.every(_KEEP_SECONDS, jobs.guarded("state", kept.turn))
    for peer in told.peers:
        jobs.repeat("page", peer.turn)
    jobs.repeat("reload", reloader.turn)
    for seconds, turn in herald.turns():
        schedule.every(seconds, jobs.guarded("notify", turn))
    schedule.start()
    try:
        yield f"{'http' if tls is None else 'https'}://{host or 'localhost'}:{port}", reloader
    finally:
        herald.stopping()
        schedule.stop()
        await asyncio.gather(jobs.end(), fleet.end())
        last = Jobs(own)
        await last.guarded("page", told.last_words)()
        if kept is not None:
            await last.guarded("state", kept.finish)()
        await runner.cleanup()


def stuck_seconds(settings: Settings) -> float:
    """Return how long a turn of a sampler can't take, unless there is a bug in it.

    Every wait in it has an end; the longest turn is that of a target with many addresses, none
    of which answers.
    """
    return _MOST_ADDRESSES * (settings.connect_timeout_seconds + settings.read_timeout_seconds)
