"""Finds a free TCP port on the loopback interface."""

import socket
from collections.abc import Callable
from typing import Final, TypeVar

from tests.support.servers.process import DiedError

T = TypeVar("T")

LOOPBACK: Final = "127.0.0.1"
_ATTEMPTS: Final = 5
_TAKEN: Final = "address already in use"


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def on_free_port(start: Callable[[int], T]) -> T:
    """Return what *start* gives for a free port, trying others while somebody is quicker."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return start(free_port())
        except DiedError as error:
            if _TAKEN not in str(error).lower():
                raise
    return start(free_port())
