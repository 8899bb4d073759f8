"""Runs `python -m tests.support.parts`."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

from tests.support.parts import store
from tests.support.parts.catalogue import bundles
from tests.support.parts.part import Bundle, Part


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(argv)
    peer = options.command == "list" or options.peer
    wanted = tuple(bundles(peer=peer))
    if options.command == "install":
        os.umask(0o022)  # under root, others have to read what is fetched
        for bundle in wanted:
            _install(bundle, fresh=options.fresh)
    parts = [part for bundle in wanted for part in store.parts_of(bundle)]
    _table(parts)
    missing = [part for part in parts if part.path is None]
    if missing and options.command == "install" and options.require_all:
        sys.stderr.write("missing: " + "; ".join(f"{p.name}: {p.reason}" for p in missing) + "\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.support.parts")
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="fetch what is missing")
    install.add_argument("--require-all", action="store_true", help="exit 1 if one cannot be had")
    install.add_argument(
        "--peer", action="store_true", help="also what the benchmarks compare with"
    )
    install.add_argument(
        "--fresh", action="store_true", help="take nothing from the system, as if it had nothing"
    )
    commands.add_parser("list", help="say what is where")
    return parser


def _install(bundle: Bundle, *, fresh: bool) -> None:
    say = partial(_say, bundle.name)
    store.install(bundle, fresh=fresh, say=say)
    missing = [part for part in store.parts_of(bundle) if part.path is None]
    say("; ".join(f"no {part.name}: {part.reason}" for part in missing) or "ready")


def _say(name: str, text: str) -> None:
    sys.stdout.write(f"{name}: {text}\n")
    sys.stdout.flush()


def _table(parts: Sequence[Part]) -> None:
    width = max(len(part.name) for part in parts)
    sys.stdout.write("\n")
    for part in parts:
        sys.stdout.write(f"{part.name:{width}}  {part.path or 'MISSING: ' + part.reason}\n")


if __name__ == "__main__":
    sys.exit(main())
