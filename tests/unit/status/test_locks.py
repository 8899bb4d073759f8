"""Tests that where one session blocks many, that is the first thing to do about."""

from __future__ import annotations

import pytest
from tests.support.histories import START, after, climb, pool, samples, together

from pgheadroom.model.blockers import CLIENT, PREPARED, Blocker, Blockers
from pgheadroom.state import State
from pgheadroom.status.advice import to_do
from pgheadroom.status.remedies import remedies

ROOT = Blocker(
    *(7895, CLIENT, "migrate", "shop", "shop", "idle in transaction", 183.4, 64, 90.0),
    (("checkout", 64),),
)


def blocked(root: Blocker = ROOT, ago: float = 2.0) -> State:
    """Return a server that fills up with sessions that wait for *root*, seen so long *ago*."""
    state = after(samples(together(pool("web", 10), climb("checkout", 0, 0.5, begins=30)), 200))
    assert state.sample is not None
    return state._replace(blockers=Blockers(state.sample.at - ago, 64, 50, (root,)))


def test_the_blocker_is_the_first_thing_to_do_and_not_the_pool_that_waits() -> None:
    said = to_do(blocked())
    assert said.startswith("migrate (pid 7895) is idle in transaction for 3 min 3 s and blocks 64")
    assert "checkout" not in said
    first = remedies(blocked())[0]
    assert "pid = 7895\n" in first.statement
    assert "interval '183 seconds'" in first.statement
    assert "rolled back" in first.does


def test_a_prepared_transaction_has_no_session_to_end() -> None:
    root = ROOT._replace(pid=0, kind=PREPARED, application_name="", state="prepared")
    said = to_do(blocked(root))
    assert said.startswith("A prepared transaction is neither committed nor rolled back for 3 min")
    assert not any("blocks" in one.label for one in remedies(blocked(root)))


@pytest.mark.parametrize(
    "state",
    [blocked(ROOT._replace(blocks=4)), blocked(ago=90.0), blocked()._replace(blockers=None)],
)
def test_a_short_queue_or_an_old_one_is_no_reason(state: State) -> None:
    assert "checkout" in to_do(state)
    assert not any("blocks" in one.label for one in remedies(state))
    assert state.sample is not None
    assert state.sample.at > START
