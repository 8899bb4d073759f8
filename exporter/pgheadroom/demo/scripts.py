"""Defines the incidents to watch: a leak, a storm, a rolling update, each beside a calm day.

Each is a plan like `calm` that goes round: quiet for half a minute, the incident, full for a while,
and quiet again for so long that the alerts have resolved before it comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pgheadroom.demo.load import CALM, Act, Application, Script, Turn, calm
from pgheadroom.demo.pooler_script import POOLER
from pgheadroom.demo.server import APPLICATION_ROLE
from pgheadroom.model.alert import AlertName

NEST = "nest-api"
LAUNCH = "launch-fn"
ORDERS = "orders-api"

QUIET_SECONDS = 30.0

# PostgreSQL's default, which most servers have on the day it happens.
_MOST_CONNECTIONS = 100

_MODULES, _MODULE_POOL, _MODULE_EVERY_SECONDS = 50, 2, 5.0
_RESTART_SECONDS, _LEAK_ROUND_SECONDS = 300.0, 660.0

_FUNCTIONS, _LAUNCH_SECONDS, _CROWD_SECONDS, _DRAIN_SECONDS = 95, 20.0, 70.0, 30.0
_STORM_ROUND_SECONDS = 480.0

_POD_POOL, _POD_EVERY_SECONDS, _UPDATE_SECONDS = 8, 10.0, 120.0
_ROLLING_ROUND_SECONDS = 480.0
# Named as Kubernetes does, so that it is seen how pods are folded into one application.
_REPLICA_SETS = ("7c9f5d64b8", "5d4b6f88c9")
_PODS = ("2vxqk", "8nzrt", "c4wjd", "hx7pl", "m9sgf", "z5b6t")


def leak(seconds: float, *, seed: int) -> Mapping[str, int]:
    """Return the plan of an application whose every module opens a pool of its own.

    One module more every 5 s, to the fiftieth; a restart of the application drops them all.
    """
    into_it = seconds % _LEAK_ROUND_SECONDS
    modules = 0
    if QUIET_SECONDS <= into_it < _RESTART_SECONDS:
        modules = min(_MODULES, 1 + int((into_it - QUIET_SECONDS) / _MODULE_EVERY_SECONDS))
    return {**calm(seconds, seed=seed), NEST: _MODULE_POOL * modules}


def storm(seconds: float, *, seed: int) -> Mapping[str, int]:
    """Return the plan of a serverless launch: each cold start opens a connection of its own.

    All of them come within 20 s, stay for a minute, and end one after the other.
    """
    since = seconds % _STORM_ROUND_SECONDS - QUIET_SECONDS
    came = since / _LAUNCH_SECONDS
    left = (since - _LAUNCH_SECONDS - _CROWD_SECONDS) / _DRAIN_SECONDS
    return {
        **calm(seconds, seed=seed),
        LAUNCH: round(_FUNCTIONS * max(0.0, min(came, 1.0, 1.0 - left))),
    }


def rolling(seconds: float, *, seed: int) -> Mapping[str, int]:
    """Return the plan of an update that starts all new pods before the old ones end.

    Each pod opens a pool, and the pools of both do not fit. It is stuck until, after two minutes,
    somebody ends the old pods by hand.
    """
    number, into_it = divmod(seconds, _ROLLING_ROUND_SECONDS)
    since = into_it - QUIET_SECONDS
    started = 0 if since < 0 else min(len(_PODS), 1 + int(since / _POD_EVERY_SECONDS))
    remaining = len(_PODS) if since < _UPDATE_SECONDS else 0
    # What was new in one round is old in the next.
    old, new = _REPLICA_SETS if number % 2 == 0 else reversed(_REPLICA_SETS)
    counts = dict(calm(seconds, seed=seed))
    for replica_set, pods in ((old, remaining), (new, started)):
        for place, pod in enumerate(_PODS):
            counts[f"{ORDERS}-{replica_set}-{pod}"] = _POD_POOL if place < pods else 0
    return counts


async def _sit_in_a_pool(turn: Turn) -> None:
    """Be looked after by a pool now and then, and otherwise be idle."""
    await turn.connection.execute("SELECT 1")
    await turn.pause(turn.chance.uniform(20.0, 40.0))


async def _answer_a_request(turn: Turn) -> None:
    """Query nearly all of the time, as a function does that lives for one request."""
    await turn.connection.execute("SELECT pg_sleep(%s)", [turn.chance.uniform(1.0, 3.0)])
    await turn.pause(turn.chance.uniform(0.1, 0.3))


LEAK = Script(
    "leak",
    leak,
    (*CALM.applications, Application(NEST, APPLICATION_ROLE, _sit_in_a_pool)),
    _MOST_CONNECTIONS,
    _LEAK_ROUND_SECONDS,
    (
        Act(QUIET_SECONDS, "nest-api leaks: every 5 s one more module opens its own pool of 2"),
        Act(180, f"{AlertName.IMMINENT} pages, a minute ahead"),
        Act(240, f"{AlertName.EXHAUSTED} pages: new connections are refused"),
        Act(_RESTART_SECONDS, "nest-api restarts and releases all of its connections"),
        Act(_RESTART_SECONDS + 300, "the alerts resolve"),
    ),
)
STORM = Script(
    "storm",
    storm,
    (*CALM.applications, Application(LAUNCH, APPLICATION_ROLE, _answer_a_request)),
    _MOST_CONNECTIONS,
    _STORM_ROUND_SECONDS,
    (
        Act(QUIET_SECONDS, "launch-fn starts 95 times within 20 s, with a connection each"),
        Act(44, f"{AlertName.IMMINENT} pages, seconds ahead"),
        Act(48, f"{AlertName.EXHAUSTED} pages: new connections are refused"),
        Act(120, "launch-fn ends, within half a minute"),
        Act(430, "the alerts resolve"),
    ),
)
ROLLING = Script(
    "rolling",
    rolling,
    (
        *CALM.applications,
        *(
            Application(f"{ORDERS}-{replica_set}-{pod}", APPLICATION_ROLE, _sit_in_a_pool)
            for replica_set in _REPLICA_SETS
            for pod in _PODS
        ),
    ),
    _MOST_CONNECTIONS,
    _ROLLING_ROUND_SECONDS,
    (
        Act(0, "orders-api runs 6 pods, each with a pool of 8"),
        Act(QUIET_SECONDS, "orders-api is updated: a new pod every 10 s; the old ones stay"),
        Act(55, f"{AlertName.IMMINENT} pages, seconds ahead"),
        Act(65, f"{AlertName.EXHAUSTED} pages: the last pods get no pool"),
        Act(QUIET_SECONDS + _UPDATE_SECONDS, "someone stops the old pods; the new ones fit"),
        Act(450, "the alerts resolve"),
    ),
)

SCRIPTS: Mapping[str, Script] = MappingProxyType(
    {script.name: script for script in (CALM, LEAK, STORM, ROLLING, POOLER)}
)
"""Every script by its name."""
