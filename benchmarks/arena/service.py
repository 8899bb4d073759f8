"""An application: requests arrive, take a while, and need a connection meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from benchmarks.arena.chance import binomial, peak, poisson
from benchmarks.arena.pool import Pod, PoolSettings
from benchmarks.arena.server import Desk, Server

Curve = Callable[[float], float]
"""A quantity at a moment; seconds since the beginning of the story."""


@dataclass(slots=True)
class Service:
    """Processes of one application, each with a pool, that share the requests between them.

    By Little's law as many connections are busy as requests arrive in the time that one takes.
    """

    name: str
    settings: PoolSettings
    rate: Curve
    """Requests a second, of all processes together."""
    seconds: Curve
    """How long a request holds its connection."""
    desk: Desk
    rng: Random
    retries: float = 0.0
    """How many new requests follow each one that found no connection in time."""
    locked: Curve = lambda _: 0.0
    """The share of requests that run into a lock which somebody else holds."""
    lock_timeout: float = math.inf
    """So long a request waits for a lock before it gives up."""
    forgetful: Curve = lambda _: 0.0
    """The share of requests that begin a transaction and never end it."""
    pods: list[Pod] = field(default_factory=list)
    busy: int = 0
    blocked: int = 0
    parked: list[float] = field(default_factory=list)
    """When each transaction began that nobody will end."""
    session_each: bool = False
    """Whether every request opens a session of its own, as PHP does."""
    _dropped: float = 0.0
    _flow: float = 0.0

    @property
    def server(self) -> Server:
        """Where it connects to."""
        return self.desk.server

    def start(self, now: float, number: int = 1, settings: PoolSettings | None = None) -> list[Pod]:
        """Start so many processes, and return them."""
        pods = [Pod(settings or self.settings, now) for _ in range(number)]
        self.pods += pods
        return pods

    def stop(self, now: float, number: int = 1, grace: float = 0.0) -> None:
        """Stop the oldest processes; each keeps its connections for *grace* seconds more."""
        staying = [pod for pod in self.pods if pod.drains == math.inf]
        for pod in staying[:number]:
            pod.drains, pod.leaves = now, now + grace

    def scale(self, now: float, number: int, grace: float = 5.0) -> None:
        """Start or stop processes until there are *number*."""
        staying = sum(pod.drains == math.inf for pod in self.pods)
        if number > staying:
            self.start(now, number - staying)
        elif number < staying:
            self.stop(now, staying - number, grace)

    def live(self, now: float, step: float) -> None:
        """Let *step* seconds pass, up to *now*."""
        for pod in self.pods:
            if pod.leaves <= now:
                pod.end(self.desk)
        self.pods = [pod for pod in self.pods if pod.leaves > now]
        working = [pod for pod in self.pods if pod.drains > now]
        self._serve(now, step, sum(pod.settings.most for pod in working))
        self._connect(now, step, working)
        room = max(0, self.desk.held - len(self.parked) - self.blocked)
        self._dropped += max(0, self.busy - room) / step
        self.busy = min(self.busy, room)

    def _serve(self, now: float, step: float, most: int) -> None:
        """Let requests arrive and end; those for which no pool has room are dropped."""
        rng, each = self.rng, max(1e-4, self.seconds(now))
        arriving = self.rate(now) + self.retries * self._dropped
        held_up, forgotten = self.locked(now), self.forgetful(now)
        self._wait(arriving * held_up * step, step, held_up)
        if forgotten:
            new = poisson(rng, arriving * forgotten * step)
            self.parked += [now - step * rng.random() for _ in range(new)]
            self.parked.sort()
        flowing = arriving * (1.0 - held_up - forgotten)
        self._flow = flowing * each
        stays = math.exp(-step / each)
        staying = binomial(rng, self.busy, stays)
        lasting = each * (1.0 - stays)
        busy = staying + poisson(rng, flowing * lasting)
        room = max(0, most - self.blocked - len(self.parked))
        passed = poisson(rng, flowing * max(0.0, step - lasting))
        # A pool whose places are all taken serves no more than its places can.
        passed = min(passed, int(room * step / each))
        self.server.commits += self.busy - staying + passed
        self.server.opened += passed if self.session_each else 0
        self._dropped = max(0, busy - room) / step
        self.busy = min(busy, room)

    def _wait(self, arriving: float, step: float, held_up: float) -> None:
        if held_up:
            gave_up = binomial(self.rng, self.blocked, 1.0 - math.exp(-step / self.lock_timeout))
            self.blocked += poisson(self.rng, arriving) - gave_up
        elif self.blocked:  # the lock is free: whoever waited goes through within a second or two
            through = binomial(self.rng, self.blocked, 1.0 - math.exp(-step))
            self.blocked -= through
            self.server.commits += through

    def _connect(self, now: float, step: float, working: list[Pod]) -> None:
        """Let each process hold the connections that its share of the requests needs."""
        most = sum(pod.settings.most for pod in working)
        self.parked = self.parked[:most]
        self.blocked = min(self.blocked, most - len(self.parked))
        stuck = self.blocked + len(self.parked)
        each = max(1e-4, self.seconds(now))
        left, places = self.busy + stuck, most
        for pod in working:
            settings = pod.settings
            if settings.most == settings.least:
                pod.live(now, 0, self.desk)
                continue
            # What is in use this moment is shared out to the last one; between two samples that
            # are far apart a pool was larger.
            needed = math.ceil(left * settings.most / places)
            left, places = left - needed, places - settings.most
            if step > each:
                share = settings.most / most
                highest = peak(self.rng, self._flow * share, step / each)
                needed = max(needed, highest + math.ceil(stuck * share))
            pod.live(now, needed, self.desk)
