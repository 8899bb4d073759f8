"""Is an answer that no PostgreSQL gives told from one that it does?"""

import pytest

from pgheadroom import rows

GOOD = (b"12", b"5", b"1767229198.5", b"3")


def test_a_pulse_is_read() -> None:
    pulse = rows.pulse(GOOD, at=1.0, duration_seconds=0.5)
    assert (pulse.backends, pulse.started_at, pulse.hidden) == (12, 1767229198.5, 3)


@pytest.mark.parametrize("column", [0, 3])
@pytest.mark.parametrize("value", [b"-1", b"1e3", b"9" * 30, b"\xff", b"NaN"])
def test_what_is_no_count_makes_no_sense(column: int, value: bytes) -> None:
    row = [*GOOD]
    row[column] = value
    with pytest.raises(rows.SenselessError):
        rows.pulse(tuple(row), at=1.0, duration_seconds=0.5)


@pytest.mark.parametrize("value", [b"NaN", b"inf", b"-1e300", b"soon"])
def test_what_is_no_moment_makes_no_sense(value: bytes) -> None:
    with pytest.raises(rows.SenselessError):
        rows.pulse((*GOOD[:2], value, GOOD[3]), at=1.0, duration_seconds=0.5)


def test_a_row_that_is_too_short_makes_no_sense() -> None:
    with pytest.raises(rows.SenselessError):
        rows.pulse((), at=1.0, duration_seconds=0.5)
