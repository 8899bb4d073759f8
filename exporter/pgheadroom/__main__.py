"""Runs pgheadroom: ``python -m pgheadroom``, and the command ``pgheadroom``."""

from __future__ import annotations

import os
import signal
import sys

# Where standard input, output or error is closed, the next socket would get its number; and what
# is written to standard error, by libpq for one, would go to a server.
while (_lowest := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - standard error
    pass
os.close(_lowest)
sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - a descriptor
sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 - a descriptor

_SIGNALLED = 128  # what a shell adds to the number of the signal that ended a command


def _leave(number: int, _frame: object) -> None:
    sys.exit(_SIGNALLED + number)


# Before the imports, which take a while: the first process of a container ignores a signal that
# it has no handler for, and would be killed only when the stop timeout ends.
for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, _leave)

# One that comes before the daemon can reload waits until it can; every other command lets it in.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})

from pgheadroom.commands import cli  # noqa: E402 - see above
from pgheadroom.commands.output import Output  # noqa: E402 - see above


def main() -> None:
    """Run the command line and exit with its status."""
    sys.stdout = Output(sys.stdout)
    try:
        sys.exit(cli.main(sys.argv[1:]))
    finally:
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            # A log whose reader is gone: Python would try again, and exit with 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


if __name__ == "__main__":
    main()
