"""Writes log lines as logfmt or JSON, one event a line; foreign text cannot forge one."""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.types import EventDict, Processor

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
    """Escape what would end a line or hide in it, whichever library wrote it."""
    return {
        key: _visible(value) if isinstance(value, str) else value for key, value in event.items()
    }


def _visible(value: str) -> str:
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
