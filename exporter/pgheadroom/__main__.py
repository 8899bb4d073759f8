"""Run pgheadroom: ``python -m pgheadroom``, and the command ``pgheadroom``."""

from __future__ import annotations

import signal
import sys

_SIGNALLED = 128  # what a shell adds to the number of the signal that ended a command


def _leave(number: int, _frame: object) -> None:
    sys.exit(_SIGNALLED + number)


# Before the imports, which take a while: the first process of a container ignores a signal that
# it has no handler for, and would be killed only when the patience of whoever stops it ends.
for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, _leave)

# One that comes before the daemon can reload waits until it can; every other command lets it in.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})

from pgheadroom import cli  # noqa: E402 - see above


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(cli.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
