"""Tests how often a pooler is asked what is dear."""

from pgheadroom.pgbouncer.cadence import Full, full_due, lately_due

LAST = Full(at=1000.0, cost_seconds=0.001, clients=10, servers=3)


def test_the_first_is_full() -> None:
    assert full_due(None, 1000.0, 0, 0)


def test_what_moves_is_asked_again_soon() -> None:
    assert not full_due(LAST, 1001.9, 11, 3)
    assert full_due(LAST, 1002.0, 11, 3)
    assert full_due(LAST, 1002.0, 10, 4)


def test_what_stands_still_is_asked_again_late() -> None:
    assert not full_due(LAST, 1009.9, 10, 3)
    assert full_due(LAST, 1010.0, 10, 3)


def test_what_is_dear_is_asked_seldom() -> None:
    """At most two thousandths of the pooler's thread, but at least once a minute."""
    dear = LAST._replace(cost_seconds=0.05)
    assert not full_due(dear, 1024.9, 11, 3)
    assert full_due(dear, 1025.0, 11, 3)
    assert full_due(LAST._replace(cost_seconds=3.0), 1060.0, 10, 3)


def test_what_changes_seldom_is_asked_every_few_seconds() -> None:
    assert not lately_due(1000.0, 1004.9)
    assert lately_due(1000.0, 1005.0)
    assert lately_due(1000.0, 10.0)


def test_a_clock_that_was_set_back_does_not_blind_us() -> None:
    assert full_due(LAST, 10.0, 10, 3)
