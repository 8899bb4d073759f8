"""Gives a test a running daemon, and waits for what it publishes."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from tests.support.fixtures.logs import show_on_failure
from tests.support.servers.headroom import Headroom


class MakeHeadroom(Protocol):
    """Starts a daemon with *config* as its file."""

    def __call__(self, config: str, **environment: str) -> Headroom:
        """Return the running daemon."""
        ...


@pytest.fixture
def make_headroom(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeHeadroom]:
    """Return a function that starts daemons which end with the test."""
    with ExitStack() as stack:
        count = 0

        def make(config: str, **environment: str) -> Headroom:
            nonlocal count
            count += 1
            folder = tmp_path / f"headroom{count}"
            folder.mkdir()
            daemon = Headroom(folder, config, **environment)
            show_on_failure(request, "log of pgheadroom", daemon.log.read)
            return stack.enter_context(daemon)

        yield make
