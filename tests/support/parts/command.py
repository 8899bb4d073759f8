"""Runs a helper program and returns its answer, or why it failed."""

import os
import subprocess
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from tests.support.parts.account import Demotion, demotion
from tests.support.parts.orphans import follow_parent
from tests.support.parts.part import UnavailableError

_TAIL_LINES = 4


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path = Path("/"),
    env: Mapping[str, str] | None = None,
    unprivileged: bool = False,
    deadline_seconds: float = 900,
    accepted: Container[int] = (0,),
) -> str:
    """Run *argv* and return what it printed.

    Raises `UnavailableError` with its last words when its exit code is none of *accepted*.
    """
    who: Demotion = demotion() if unprivileged else {}
    program = Path(argv[0]).name
    try:
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=cwd,
            # Messages are parsed and shown, so they are asked for in one language.
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=deadline_seconds,
            # What writes into the cache must not go on after an install that was killed.
            preexec_fn=follow_parent(),
            **who,
        )
    except subprocess.TimeoutExpired as error:
        text = f"{program}: no end after {deadline_seconds:.0f} seconds"
        raise UnavailableError(text) from error
    except OSError as error:
        text = f"{program}: {error.strerror or error}"
        raise UnavailableError(text) from error
    if done.returncode not in accepted:
        tail = " | ".join(done.stdout.strip().splitlines()[-_TAIL_LINES:])
        text = f"{program}: exit code {done.returncode}: {tail}"
        raise UnavailableError(text)
    return done.stdout
