"""Fetches what the clients on Node.js need: node-postgres, Prisma, Nest."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.parts import npm, store
from tests.support.parts.command import run
from tests.support.parts.part import Bundle, UnavailableError, Workshop

from benchmarks.support.figures import say

FOLDER: Final = Path(__file__).with_name("node")
_LOCK: Final = FOLDER / "package-lock.json"
_MODULES: Final = "node_modules"
_NAME: Final = "live-clients"


class Node(NamedTuple):
    """A Node.js, and the packages that it finds."""

    program: Path
    modules: Path


def _program() -> Path:
    own = npm.node()
    if own is not None:
        return own
    found = shutil.which("node")
    if found is None:
        raise UnavailableError("no Node.js: neither on PATH nor in this environment")
    return Path(found)


def _build(shop: Workshop) -> None:
    """Install what the lock file pins, without its scripts, and have Prisma write its client."""
    node = _program()
    for name in ("package.json", _LOCK.name, "schema.prisma"):
        shutil.copy(FOLDER / name, shop.bench)
    shop.say("fetching node-postgres, Prisma and Nest")
    run(
        [
            *npm.command(),
            *("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"),
            f"--cache={shop.bench / 'npm-cache'}",
        ],
        cwd=shop.bench,
    )
    shutil.rmtree(shop.bench / "npm-cache")
    # It looks for the engine that migrates schemas, which no client needs, and would download it.
    engine = {"PRISMA_SCHEMA_ENGINE_BINARY": str(node), "CHECKPOINT_DISABLE": "1"}
    prisma = shop.bench / _MODULES / "prisma" / "build" / "index.js"
    run([node, prisma, "generate", "--schema", "schema.prisma"], cwd=shop.bench, env=engine)


_BUNDLE: Final = Bundle(
    name=_NAME,
    pin=hashlib.sha256(_LOCK.read_bytes()).hexdigest(),
    parts={_NAME: _MODULES},
    build=_build,
)


def node() -> Node | str:
    """Return Node.js and the packages, fetched if need be, or why they cannot be had."""
    store.install(_BUNDLE, fresh=False, say=say)
    (part,) = store.parts_of(_BUNDLE)
    return Node(_program(), part.path) if part.path is not None else part.reason
