"""Runs one harness under atheris: NAME RUNS FOLDER; the exit status is not 0 on a finding."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import atheris

_SECONDS_PER_INPUT = 5
_MEGABYTES = 1024
_TENTHS = 10


def main() -> None:
    """Fuzz; never returns, as the engine ends the process."""
    name, runs, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with atheris.instrument_imports(include=["pgheadroom", "yaml"]):
        from fuzz.harnesses import HARNESSES  # noqa: PLC0415 - instrumented as it is imported
    harness = next(one for one in HARNESSES if one.name == name)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(harness.seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    words = folder / "words"
    # The engine takes no empty file.
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in (*harness.words, " ")))
    done = 0

    newest = os.open(folder / "newest", os.O_WRONLY | os.O_CREAT)

    def once(data: bytes) -> None:
        nonlocal done
        # For whoever looks after a kill: the engine itself keeps what raises, not what hangs.
        os.ftruncate(newest, os.pwrite(newest, data, 0))
        done += 1
        if done % max(1, runs // _TENTHS) == 0:
            sys.stdout.write(f"{name}: {done} of {runs}\n")
            sys.stdout.flush()
        try:
            harness.once(data)
        except BaseException:
            _end()
            raise
        if done == runs:
            _end()

    options = {
        "runs": runs,
        "timeout": _SECONDS_PER_INPUT,
        "rss_limit_mb": _MEGABYTES,
        "max_len": harness.longest,
        "artifact_prefix": f"{folder}/finding-",
        "dict": words,
        "verbosity": 0,
    }
    flags = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], once)
    atheris.Fuzz()


def _end() -> None:
    """Stop the engine's clock: if it strikes while Python ends, nothing more is written."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main()
