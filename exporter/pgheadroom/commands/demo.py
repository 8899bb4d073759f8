"""What is `pgheadroom demo` asked to show, and is that allowed?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from pgheadroom.config.load import ConfigurationError, load
from pgheadroom.daemon import AddressInUseError
from pgheadroom.demo.load import CALM
from pgheadroom.demo.scripts import SCRIPTS
from pgheadroom.demo.server import EmbeddedUnavailable
from pgheadroom.demo.trial import try_out
from pgheadroom.log import configure

_OK, _TROUBLE, _WRONG, _INTERRUPTED = 0, 1, 2, 130

_DESCRIPTION = """\
Starts an embedded PostgreSQL, watches it like `serve` does, and plays an incident on it, again and
again, so that one sees the page, the metrics and the alerts do their work. It says what happens
when. Ctrl-C ends it and leaves nothing behind.

  calm      a healthy day, as `make run` shows it (what is played without a NAME)
  leak      an application whose every module opens a pool of its own: full after 4 minutes
  storm     a serverless launch: cold starts take every slot within 20 seconds
  rolling   an update whose new pods start before the old ones end, and both do not fit

A round takes about ten minutes. Needs the extra pgheadroom[demo]. Servers of your own are left
alone: libpq's variables do not count here, and --dsn or targets are refused.

  pgheadroom demo leak --listen 127.0.0.1:10187 --alertmanager-urls http://localhost:9093"""


def main(arguments: Sequence[str]) -> int:
    """Play until a signal; return the exit status.

    0 after a signal, 1 when there is no server or no address to listen at, 2 when the arguments
    are not allowed, 130 when it was interrupted before it began.
    """
    rest = list(arguments)
    name = rest.pop(0) if rest and not rest[0].startswith("-") else CALM.name
    problems: list[str] = []
    script = SCRIPTS.get(name)
    if script is None:
        problems.append(f"no such demo: {name}; there are {', '.join(SCRIPTS)}")
    try:
        settings = load(
            rest, program="pgheadroom demo", description=_DESCRIPTION, operands=("[NAME]",)
        )
    except ConfigurationError as error:
        return _wrong([*problems, *error.problems])
    if settings.dsn is not None or settings.targets:
        problems.append("a demo has a server of its own: dsn and targets are not allowed with it")
    if script is None or problems:
        return _wrong(problems)
    configure(settings.log_format, settings.log_level)
    try:
        asyncio.run(try_out(settings, script))
    except ConfigurationError as error:
        return _wrong(error.problems)
    except (AddressInUseError, EmbeddedUnavailable) as error:
        sys.stderr.write(f"pgheadroom: {error}\n")
        return _TROUBLE
    except asyncio.CancelledError:
        return _INTERRUPTED
    return _OK


def _wrong(problems: Sequence[str]) -> int:
    for problem in problems:
        sys.stderr.write(f"pgheadroom: {problem}\n")
    return _WRONG
