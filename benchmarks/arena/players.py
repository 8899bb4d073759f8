"""Plays a recording to those who are judged: pgheadroom, any other command, and the bare rule."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.arena.scoring import BareRule, Verdict, judged, pages_of, tickets_of
from pgheadroom.backtest import jsonl
from pgheadroom.backtest.replay import Replay
from pgheadroom.model.names import NameFolder
from pgheadroom.model.reading import Sample
from pgheadroom.step import Policy
from pgheadroom.storage.recording_reader import RecordingReader

_WEEK = 7 * 86_400.0


class Outcome(NamedTuple):
    """One story, and how it went for the one who is judged and for the bare rule."""

    trace: str
    truth: dict[str, Any]
    verdict: Verdict
    bare: Verdict


def play(truth_file: Path, command: str | None = None) -> Outcome:
    """Return how the story of *truth_file* goes for *command*, or without one for pgheadroom.

    ``{trace}`` in the command stands for the recording; it prints a JSON object for each alert
    that fires or resolves. Raises RuntimeError if it fails.
    """
    truth = json.loads(truth_file.read_text())
    trace = truth_file.with_name(truth_file.name.replace(".truth.json", ".jsonl"))
    bare, replay = BareRule(), Replay(trace.stem, Policy(NameFolder().fold))
    first, last = None, 0.0
    for reading in RecordingReader(str(trace)):
        first, last = reading.at if first is None else first, reading.at
        if isinstance(reading, Sample):
            # A recording has client backends only, so this is what a rule over it would see.
            most = (reading.main.limit or 0) + reading.main.reserve
            bare.add(reading.at, reading.main.used, most)
        if command is None:
            replay.add(reading)
    alerts = _run(command, trace) if command else _parsed(jsonl.lines(replay.account))
    # What recordings of another make may not say of themselves.
    truth.setdefault("first_day", False)
    truth.setdefault("weeks", (last - (first or last)) / _WEEK)
    return Outcome(
        trace.name,
        truth,
        judged(truth, pages_of(alerts), tickets_of(alerts)),
        judged(truth, bare.pages),
    )


def _run(command: str, trace: Path) -> list[dict[str, Any]]:
    words = [word.replace("{trace}", str(trace)) for word in shlex.split(command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(
            f"{shlex.join(words)}: exit status {done.returncode}\n{done.stderr[-2000:]}"
        )
    return _parsed(done.stdout.splitlines())


def _parsed(lines: Iterable[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if line.startswith("{")]
