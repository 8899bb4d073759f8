"""Plays a story once: real clients, a real server, the real daemon; returns what came of it."""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.support.parts import find

from benchmarks.live import serverlog
from benchmarks.live.receiver import Receiver
from benchmarks.live.stage import NAME, SkippedError, Stage, StoppedError, recorder, server
from benchmarks.live.story import Story
from benchmarks.live.verdict import Run, truth, use
from benchmarks.support import watchers
from pgheadroom.storage import recording

_LAST_POST_SECONDS: Final = 2.0


def play(story: Story, number: int, major: int, keep: Path, stop: threading.Event) -> Run:
    """Play *story* on a new server of *major*, with the chances of *number*.

    *keep* gets `STORY-NUMBER.jsonl`, a recording, `STORY-NUMBER.truth.json`, what is known of it,
    and the server's log. Raises SkippedError if the story cannot be played here, and StoppedError
    once *stop* is set.
    """
    home = find(f"postgres{major}").path
    if home is None:
        sys.exit(f"PostgreSQL {major} is missing; python -m tests.support.parts install")
    if stop.is_set():
        raise StoppedError
    file = keep / f"{story.name}-{number}.jsonl"
    file.unlink(missing_ok=True)
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        where = stack.enter_context(server(home, major))
        stage = Stage(where, log, random.Random(f"{story.name} {number}"), stop)  # noqa: S311 - a rhythm, no secret
        stack.callback(stage.close)
        try:
            story.before(stage)
            told = stack.enter_context(Receiver())
            urls = json.dumps([told.url])
            dsns = {NAME: watchers.dsn(where)}
            with (
                watchers.pgheadroom(dsns, alertmanager_urls=urls),
                recorder(where, file, log),
            ):
                watched_from = time.time()
                stage.wait_about(story.watched_seconds)
                began = time.time()
                story.play(stage)
                stage.wait(_LAST_POST_SECONDS)
                notices = tuple(told.notices)
            text = where.log.read()
        except (SkippedError, StoppedError):
            raise
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-2000:])
            raise
    refused = serverlog.refusals(text)
    with file.open() as lines:
        recorded = use(recording.parse(line) for line in lines)
    run = Run(
        story.name,
        number,
        story.incident,
        story.least_lead,
        story.culprits,
        watched_from,
        stage.began or began,
        refused[0] if refused else None,
        notices,
        tuple(recorded),
    )
    file.with_suffix(".truth.json").write_text(json.dumps(truth(run), indent=1) + "\n")
    file.with_suffix(".log").write_text(text)
    return run
