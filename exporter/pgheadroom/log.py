"""Writes log lines as logfmt or JSON, one event a line; foreign text cannot forge one."""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.types import EventDict, Processor

from pgheadroom.text import escaped

LogFormat = Literal["logfmt", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


def configure(format_: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Send every logger of the process, the libraries' too, to *stream* (stderr) in one format."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        _in_one_line,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _last(format_)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _last(format_: LogFormat) -> Processor:
    if format_ == "json":
        return structlog.processors.JSONRenderer()
    return structlog.processors.LogfmtRenderer(
        key_order=["ts", "level", "event", "target"], drop_missing=True, bool_as_flag=False
    )


def _in_one_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    r"""Escape what would end a line or hide in it, whichever library wrote it.

    The lines of a traceback are parted by ``\n``, which is easier to read than ``\u000a``.
    """
    return {
        key: escaped(value.replace("\n", r"\n")) if isinstance(value, str) else value
        for key, value in event.items()
    }


class Trouble:
    """Logs a trouble once when it begins, and once when it is over."""

    def __init__(
        self,
        log: structlog.stdlib.BoundLogger,
        begins: str,
        ends: str,
        level: int = logging.WARNING,
    ) -> None:
        self._log = log
        self._begins = begins
        self._ends = ends
        self._level = level
        self.lasts = False

    def begin(self, **fields: object) -> None:
        """Log that it begins, with *fields*, unless it lasts already."""
        if not self.lasts:
            self.lasts = True
            self._log.log(self._level, self._begins, **fields)

    def end(self, **fields: object) -> None:
        """Log that it is over, with *fields*, if it lasted."""
        if self.lasts:
            self.lasts = False
            self._log.info(self._ends, **fields)
