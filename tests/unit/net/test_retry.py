"""Tests when the next attempt is due after failures and successes."""

import time

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.model.reading import FAILURES, Outcome
from pgheadroom.net.retry import Retry


def test_the_first_attempt_is_due_at_once() -> None:
    assert Retry(1.0, 15.0).due


@given(st.lists(st.sampled_from(FAILURES), min_size=1, max_size=12), st.booleans())
def test_a_pause_is_never_longer_than_what_is_promised(
    outcomes: list[Outcome],
    patient: bool,  # noqa: FBT001 - a strategy fills it
) -> None:
    retry = Retry(1.0, 15.0, patient=patient)
    for outcome in outcomes:
        retry.failed_with(outcome)
        assert retry.seconds is not None
        assert retry.seconds_at_most is not None
        assert 0.75 <= retry.seconds <= retry.seconds_at_most <= 15.0
        assert not retry.due
    assert retry.failed == len(outcomes)
    retry.succeeded()
    assert (retry.seconds, retry.seconds_at_most, retry.failed) == (None, None, 0)
    assert retry.due


def test_an_attempt_that_took_long_is_followed_soon() -> None:
    """Half the first pause is left at the least, so that a slow failure is not repeated at once."""
    retry = Retry(2.0, 15.0)
    retry.failed_with(Outcome.TIMEOUT, began=time.monotonic() - 60)
    assert retry.seconds is not None
    assert 0.7 <= retry.seconds <= 1.0


def test_one_that_has_to_wait_may_be_called_earlier() -> None:
    retry = Retry(600.0, 600.0, patient=True)
    retry.failed_with(Outcome.FULL)
    assert not retry.due
    retry.at_once()
    assert retry.due
