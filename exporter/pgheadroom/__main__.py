"""Run pgheadroom: ``python -m pgheadroom``, and the command ``pgheadroom``."""

from __future__ import annotations

import sys

from pgheadroom import cli


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(cli.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
