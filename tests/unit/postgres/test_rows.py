"""Tests that an answer that no PostgreSQL gives is refused."""

import pytest

from pgheadroom.postgres import rows
from pgheadroom.postgres.starting import Starting

GOOD = (b"12", b"1767229198.5", b"3")
OLDER = (b"12", b"1767229198.5", b"{41,42}", b"{40}", b"{40,39}")


def test_a_pulse_is_read() -> None:
    pulse = rows.pulse(GOOD, at=1.0, duration_seconds=0.5)
    assert (pulse.visible, pulse.started_at, pulse.hidden) == (12, 1767229198.5, 3)


def test_a_pulse_of_14_to_16_tells_who_is_starting() -> None:
    pulse = rows.pulse(OLDER, at=1.0, duration_seconds=0.5)
    assert (pulse.visible, pulse.started_at, pulse.hidden) == (12, 1767229198.5, 0)
    assert rows.starting(OLDER) == Starting(
        frozenset({41, 42}), frozenset({40}), frozenset({39, 40})
    )
    assert rows.starting((*OLDER[:2], None, None, None)) == Starting()


@pytest.mark.parametrize("column", [0, 2])
@pytest.mark.parametrize("value", [b"-1", b"1e3", b"9" * 30, b"\xff", b"NaN"])
def test_what_is_no_count_makes_no_sense(column: int, value: bytes) -> None:
    row = [*GOOD]
    row[column] = value
    with pytest.raises(rows.SenselessError):
        rows.pulse(tuple(row), at=1.0, duration_seconds=0.5)


@pytest.mark.parametrize("column", [2, 3, 4])
@pytest.mark.parametrize("value", [b"{-1}", b"{1e3}", b"{" + b"9" * 30 + b"}", b"\xff", b"{x,1}"])
def test_what_are_no_pids_make_no_sense(column: int, value: bytes) -> None:
    row = [*OLDER]
    row[column] = value
    with pytest.raises(rows.SenselessError):
        rows.starting(tuple(row))


@pytest.mark.parametrize("value", [b"NaN", b"inf", b"-1e300", b"soon"])
def test_what_is_no_moment_makes_no_sense(value: bytes) -> None:
    with pytest.raises(rows.SenselessError):
        rows.pulse((GOOD[0], value, GOOD[2]), at=1.0, duration_seconds=0.5)


def test_a_row_that_is_too_short_makes_no_sense() -> None:
    with pytest.raises(rows.SenselessError):
        rows.pulse((), at=1.0, duration_seconds=0.5)
    with pytest.raises(rows.SenselessError):
        rows.starting(GOOD)
