"""Defines the incident behind a pooler: pools that fit, pools that do not, and then a busy day."""

from __future__ import annotations

from collections.abc import Mapping

from pgheadroom.demo.load import CALM, Act, Application, Script, Turn, calm
from pgheadroom.demo.pooler import PoolerPlan
from pgheadroom.demo.server import APPLICATION_ROLE
from pgheadroom.model.alert import AlertName

FUNCTION = "checkout-fn"
INSTANCES = 150

_ENTRIES = ("orders", "billing", "mail")
_ROLES = ("api", "web", "job", "cron")
_PAIRS = tuple((entry, role) for entry in _ENTRIES for role in _ROLES)
_ONE_POOL, _POOL = 20, 10
_SPLIT_SECONDS, _RELEASE_SECONDS, _BUSY_SECONDS, _OVER_SECONDS = 60.0, 30.0, 180.0, 270.0
_ROUND_SECONDS = 630.0
_MOST_CONNECTIONS = 100


def pooler(seconds: float, *, seed: int) -> Mapping[str, int]:
    """Return the plan of a function that moves from one pool to twelve, and then has much to do."""
    into_it = seconds % _ROUND_SECONDS
    counts = dict(calm(seconds, seed=seed))
    moved = 0
    if into_it < _OVER_SECONDS:
        released = (into_it - _SPLIT_SECONDS) / _RELEASE_SECONDS
        moved = round(INSTANCES * min(1.0, max(0.0, released)))
    busy = _BUSY_SECONDS <= into_it < _OVER_SECONDS
    counts[_name("", "", busy=False)] = INSTANCES - moved
    for number, (entry, role) in enumerate(_PAIRS):
        share = moved // len(_PAIRS) + (number < moved % len(_PAIRS))
        counts[_name(entry, role, busy=False)] = 0 if busy else share
        counts[_name(entry, role, busy=True)] = share if busy else 0
    return counts


def _name(entry: str, role: str, *, busy: bool) -> str:
    return " ".join(part for part in (FUNCTION, entry, role, "busy" if busy else "") if part)


async def _answer_now_and_then(turn: Turn) -> None:
    """Query for a moment, every few seconds."""
    await turn.connection.execute("SELECT pg_sleep(0.01)")
    await turn.pause(turn.chance.uniform(2.0, 4.0))


async def _wait_for_a_lock(turn: Turn) -> None:
    """Be in a transaction for long, as everybody is who waits for one lock."""
    await turn.connection.execute("SELECT pg_sleep(%s)", [turn.chance.uniform(8.0, 12.0)])


POOLER = Script(
    "pooler",
    pooler,
    (
        *CALM.applications,
        Application(
            _name("", "", busy=False), APPLICATION_ROLE, _answer_now_and_then, "shop", FUNCTION
        ),
        *(
            Application(_name(entry, role, busy=busy), role, habit, entry, FUNCTION)
            for busy, habit in ((False, _answer_now_and_then), (True, _wait_for_a_lock))
            for entry, role in _PAIRS
        ),
    ),
    _MOST_CONNECTIONS,
    _ROUND_SECONDS,
    (
        Act(0, f"{INSTANCES} instances of {FUNCTION} share one pool of {_ONE_POOL}, which fits"),
        Act(_SPLIT_SECONDS, "a release: 3 databases with 4 roles make 12 pools of 10; 95 slots"),
        Act(150, f"{AlertName.OVERCOMMITTED} warns, while nearly all slots are free"),
        Act(_BUSY_SECONDS, "a lock makes every transaction long, and the pools fill"),
        Act(182, f"{AlertName.EXHAUSTED} pages, and names who holds the slots"),
        Act(200, f"{AlertName.QUEUE} pages: clients wait at the pooler"),
        Act(_OVER_SECONDS, "the release is rolled back; its pools remain, and so does the warning"),
        Act(_OVER_SECONDS + 330, "the pages resolve"),
    ),
    PoolerPlan(
        {"shop": _ONE_POOL, **dict.fromkeys(_ENTRIES, _POOL)}, (APPLICATION_ROLE, *_ROLES), 400
    ),
)
