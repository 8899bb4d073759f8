"""Tells the stories in which nobody is ever refused, and nobody should be paged."""

from __future__ import annotations

from typing import Final

from benchmarks.live.clients import Client
from benchmarks.live.stage import Stage
from benchmarks.live.story import Story


def _service(stage: Stage) -> None:
    stage.pods("api", 1, 8)
    stage.pods("shop", 8, 8)


def _surge(stage: Stage) -> None:
    """Replace the pods one by one: a new one is up before its old one goes."""
    for old in list(stage.cast["shop"]):
        stage.ready(stage.pod("shop", 8))
        old.stop()
        stage.wait_about(2.0)
    stage.wait(30)


def _small_service(stage: Stage) -> None:
    stage.pods("api", 1, 8)


def _double(stage: Stage) -> None:
    """Start the service, and replace it twice: all new pods are up before the old ones go."""
    pods = stage.pods("shop", 6, 6)
    for _ in range(2):
        stage.wait_about(35)
        new = stage.pods("shop", 6, 6)
        stage.wait_about(3)
        _end(pods)
        pods = new
    stage.wait(25)


def _hard(stage: Stage) -> None:
    """Kill all pods, twice, and start as many again at once."""
    pods = stage.cast["shop"]
    for _ in range(2):
        for old in pods:
            old.kill()
        stage.wait_about(1)
        pods = stage.pods("shop", 8, 8)
        stage.wait_about(20)


def _end(pods: list[Client]) -> None:
    for one in pods:
        one.tell_to_stop()
    for one in pods:
        one.stop()


def _pool(stage: Stage) -> None:
    """Start the replicas of a pool that is sized to 85 to 90 %, all at once."""
    last = stage.rng.randint(1, 5)
    for one in [stage.pod("shop", size) for size in (*[9] * 8, last)]:
        stage.ready(one)


def _small_service_and_pool(stage: Stage) -> None:
    _small_service(stage)
    _pool(stage)


def _pool_comes(stage: Stage) -> None:
    _pool(stage)
    stage.wait(50)


def _stays(stage: Stage) -> None:
    stage.wait(30)


def _twenty(stage: Stage) -> None:
    stage.pods("api", 2, 9)


def _cron(stage: Stage) -> None:
    """Run a job every minute, up to 70 %, and end it."""
    for _ in range(3):
        stage.wait_about(5)
        job = stage.pod("nightly", 48, pause=stage.rng.uniform(0.05, 0.15), busy=0.8)
        stage.ready(job)
        stage.wait_about(20)
        job.stop()
        stage.wait_about(25)


def _pgbench_before(stage: Stage) -> None:
    stage.pods("api", 2, 9)
    stage.make_pgbench_tables()


def _pgbench(stage: Stage) -> None:
    """Run a steady load on 30 connections, beside short logins of a query each."""
    stage.pgbench("bench", "-c30", "-j2", "-T60", "-R60", "-n")
    stage.pgbench("short", "-C", "-S", "-c8", "-j1", "-T60", "-R40", "-n")
    stage.wait(70)


def _server_restart(stage: Stage) -> None:
    stage.server.restart()
    stage.wait(35)


HARMLESS: Final = (
    Story("restart-surge", "pods replaced one by one, 72 held", _surge, _service),
    Story(
        "restart-double",
        "0 to 36, then twice: all new pods up, then the old ones go",
        _double,
        _small_service,
        watched_seconds=8,
    ),
    Story("restart-hard", "all 64 of a service die and come back at once, twice", _hard, _service),
    Story(
        "first-start",
        "a daemon that has just started; a pool of 85 to 90 % comes up",
        _pool_comes,
        _small_service,
        watched_seconds=8,
    ),
    Story(
        "first-start-full",
        "the daemon starts where a pool holds 85 to 90 %",
        _stays,
        _small_service_and_pool,
        watched_seconds=0,
    ),
    Story("cron", "a job every minute, from 20 up to 70 % and back", _cron, _twenty),
    Story("pgbench", "30 steady clients, and 40 short logins a second", _pgbench, _pgbench_before),
    Story("server-restart", "the server restarts, 72 come back", _server_restart, _service),
)
