"""Logs once when the process has run out of file descriptors, and once when that is over.

asyncio then stops accepting connections for a second and logs a hundred errors.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
from typing import Any

import structlog

from pgheadroom.log import Trouble

log = structlog.get_logger("pgheadroom.web.site")

SPENT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What the kernel says when we, or the whole machine, have used up what there is."""

_QUIET_SECONDS = 3.0
"""A connection that waits is tried once a second: when none was turned away so long, it is over."""


class OutOfDescriptors:
    """Handles what the loop complains of: out of descriptors is told once, the rest as ever."""

    def __init__(self) -> None:
        self._end: asyncio.TimerHandle | None = None
        self._trouble = Trouble(
            log,
            "out of file descriptors: no new connection is accepted",
            "new connections are accepted again",
            logging.ERROR,
        )

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle *context*, as a loop's exception handler does."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in SPENT and "socket" in context):
            loop.default_exception_handler(context)
            return
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._trouble.begin(reason=error.strerror, most_descriptors=most)
        if self._end is not None:
            self._end.cancel()
        self._end = loop.call_later(_QUIET_SECONDS, self._trouble.end)
