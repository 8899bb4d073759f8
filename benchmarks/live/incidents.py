"""Tells the stories in which the server fills up, and logins are refused in the end."""

from __future__ import annotations

from typing import Final

from benchmarks.live.stage import ORDINARY, Stage
from benchmarks.live.story import Story

_STORM_SECONDS: Final = 1.5


def _ten(stage: Stage) -> None:
    stage.pods("api", 2, 4)


def _leak_before(stage: Stage) -> None:
    _ten(stage)
    _later(stage, "reports", 1.0, busy=0.02)


def _leak(stage: Stage) -> None:
    stage.goes("reports")
    stage.until_refused(120)


def _storm_before(stage: Stage) -> None:
    stage.pods("api", 2, 6)
    stage.pods("admin", 1, 6)
    _later(stage, "checkout", _STORM_SECONDS / (ORDINARY - 20), busy=0.9)


def _storm(stage: Stage) -> None:
    stage.goes("checkout")
    stage.until_refused(30)


def _later(stage: Stage, name: str, pause: float, busy: float, *more: str) -> None:
    """Start a client that takes every slot, one each *pause* seconds, once it is told to."""
    stage.ready(stage.pod(name, ORDINARY, pause=pause, busy=busy, more=("--later", *more)))


def _nest_before(stage: Stage) -> None:
    _ten(stage)
    app = stage.node("nest.cjs", "nest", 1, 5, round(stage.rng.uniform(4.0, 6.0), 1))
    stage.ready(app)


def _nest(stage: Stage) -> None:
    stage.goes("nest")
    stage.until_refused(150)


def _per_request_before(stage: Stage) -> None:
    _ten(stage)
    app = stage.node("per_request.cjs", "functions", round(stage.rng.uniform(1.5, 2.5), 1))
    stage.ready(app)


def _per_request(stage: Stage) -> None:
    stage.goes("functions")
    stage.until_refused(150)


def _lock_before(stage: Stage) -> None:
    for name, rate in (("orders", 8), ("api", 4), ("search", 4)):
        stage.ready(stage.node("pool.cjs", name, 60, rate, 0.2))


def _lock(stage: Stage) -> None:
    stage.begin()
    stage.hold_row("backoffice")
    stage.until_refused(120)


def _in_transaction_before(stage: Stage) -> None:
    _ten(stage)
    _later(stage, "billing", stage.rng.uniform(0.9, 1.5), 0.0, "--in-transaction")


def _in_transaction(stage: Stage) -> None:
    stage.goes("billing")
    stage.until_refused(150)


def _overlap_before(stage: Stage) -> None:
    stage.pods("web", 12, 4)
    stage.pods("api", 1, 8)


def _overlap(stage: Stage) -> None:
    stage.begin()
    for _ in range(12):
        one = stage.pod("web", 4)
        stage.wait_about(2.5)
        if stage.refused():
            break
        stage.ready(one)
    stage.until_refused(10)


def _autoscaler_before(stage: Stage) -> None:
    stage.pods("api", 3, 5)
    stage.pods("worker", 2, 5)


def _autoscaler(stage: Stage) -> None:
    stage.begin()
    while not stage.refused():
        stage.pod("worker", 5, busy=0.5)
        stage.wait(10.0)
    stage.until_refused(1, 5)


INCIDENTS: Final = (
    Story(
        "leak",
        "one connection a second, from 10 to 97, none is closed",
        _leak,
        _leak_before,
        culprits=("reports",),
        least_lead=20.0,
    ),
    Story(
        "storm",
        "77 busy connections within 1.5 s, from 20",
        _storm,
        _storm_before,
        culprits=("checkout",),
        least_lead=-1.0,
    ),
    Story(
        "nest-prisma",
        "Nest: every module a PrismaClient, a pool of 5; one more module every 5 s",
        _nest,
        _nest_before,
        culprits=("nest",),
        least_lead=0.0,
    ),
    Story(
        "prisma-per-request",
        "a new PrismaClient for every request, two a second, none is disconnected",
        _per_request,
        _per_request_before,
        culprits=("functions",),
        least_lead=0.0,
    ),
    Story(
        "lock",
        "a transaction holds a hot row; the pools of three services fill with those who wait",
        _lock,
        _lock_before,
        culprits=("orders", "backoffice"),
        least_lead=0.0,
    ),
    Story(
        "idle-in-transaction",
        "one more session a second stays idle in its transaction",
        _in_transaction,
        _in_transaction_before,
        culprits=("billing",),
        least_lead=0.0,
    ),
    Story(
        "overlap",
        "60 % held; twelve new pods come before the twelve old ones go, and do not fit",
        _overlap,
        _overlap_before,
        culprits=("web",),
        least_lead=0.0,
    ),
    Story(
        "autoscaler",
        "one more pod of 5 every 10 s",
        _autoscaler,
        _autoscaler_before,
        culprits=("worker",),
        least_lead=0.0,
    ),
)
