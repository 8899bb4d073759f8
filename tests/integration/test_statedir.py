"""Tests that snapshots are whole on disk whatever happens, and that a failure is logged."""

import gzip
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support.servers.wait import until

from pgheadroom.board import Board
from pgheadroom.forecast.usage import Usage
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.model.alert import ActiveAlert, Alert, AlertName, Severity
from pgheadroom.state import State
from pgheadroom.storage.directory import LARGEST_BYTES, InUseError, StateDirectory
from pgheadroom.storage.saver import SnapshotSaver
from pgheadroom.storage.snapshot import taken
from pgheadroom.storage.snapshot_file import pack, unpack

LogLines = list[MutableMapping[str, Any]]

ALERT = Alert(AlertName.LOW, Severity.WARNING, 1000.0, "9 of 97 are left")


@pytest.fixture
def log() -> Iterator[LogLines]:
    """Return the list to which every line of log is added."""
    with structlog.testing.capture_logs() as lines:
        yield lines


def known(target: str, *, samples: int = 200, alert: Alert | None = None) -> State:
    """Return a state that is worth remembering."""
    usage = Usage()
    now = time.time()
    for number in range(samples):
        used = 10 + number % 7
        usage = usage.add(now - samples + number, used, {"web": used - 1, "self": 1}, 97)
    active = {} if alert is None else {alert.key: ActiveAlert(alert.since, alert, until=now + 1e6)}
    alerts = () if alert is None else (alert,)
    return State(target)._replace(usage=usage, active=active, alerts=alerts)


class Daemon:
    """What the daemon does with its states: the test publishes instead of samplers."""

    def __init__(self, path: Path, *targets: str, unnamed: str | None = None) -> None:
        self.board = Board(targets or ("db",))
        self.own = SelfMetrics()
        self.directory = StateDirectory(path)
        self.saver = SnapshotSaver(self.directory, self.board, self.own, unnamed)

    def saves(self, outcome: str) -> float | None:
        """Return how many saves ended so."""
        labels = {"outcome": outcome}
        return self.own.registry.get_sample_value("pgheadroom_state_saves_total", labels)


def events(log: LogLines) -> list[str]:
    return [line["event"] for line in log]


async def test_a_restart_finds_what_the_end_has_left(tmp_path: Path, log: LogLines) -> None:
    """In a directory that is made for it, readable for its owner alone."""
    path = tmp_path / "not" / "there"
    one = Daemon(path, "a", "b:1.x", "never-read")
    await one.saver.recall()
    states = [known("a", alert=ALERT), known("b:1.x")]
    for state in states:
        one.board.publish(state)
    await one.saver.finish()
    files = {file.name: file.stat().st_mode & 0o777 for file in path.iterdir()}
    assert files == {".lock": 0o600, "a.json.gz": 0o600, "b:1.x.json.gz": 0o600}
    assert path.stat().st_mode & 0o777 == 0o700
    other = Daemon(path, "b:1.x", "a", "new")
    await other.saver.recall()
    for state in states:
        found = other.board.state(state.target)
        assert found.usage.history == state.usage.history
        assert found.alerts == state.alerts
    assert other.board.state("new") == State("new")
    line, fires = log
    assert (line["event"], line["targets"]) == ("state restored", 2)
    assert line["oldest_seconds"] < 60
    assert (fires["event"], fires["target"]) == ("alert was firing before the restart", "a")
    assert fires["alertname"] == str(ALERT.name)


async def test_what_was_kept_as_default_is_the_unnamed_targets(
    tmp_path: Path, log: LogLines
) -> None:
    """Once: its file has the new name from then on."""
    old = Daemon(tmp_path, "default")
    await old.saver.recall()
    state = known("default", alert=ALERT)
    old.board.publish(state)
    await old.saver.finish()
    for _ in range(2):
        new = Daemon(tmp_path, "db1:5433", "other", unnamed="db1:5433")
        await new.saver.recall()
        found = new.board.state("db1:5433")
        assert found.usage.history == state.usage.history
        assert found.alerts == state.alerts
        assert new.board.state("other") == State("other")
        new.directory.close()
        assert not new.directory.file("default").exists()
    taken = [line for line in log if line["event"] == "saved state renamed"]
    assert [(line["target"], line["formerly"]) for line in taken] == [("db1:5433", "default")]


@pytest.mark.parametrize(
    ("targets", "unnamed"),
    [(("db1", "default"), "db1"), (("db1",), None), (("db1",), "db2")],
    ids=["is called so", "has a name", "is not watched"],
)
async def test_what_is_kept_as_default_is_nobody_elses(
    tmp_path: Path, targets: tuple[str, ...], unnamed: str | None
) -> None:
    old = Daemon(tmp_path, "default")
    await old.saver.recall()
    old.board.publish(known("default"))
    await old.saver.finish()
    new = Daemon(tmp_path, *targets, unnamed=unnamed)
    await new.saver.recall()
    assert new.board.state("db1") == State("db1")
    assert (tmp_path / "default.json.gz").exists()


async def test_a_damaged_default_is_set_aside(tmp_path: Path, log: LogLines) -> None:
    (tmp_path / "default.json.gz").write_bytes(b"nonsense")
    daemon = Daemon(tmp_path, "db1", unnamed="db1")
    await daemon.saver.recall()
    assert daemon.board.state("db1") == State("db1")
    assert (tmp_path / "default.json.gz.damaged").read_bytes() == b"nonsense"
    assert events(log) == ["saved state is unusable; starting without it"]


async def test_it_is_kept_at_once_when_an_alert_begins_or_ends(tmp_path: Path) -> None:
    """Otherwise each target has its own moment in the minute."""
    daemon = Daemon(tmp_path, *"abcd")
    await daemon.saver.recall()
    for name in "abcd":
        daemon.board.publish(known(name))
    await daemon.saver.turn()
    assert daemon.saves("ok") == 0
    for number, alerts in enumerate([(ALERT,), (ALERT,), ()]):
        daemon.board.publish(known("b", alert=ALERT)._replace(alerts=alerts))
        await daemon.saver.turn()
        assert daemon.saves("ok") == [1, 1, 2][number]
    assert sorted(os.listdir(tmp_path)) == [".lock", "b.json.gz"]  # noqa: PTH208 - ruff takes glob() for a wait
    saved = daemon.own.registry.get_sample_value("pgheadroom_state_saved_timestamp_seconds")
    assert saved == pytest.approx(time.time(), abs=30)


@pytest.fixture(scope="module")
def packed() -> bytes:
    return pack(taken(known("db"), time.time()), "db")


def spoil(file: Path, how: str, packed: bytes) -> None:
    match how:
        case "cut off":
            file.write_bytes(packed[: len(packed) // 2])
        case "flipped":
            middle = len(packed) // 2
            flipped = bytes([packed[middle] ^ 1])
            file.write_bytes(packed[:middle] + flipped + packed[middle + 1 :])
        case "empty":
            file.write_bytes(b"")
        case "foreign":
            file.write_bytes(gzip.compress(b'{"some": "body else\'s"}'))
        case "another's":
            file.write_bytes(pack(taken(known("other"), time.time()), "other"))
        case "future":
            file.write_bytes(pack(taken(known("db"), time.time() + 1e6), "db"))
        case "large":
            with file.open("wb") as sparse:
                sparse.truncate(LARGEST_BYTES + 1)
        case "pipe":
            os.mkfifo(file)
        case "link":
            (file.parent / "elsewhere").write_bytes(packed)
            file.symlink_to(file.parent / "elsewhere")
        case _:
            file.mkdir()


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("cut off", "its end is missing"),
        ("flipped", "it is not gzip, or not as it was written"),
        ("empty", "its end is missing"),
        ("foreign", "it is not a state of pgheadroom"),
        ("another's", "it is of another target"),
        ("future", "ahead of our clock, which was set back"),
        ("large", "it is larger than 16 MiB"),
        ("pipe", "it is not a regular file"),
        ("folder", "it is not a regular file"),
        ("link", "Too many levels of symbolic links"),
    ],
)
async def test_a_damaged_file_is_set_aside_and_told(
    tmp_path: Path, log: LogLines, packed: bytes, how: str, reason: str
) -> None:
    """It begins anew, the others do not, and the next file is as good as ever."""
    file = tmp_path / "db.json.gz"
    aside = tmp_path / "db.json.gz.damaged"
    if how != "folder":
        aside.write_text("of an earlier time")
    spoil(file, how, packed)
    spoilt = file.lstat()
    (tmp_path / "fine.json.gz").write_bytes(pack(taken(known("fine"), time.time()), "fine"))
    daemon = Daemon(tmp_path, "db", "fine")
    await daemon.saver.recall()
    assert daemon.board.state("db") == State("db")
    assert daemon.board.state("fine").usage.history.began is not None
    told = [line for line in log if line["log_level"] == "warning"]
    assert [line["target"] for line in told] == ["db"]
    assert reason in told[0]["reason"]
    assert told[0]["set_aside_as"] == str(aside)
    assert not file.exists()
    assert aside.lstat().st_ino == spoilt.st_ino
    daemon.board.publish(known("db"))
    await daemon.saver.finish()
    assert unpack(file.read_bytes(), "db", time.time()).usage.limit == 97


@contextmanager
def small_files() -> Iterator[None]:
    """Let no file grow beyond some bytes, as if the disk was full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_that_is_full_is_told_once_and_its_end_too(
    tmp_path: Path, log: LogLines
) -> None:
    """What was kept before stays as it was, with nothing left beside it."""
    daemon = Daemon(tmp_path, "a", "b")
    await daemon.saver.recall()
    daemon.board.publish(known("a"))
    await daemon.saver.finish()
    before = (tmp_path / "a.json.gz").read_bytes()
    with small_files():
        for alerts in ((ALERT,), (), (ALERT,)):
            for name in "ab":
                daemon.board.publish(known(name, alert=ALERT)._replace(alerts=alerts))
            await daemon.saver.turn()
    assert daemon.saves("error") == 6
    assert (tmp_path / "a.json.gz").read_bytes() == before
    assert set(os.listdir(tmp_path)) == {".lock", "a.json.gz"}  # noqa: PTH208 - ruff takes iterdir() for a wait
    await daemon.saver.finish()
    assert daemon.saves("ok") == 3
    told = [line for line in log if line["event"] != "state restored"]
    assert events(told) == [
        "cannot save state: a restart would lose it",
        "state saved again",
    ]
    assert told[0]["reason"] == "File too large"


async def test_a_directory_that_cannot_be_had_stops_nothing(tmp_path: Path, log: LogLines) -> None:
    """Told at the start already; used as soon as it can be."""
    path = tmp_path / "file" / "state"
    path.parent.write_text("in the way")
    daemon = Daemon(path)
    await daemon.saver.recall()
    assert events(log) == ["cannot save state: a restart would lose it"]
    daemon.board.publish(known("db", alert=ALERT))
    await daemon.saver.turn()
    assert daemon.saves("error") == 1
    path.parent.unlink()
    await daemon.saver.finish()
    assert unpack((path / "db.json.gz").read_bytes(), "db", time.time()).active
    assert events(log)[1:] == ["state saved again"]


async def test_a_directory_that_was_removed_is_made_again(tmp_path: Path, log: LogLines) -> None:
    path = tmp_path / "state"
    daemon = Daemon(path)
    await daemon.saver.recall()
    (path / ".lock").unlink()
    path.rmdir()
    for alerts in ((ALERT,), ()):
        daemon.board.publish(known("db", alert=ALERT)._replace(alerts=alerts))
        await daemon.saver.turn()
    assert (path / "db.json.gz").exists()
    assert events(log) == [
        "cannot save state: a restart would lose it",
        "state saved again",
    ]
    with pytest.raises(InUseError):
        StateDirectory(path).take()
    await daemon.saver.finish()


async def test_a_second_daemon_reads_but_writes_only_when_the_first_has_ended(
    tmp_path: Path, log: LogLines
) -> None:
    first, second = Daemon(tmp_path, "db", "bad"), Daemon(tmp_path, "db", "bad")
    await first.saver.recall()
    first.board.publish(known("db", alert=ALERT))
    await first.saver.turn()
    (tmp_path / "bad.json.gz").write_text("damaged")
    before = (tmp_path / "db.json.gz").read_bytes()
    await second.saver.recall()
    assert second.board.state("db").alerts == (ALERT,)
    second.board.publish(known("db")._replace(alerts=()))
    await second.saver.turn()
    assert (second.saves("ok"), second.saves("error")) == (0, 1)
    assert (tmp_path / "db.json.gz").read_bytes() == before
    assert (tmp_path / "bad.json.gz").read_text() == "damaged"
    assert [line.get("reason") for line in log if line["log_level"] == "warning"] == [
        "another pgheadroom uses it",
        "it is not gzip, or not as it was written",
    ]
    await first.saver.finish()
    await second.saver.finish()
    assert second.saves("ok") == 1
    assert events(log)[-1] == "state saved again"


WRITER = """
import sys, pathlib
from pgheadroom.storage.directory import StateDirectory
directory = StateDirectory(pathlib.Path(sys.argv[1]))
contents = [pathlib.Path(name).read_bytes() for name in sys.argv[2:]]
while True:
    for content in contents:
        directory.write("db", content)
"""


def test_kill_9_in_the_middle_of_a_write_leaves_one_that_is_whole(tmp_path: Path) -> None:
    """The old one or the new one; what is unfinished goes with the next start."""
    contents = [
        pack(taken(known("db", samples=samples), time.time()), "db") for samples in (50, 900)
    ]
    files = [tmp_path / "one", tmp_path / "two"]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    path = tmp_path / "state"
    unfinished = path / "db.json.gz.tmp"
    cut = 0
    for _ in range(12):
        with ExitStack() as stack:
            writer = subprocess.Popen([sys.executable, "-c", WRITER, path, *files])
            stack.callback(writer.wait)
            stack.callback(writer.kill)
            began = time.time_ns()
            file = path / "db.json.gz"
            until(lambda: file.exists() and file.stat().st_mtime_ns > began, 20, "a write")  # noqa: B023 - called here only
            until(unfinished.exists, 20, "a write that is under way")
            writer.send_signal(signal.SIGKILL)
        cut += unfinished.exists()
        assert file.read_bytes() in contents
        directory = StateDirectory(path)
        directory.take()
        assert not unfinished.exists()
        directory.close()
    assert cut, "no kill came in time"
