"""Tests what parses foreign bytes with a few fuzzed inputs; `make fuzz` runs a million."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from fuzz.harness import Harness
from fuzz.harnesses import HARNESSES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_SLOW = {"configuration": 20, "page": 100, "memory": 50}
"""How many inputs, where one takes milliseconds."""


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


each = pytest.mark.parametrize("harness", HARNESSES, ids=lambda harness: harness.name)


@each
def test_what_is_right_or_nearly(harness: Harness) -> None:
    words = () if harness.name in _SLOW else harness.words
    for seed in (*harness.seeds, b"", b"\0", b"\xff" * 9, *(word.encode() for word in words)):
        harness.once(seed)


def mutated(harness: Harness) -> st.SearchStrategy[bytes]:
    """Return seeds of *harness* with something in place of a part of them."""
    words = st.sampled_from([b"", *(word.encode() for word in harness.words)])
    what = st.binary(max_size=9) | words
    places = st.tuples(st.integers(0, 400), st.integers(0, 9), what)

    def put(seed: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for place, length, bytes_ in changes:
            at = place % (len(seed) + 1)
            seed = seed[:at] + bytes_ + seed[at + length :]
        return seed

    return st.builds(put, st.sampled_from(harness.seeds), st.lists(places, max_size=4))


@each
def test_whatever_the_bytes(harness: Harness) -> None:
    @settings(
        max_examples=_SLOW.get(harness.name, 300),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.binary(max_size=200) | mutated(harness))
    def given_bytes(data: bytes) -> None:
        harness.once(data)

    given_bytes()
