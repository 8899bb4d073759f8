"""Runs all harnesses under atheris, or the named ones: RUNS inputs in total (a million)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fuzz.harness import Harness
from fuzz.harnesses import HARNESSES

_SHOWN = 60
"""Lines of what the engine says of a finding."""


def fuzz(harness: Harness, runs: int) -> bool:
    """Give *harness* so many inputs; tell whether it found nothing."""
    with tempfile.TemporaryDirectory(prefix="pgheadroom-fuzz-") as folder:
        began = time.monotonic()
        with (Path(folder) / "said").open("wb+") as said:
            ended = subprocess.run(
                [sys.executable, "-m", "fuzz.engine", harness.name, str(runs), folder],
                cwd=Path(__file__).parents[1],
                stderr=said,
                check=False,
            )
            seconds = time.monotonic() - began
            said.seek(0)
            words = [
                line
                for line in said.read().decode(errors="replace").splitlines()
                if not line.startswith("INFO: ")
            ]
        findings = sorted(Path(folder).glob("finding-*"))
        if ended.returncode and not findings:
            findings = sorted(Path(folder).glob("newest"))
        _say(
            f"{harness.name}: {runs} inputs in {seconds:.0f} s, status {ended.returncode},"
            f" findings: {len(findings)}"
        )
        if ended.returncode:
            _say("\n".join(words[-_SHOWN:]))
        for finding in findings:
            _say(f"{finding.name}: {finding.read_bytes()!r}")
    return ended.returncode == 0


def main() -> int:
    """Return the exit status: 1 if there was a finding."""
    total, names = int(sys.argv[1]), sys.argv[2:]
    unknown = set(names) - {harness.name for harness in HARNESSES}
    if unknown:
        _say(f"no such harness: {', '.join(sorted(unknown))}")
        return 2
    chosen = [harness for harness in HARNESSES if not names or harness.name in names]
    shares = sum(harness.share for harness in HARNESSES)
    clean = [fuzz(harness, total * harness.share // shares + 1) for harness in chosen]
    return 0 if all(clean) else 1


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
