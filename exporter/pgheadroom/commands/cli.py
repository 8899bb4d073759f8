"""Runs the command that the command line names, and maps its end to an exit status."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from pgheadroom.commands import (
    backtest,
    check,
    dashboards,
    demo,
    import_past,
    once,
    record,
    rules,
    serve,
    top,
)
from pgheadroom.commands.arguments import Answered, Command, ExitStatus, complain, fail, parse
from pgheadroom.commands.output import complaint
from pgheadroom.config.load import ConfigurationError

COMMANDS: Mapping[str, Command] = {
    "serve": serve,
    "once": once,
    "check": check,
    "top": top,
    "record": record,
    "demo": demo,
    "backtest": backtest,
    "import": import_past,
    "rules": rules,
    "dashboards": dashboards,
}


def main(arguments: Sequence[str]) -> ExitStatus:
    """Run the command that *arguments* name; return the exit status."""
    status = _run(arguments)
    problem = complaint()
    if problem is None:
        return status
    failed = fail(problem)
    return status or failed  # what the command found is worth more


def _run(arguments: Sequence[str]) -> ExitStatus:
    try:
        options = parse(arguments, COMMANDS)
        if options.command != "serve":  # which reloads at SIGHUP, when it can
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        return COMMANDS[options.command].run(options)
    except Answered:
        return ExitStatus.OK
    except ConfigurationError as error:
        return complain(error.problems)
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
