"""Tests how long the wait before the next attempt is, and what the log promises of it."""

from functools import partial

import pytest

from pgheadroom.model.reading import FAILURES, Outcome
from pgheadroom.net.backoff import again_seconds, delay_seconds, longest_delay_seconds


@pytest.mark.parametrize("outcome", FAILURES)
@pytest.mark.parametrize("failed", [1, 2, 5, 1000])
def test_no_pause_is_longer_than_was_promised(outcome: Outcome, failed: int) -> None:
    delay = partial(delay_seconds, first_seconds=1.0, longest_seconds=15.0)
    longest = longest_delay_seconds(outcome, first_seconds=1.0, longest_seconds=15.0)
    assert 0 < delay(outcome, failed) <= longest <= 15.0
    assert (longest == 1.0) == (delay(outcome, 1000, jitter=0.0) == 1.0)


def test_haste_is_for_a_full_server_and_ends() -> None:
    assert again_seconds(Outcome.FULL, 0)
    assert again_seconds(Outcome.RESERVED_ONLY, 9)
    assert not again_seconds(Outcome.FULL, 10)
    assert not again_seconds(Outcome.UNREACHABLE, 0)
    assert not again_seconds(None, 0)
