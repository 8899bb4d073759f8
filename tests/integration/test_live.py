"""Plays a story of the live benchmark: a storm of real clients, and what the daemon says of it."""

import json
import os
import threading
from pathlib import Path

import pytest
from benchmarks.live.incidents import INCIDENTS
from benchmarks.live.play import play
from benchmarks.live.stage import ORDINARY, Stage, StoppedError
from tests.support.servers.process import family
from tests.support.servers.scratch import make_folder, remove_folder

from pgheadroom.storage import recording

pytestmark = [pytest.mark.postgres, pytest.mark.majors(17)]

STORM = next(story for story in INCIDENTS if story.name == "storm")._replace(watched_seconds=3.0)


def test_a_storm_is_played_paged_and_recorded(tmp_path: Path) -> None:
    run = play(STORM, 1, 17, tmp_path, threading.Event())
    assert run.refused is not None
    # 77 connections are missing, one every fiftieth of a second.
    assert 1.0 < run.refused - run.began < 20
    assert run.blamed == "checkout"
    assert max(used for _, used, _ in run.recorded) >= ORDINARY
    lines = (tmp_path / "storm-1.jsonl").read_text().splitlines()
    assert len([recording.parse(line) for line in lines]) == len(lines)
    truth = json.loads((tmp_path / "storm-1.truth.json").read_text())
    assert (truth["exhaustion"], truth["culprit"]) == (run.refused, "checkout")


def test_a_story_that_is_stopped_leaves_no_process_behind(tmp_path: Path) -> None:
    remove_folder(make_folder())  # whoever tidies up after a killed run is there from now on
    before = family(os.getpid())
    stop = threading.Event()

    def interrupt(stage: Stage) -> None:
        STORM.before(stage)
        stop.set()

    with pytest.raises(StoppedError):
        play(STORM._replace(before=interrupt), 2, 17, tmp_path, stop)
    assert set(family(os.getpid())) <= set(before)
