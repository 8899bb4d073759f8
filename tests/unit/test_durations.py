"""Tests that times are written as people say them, and read as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.durations import about, duration, moment, seconds_of, time_of


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (3.14, "3.1 s"),
        (9.99, "10 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (9999, "2 h 46 min"),
        (86_400, "1 d"),
        (200_000, "2 d 7 h"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_moment() -> None:
    assert moment(1767225600.9) == "2026-01-01 00:00:00"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("15s", 15), ("1.5h", 5400), ("30m", 1800), ("30d", 2_592_000), ("2w", 1_209_600)],
)
def test_seconds_of(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "-3d", "3 weeks", "1e9", "٣d", "3dd"])
def test_no_time_span(text: str) -> None:
    with pytest.raises(ValueError, match="not a time span"):
        seconds_of(text)


@pytest.mark.parametrize(
    "text",
    ["2026-01-01", "2026-01-01T00:00Z", "2026-01-01 01:00:00+01:00", "1767225600", "1767225600.0"],
)
def test_time_of(text: str) -> None:
    assert time_of(text) == 1767225600


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "12"])
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        time_of(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a few seconds"),
        (7, "a few seconds"),
        (9, "about 10 s"),
        (24, "about 20 s"),
        (26, "about 30 s"),
        (100, "about 1 min 30 s"),
        (3700, "about 1 h"),
        (90_000, "about 1 d"),
        (15 * 86_400, "weeks"),
        (math.inf, "weeks"),
    ],
)
def test_an_estimate_promises_no_precision(seconds: float, words: str) -> None:
    assert about(seconds) == words


RANKS = {
    words: rank
    for rank, words in enumerate(
        dict.fromkeys(about(seconds) for seconds in (*range(100), *range(100, 3_000_000, 50)))
    )
}


@given(st.floats(0.0, 1e7), st.floats(0.0, 1e7))
def test_less_time_is_never_told_as_more(one: float, other: float) -> None:
    sooner, later = sorted((one, other))
    assert RANKS[about(sooner)] <= RANKS[about(later)]
