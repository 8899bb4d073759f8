"""Tests that a refusal for want of a slot is found in a server's log, and nothing else is."""

from datetime import UTC, datetime

import pytest
from benchmarks.live.serverlog import refusals
from hypothesis import given
from hypothesis import strategies as st

# As PostgreSQL 14 and 15, 16 and later, and every one of them put it.
NO_SLOT = (
    "remaining connection slots are reserved for non-replication superuser connections",
    "remaining connection slots are reserved for roles with the SUPERUSER attribute",
    (
        'remaining connection slots are reserved for roles with privileges of the "pg_use_reserved'
        '_connections" role'
    ),
    "sorry, too many clients already",
)
OTHER = (
    'FATAL:  too many connections for role "shop"',
    'FATAL:  too many connections for database "shop"',
    "FATAL:  the database system is starting up",
    "FATAL:  terminating connection due to administrator command",
    (
        "LOG:  connection authorized: user=shop database=postgres application_name=FATAL:  sorry,"
        " too many clients already"
    ),
    "ERROR:  sorry, too many clients already",
    "DETAIL:  sorry, too many clients already",
)
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)).map(  # noqa: DTZ001 - UTC follows
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)


def line(at: datetime, text: str) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC [4711] {text}\n"


@pytest.mark.parametrize("words", NO_SLOT)
def test_the_words_of_every_major(words: str) -> None:
    at = datetime(2026, 11, 28, 3, 41, 10, 123000, UTC)
    assert refusals(line(at, f"FATAL:  {words}")) == [at.timestamp()]


@given(st.lists(st.tuples(MOMENTS, st.sampled_from(NO_SLOT) | st.none(), st.sampled_from(OTHER))))
def test_each_is_found_to_the_millisecond_and_nothing_else(
    told: list[tuple[datetime, str | None, str]],
) -> None:
    text = "".join(
        line(at, other if words is None else f"FATAL:  {words}") for at, words, other in told
    )
    assert refusals(text) == [at.timestamp() for at, words, _ in told if words is not None]


def test_a_line_that_is_still_being_written_is_left_for_later() -> None:
    at = datetime(2026, 11, 28, 3, 41, 10, 123000, UTC)
    whole = line(at, f"FATAL:  {NO_SLOT[-1]}")
    assert refusals(whole + "2026-11-28 03:41:10.2") == [at.timestamp()]
    assert refusals("") == []
