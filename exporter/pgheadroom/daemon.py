"""How do the parts become a daemon: built in order, run until a signal, ended in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import structlog

from pgheadroom import __version__
from pgheadroom.alertmanager import Alertmanagers
from pgheadroom.board import Board
from pgheadroom.canary import APPLICATION_NAME as CANARY
from pgheadroom.configuration import load_web
from pgheadroom.exposition import Exposition
from pgheadroom.keeper import Keeper
from pgheadroom.names import Folder
from pgheadroom.notice import Form
from pgheadroom.notify import Herald
from pgheadroom.post import Credentials
from pgheadroom.sampler import Sampler
from pgheadroom.schedule import Schedule
from pgheadroom.selfmetrics import SelfMetrics
from pgheadroom.session import Access
from pgheadroom.settings import Settings, TargetSettings, split_address
from pgheadroom.statedir import StateDirectory
from pgheadroom.step import Policy
from pgheadroom.web import Site, serve
from pgheadroom.web_auth import guard

log = structlog.get_logger("pgheadroom.daemon")

Started = Callable[[str], None]

_GRACE_SECONDS = 1.0
_KNOCKS_APART_SECONDS = 1.0
_KEEP_SECONDS = 1.0
_CANARY_SECONDS = 1.0
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


def keeper(settings: Settings, board: Board, own: SelfMetrics) -> Keeper | None:
    """Return what keeps the states on *board* over a restart, if *settings* want that."""
    path = settings.directory_of_state()
    return None if path is None else Keeper(StateDirectory(path), board, own)


async def run(
    settings: Settings, targets: Mapping[str, TargetSettings], started: Started | None = None
) -> None:
    """Watch *targets* until SIGINT or SIGTERM.

    Raises AddressInUseError, or ConfigurationError if the web configuration file is wrong.

    *started* is called once, with the address at which pages are served, when they are.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, targets) as address:
        log.info("started", version=__version__, address=address, targets=len(targets))
        if started is not None:
            started(address)
        await stop.wait()
        log.info("stopping")
    log.info("stopped")


@contextlib.asynccontextmanager
async def running(settings: Settings, targets: Mapping[str, TargetSettings]) -> AsyncIterator[str]:
    """Watch *targets* for as long as the context lasts; its value is the address in use."""
    web_config, tls = load_web(settings.web_config_file)
    decided = policy(settings)
    board = Board(targets, decided.thresholds)
    exposition = Exposition(board)
    own = SelfMetrics()
    own.configured(time.time())
    told = alertmanagers(settings, board, own)
    kept = keeper(settings, board, own)
    jobs = Jobs(own)
    if kept is not None:  # before a page could show that nothing fires
        await jobs.guarded("state", kept.recall)()
    host, port = split_address(settings.listen)
    app = Site(board, exposition, own).application()
    guard(app, web_config)
    try:
        runner, port = await serve(app, host, port, tls)
    except OSError as error:
        message = f"cannot listen at {settings.listen}: {error.strerror or error}"
        raise AddressInUseError(message) from error
    samplers = [
        Sampler(access(settings, name, target), decided, board) for name, target in targets.items()
    ]
    schedule = timetable(settings, samplers, jobs)
    if kept is not None:
        schedule.every(_KEEP_SECONDS, jobs.guarded("state", kept.turn))
    for peer in told.peers:
        jobs.repeat("page", peer.turn)
    stuck = stuck_seconds(settings)
    herald = Herald(board, lambda: jobs.longest_seconds("sample") < stuck)
    for seconds, turn in herald.turns():
        schedule.every(seconds, jobs.guarded("notify", turn))
    schedule.start()
    try:
        yield f"{'http' if tls is None else 'https'}://{host or 'localhost'}:{port}"
    finally:
        herald.stopping()
        schedule.stop()
        await jobs.end()
        await jobs.guarded("page", told.last_words)()
        if kept is not None:
            await jobs.guarded("state", kept.finish)()
        for sampler in samplers:
            sampler.close()
        await runner.cleanup()


def timetable(settings: Settings, samplers: Sequence[Sampler], jobs: Jobs) -> Schedule:
    """Return when each of *samplers* has its turns, of which none has begun."""
    schedule = Schedule()
    for number, sampler in enumerate(samplers):
        # Spread over the interval, so that many targets do not all have their turn at once.
        offset = settings.interval_seconds * number / len(samplers)
        schedule.every(
            settings.interval_seconds,
            jobs.guarded("sample", sampler.sample),
            first_after_seconds=offset,
        )
        if settings.knock_interval_seconds:
            # A knock costs a server a process: the knocks of many targets are spread further.
            apart = min(_KNOCKS_APART_SECONDS, settings.knock_interval_seconds / len(samplers))
            schedule.every(
                settings.knock_interval_seconds,
                jobs.guarded("knock", sampler.knock),
                first_after_seconds=number * apart,
            )
        if sampler.has_canary:
            schedule.every(
                _CANARY_SECONDS,
                jobs.guarded("canary", sampler.visit),
                first_after_seconds=number / len(samplers),
            )
    return schedule


def stuck_seconds(settings: Settings) -> float:
    """Return how long a turn of a sampler can't take, unless there is a bug in it.

    Every wait in it has an end; the longest turn is that of a target with many addresses, none
    of which answers.
    """
    return _MOST_ADDRESSES * (settings.connect_timeout_seconds + settings.read_timeout_seconds)


class Jobs:
    """The jobs that run: a bug ends one of them loudly, and the daemon can end them all."""

    def __init__(self, own: SelfMetrics) -> None:
        self._own = own
        self._running: dict[asyncio.Task[None], tuple[str, float]] = {}
        self._repeating: set[asyncio.Task[None]] = set()

    def guarded(
        self, name: str, work: Callable[[], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Return *work* as a job that never raises: what it raises is logged and counted."""

        async def job() -> None:
            task = asyncio.ensure_future(self._logged(name, work))
            self._running[task] = name, time.monotonic()
            task.add_done_callback(self._running.pop)
            await asyncio.wait([task])

        return job

    def longest_seconds(self, name: str) -> float:
        """Return for how long the oldest job *name* has been running; 0 if none runs."""
        now = time.monotonic()
        return max((now - at for which, at in self._running.values() if which == name), default=0.0)

    def repeat(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do *work*, which keeps its own beat, again and again until the end."""
        job = self.guarded(name, work)

        async def again_and_again() -> None:
            while True:
                await job()

        self._repeating.add(asyncio.create_task(again_and_again()))

    async def end(self) -> None:
        """Cancel what still runs, and wait a moment for it."""
        # What repeats first, or it would begin anew.
        tasks = [*self._repeating, *self._running]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE_SECONDS)

    async def _logged(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:  # the one place where a bug is caught: it must not stop the other targets
            self._own.bug(name)
            log.exception("bug", job=name)
