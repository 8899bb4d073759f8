"""Tests that `record` loses nothing to a kill, a full disk, a rotation or a clock step."""

import gzip
import json
import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support.readings import sample
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import clean_environment, run
from tests.support.servers.log import Log
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until

from pgheadroom.model.reading import Failure, Group, Outcome, Probe, ProbeKind, Sample
from pgheadroom.postgres.whereabouts import address
from pgheadroom.storage.recording_end import UnusableRecordingError
from pgheadroom.storage.recording_reader import RecordingReader
from pgheadroom.storage.recording_writer import RecordingFile

SECONDS = 20.0

Start = Callable[..., "Recorder"]


class Recorder:
    """`pgheadroom record` with *words*, its output in a log."""

    def __init__(
        self, folder: Path, *words: str, preexec: Callable[[], None] | None = None
    ) -> None:
        self.log = Log(folder / "log")
        with self.log.path.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pgheadroom", "record", *words],
                env=clean_environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=preexec,  # noqa: PLW1509 - one system call
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send *number* and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(*words: str, preexec: Callable[[], None] | None = None) -> Recorder:
            recorder = Recorder(tmp_path, *words, preexec=preexec)
            stack.callback(recorder.process.wait)
            stack.callback(recorder.process.kill)
            return recorder

        yield start


def read(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def objects(file: Path) -> list[dict[str, Any]]:
    """Return what the lines of *file* hold; none of them is half a line."""
    if not file.exists():
        return []
    text = read(file)
    assert not text or text.endswith(b"\n")
    return [json.loads(line) for line in text.splitlines()]


def until_lines(file: Path, number: int) -> list[dict[str, Any]]:
    return until(
        lambda: found if len(found := objects(file)) >= number else None, SECONDS, "recorded lines"
    )


FAST = ("--interval-seconds", "0.1", "--knock-interval-seconds", "0.5")


@pytest.mark.majors(15, 18)
@pytest.mark.parametrize("name", ["here.jsonl", "here.jsonl.gz"])
def test_it_records_until_a_signal_and_goes_on_later(
    pg: Postgres, clients: Clients, tmp_path: Path, start: Start, name: str
) -> None:
    file = tmp_path / name
    clients.fill(pg.tcp, 3, application_name='a "b" \\ [/b]')
    for number in (signal.SIGINT, signal.SIGTERM):
        before = len(objects(file))
        recorder = start(str(file), "--dsn", pg.dsn(), *FAST)
        until_lines(file, before + 12)
        assert recorder.end(number) == 0, recorder.log.read()
        added = len(objects(file)) - before
        assert f"{file}: {added} readings in " in recorder.log.read()
        clients.fill(pg.tcp, 2, application_name="later")
    found = objects(file)
    samples = [o for o in found if "max_connections" in o]
    assert samples[0]["max_connections"] == int(str(pg.sql("show max_connections")[0][0]))
    assert ['a "b" \\ [/b]', "idle", 3] in samples[0]["connections"]
    assert ["later", "idle", 2] in samples[-1]["connections"]
    knocks = [o for o in found if "knock" in o]
    assert {o["knock"] for o in knocks} == {"ok"}
    # A backtest takes it as it is, and nothing of that is worth an alert.
    done = run("backtest", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"  samples  {len(samples)}\n" in done.stdout


@pytest.mark.majors(17)
@pytest.mark.parametrize("name", ["here.jsonl", "here.jsonl.gz"])
def test_kill_9_loses_seconds_and_spoils_nothing(
    pg: Postgres, tmp_path: Path, start: Start, name: str
) -> None:
    file = tmp_path / name
    recorder = start(str(file), "--dsn", pg.dsn(), *FAST)
    before = until_lines(file, 12)
    recorder.end(signal.SIGKILL)
    assert len(objects(file)) >= len(before)
    whole = file.read_bytes()
    # What a kill in the middle of a write, or a machine that went down, leaves behind:
    torn = gzip.compress(b'{"time": 1}\n')[:-9] if name.endswith("gz") else b'{"time": 1'
    file.write_bytes(whole + torn)
    recorder = start(str(file), "--dsn", pg.dsn(), *FAST)
    until(
        lambda: "removed an incomplete last line" in recorder.log.read(),
        SECONDS,
        "word of the mending",
    )
    until(lambda: file.stat().st_size > len(whole), SECONDS, "more lines")
    assert recorder.end() == 0
    assert file.read_bytes().startswith(whole)
    assert len(objects(file)) > len(before)
    assert run("backtest", str(file)).returncode == 0


@pytest.mark.majors(17)
def test_a_full_disk_is_told_once_and_survived(pg: Postgres, tmp_path: Path) -> None:
    """A limit of the file's size stands for the disk: a write is cut short, then refused."""
    file = tmp_path / "here.jsonl"

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))

    # Its output goes to a pipe: the limit is for every file, and the log is one as well.
    recorder = subprocess.Popen(
        [sys.executable, "-m", "pgheadroom", "record", str(file), "--dsn", pg.dsn(), *FAST],
        env=clean_environment(),
        stderr=subprocess.PIPE,
        preexec_fn=small,  # noqa: PLW1509 - one system call
    )
    assert recorder.stderr is not None
    stderr = recorder.stderr
    try:
        os.set_blocking(stderr.fileno(), False)
        said = b""

        def has_said(words: bytes) -> bool:
            nonlocal said
            said += stderr.read() or b""
            return words in said

        until(
            lambda: has_said(b"cannot write; readings are lost"), SECONDS, "word of the full disk"
        )
        assert b"File too large" in said
        assert 2000 < file.stat().st_size <= 3000
        full = objects(file)
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (10**9, resource.RLIM_INFINITY))
        until(lambda: has_said(b"recording again"), SECONDS, "word of the room")
        until_lines(file, len(full) + 5)
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(SECONDS) == 0
        has_said(b"")
    finally:
        recorder.kill()
        recorder.wait()
        stderr.close()
    assert said.count(b"cannot write") == 1
    assert b"readings_lost=" in said
    assert objects(file)[: len(full)] == full
    assert run("backtest", str(file)).returncode == 0


@pytest.mark.majors(17)
def test_several_targets_and_rotation(
    pg: Postgres, clients: Clients, tmp_path: Path, start: Start
) -> None:
    clients.fill(pg.tcp, 1, application_name="x" * 63)
    config = tmp_path / "pgheadroom.yaml"
    gone = f"host=127.0.0.1 port={free_port()} user=x"
    config.write_text(f'targets: {{here: "{pg.dsn()}", gone: "{gone}"}}\n')
    recorder = start(
        str(tmp_path / "{target}.jsonl"),
        *("--config", str(config), "--rotate-bytes", "4096", "--keep", "2", *FAST),
    )
    until((tmp_path / "here.jsonl.2").exists, SECONDS, "second rotation")
    until_lines(tmp_path / "gone.jsonl", 1)
    until(lambda: recorder.log.read().count("event=rotated") >= 4, SECONDS, "fourth rotation")
    assert recorder.end() == 0
    assert not (tmp_path / "here.jsonl.3").exists()
    assert {o.get("failure", o.get("knock")) for o in objects(tmp_path / "gone.jsonl")} == {
        "unreachable"
    }
    times: list[float] = []
    for name in ("here.jsonl.2", "here.jsonl.1", "here.jsonl"):
        assert (tmp_path / name).stat().st_size < 4096 + 1000
        times += [o["time"] for o in objects(tmp_path / name)]
    assert times == sorted(times)


@pytest.mark.majors(17)
def test_the_standard_output(pg: Postgres) -> None:
    command = f"{sys.executable} -m pgheadroom record --dsn '{pg.dsn()}' --interval-seconds 0.1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -n 3"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["time"] > 0 for line in done.stdout.splitlines()] == [True] * 3


@pytest.mark.parametrize(
    ("words", "complaints"),
    [
        (
            ["x", "--keep", "0"],
            ["--keep: '0' is not allowed; give a number from 1", "no target"],
        ),
        (
            ["x", "--rotate-bytes", "12"],
            ["--rotate-bytes: '12' is not allowed", "no target"],
        ),
        (["x", "--rotate-bytes", "big"], ["--rotate-bytes: 'big' is not allowed"]),
        (
            ["x", "--targets", "a=host=a", "--targets", "b=host=b"],
            ["put {target} in the name of FILE"],
        ),
        (["--interval-seconds", "0"], ["--interval-seconds: '0' is not allowed"]),
        (["--no-such-flag"], ["no such flag: --no-such-flag"]),
    ],
)
def test_wrong_arguments(words: list[str], complaints: list[str]) -> None:
    done = run("record", *words)
    assert (done.returncode, done.stdout) == (2, "")
    for complaint in complaints:
        assert complaint in done.stderr


def test_help() -> None:
    done = run("record", "--help")
    assert done.returncode == 0
    for words in ("[FILE]", "--rotate-bytes N", "--keep N", "--interval-seconds", "{target}"):
        assert words in done.stdout


# ---- the file itself


def recording_file(path: Path, *, rotate_bytes: int = 10**9, keep: int = 2) -> RecordingFile:
    return RecordingFile(path, rotate_bytes=rotate_bytes, keep=keep)


@pytest.mark.parametrize(
    "content",
    [
        b"root:x:0:0:root:/root:/bin/bash\n",
        b"not even a line",
        b'{"time": 1, "connections": 3}\n',
        gzip.compress(b"hello\n", mtime=0),
        bytes(range(256)) * 50,
    ],
)
@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_a_file_that_is_no_recording_is_left_alone(
    tmp_path: Path, content: bytes, name: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UnusableRecordingError, match="no recording"):
        recording_file(file)
    assert file.read_bytes() == content


def test_what_cannot_be_recorded_to(tmp_path: Path) -> None:
    with pytest.raises(UnusableRecordingError, match="No such file or directory"):
        recording_file(tmp_path / "none" / "x")
    with pytest.raises(UnusableRecordingError, match="Is a directory"):
        recording_file(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UnusableRecordingError, match="not a regular file"):
        recording_file(tmp_path / "fifo")
    first = recording_file(tmp_path / "x")
    with pytest.raises(UnusableRecordingError, match="by another process"):
        recording_file(tmp_path / "x")
    first.close()


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_every_way_to_be_torn(tmp_path: Path, name: str) -> None:
    """Cut at any byte, the file is mended to the lines that were whole, and goes on."""
    file = tmp_path / name
    first = recording_file(file)
    for at in (1000.0, 1001.0):
        first.write(sample(at=at))
        first.flush()
    first.close()
    whole = file.read_bytes()
    for size in range(1, len(whole)):
        file.write_bytes(whole[:size])
        again = recording_file(file)
        again.write(sample(at=2000.0))
        again.close()
        times = [reading.at for reading in RecordingReader(str(file))]
        assert times in ([2000.0], [1000.0, 2000.0], [1000.0, 1001.0, 2000.0])
        assert times == [*(t for t in (1000.0, 1001.0) if t in times), 2000.0]


def test_time_never_runs_backwards_in_a_file(tmp_path: Path) -> None:
    """A knock is dated when it began; a clock that was set back begins a new file."""
    file = tmp_path / "x.jsonl"
    written = recording_file(file)
    written.write(sample(at=1000.0))
    written.write(Probe(ProbeKind.KNOCK, 999.2, 0.5, Outcome.OK))
    written.write(Failure(1000.4, Outcome.FULL, "full"))
    written.write(sample(at=1000.3))
    written.write(sample(at=1001.0))
    written.write(sample(at=1001.0))
    assert [o["time"] for o in objects(file)] == [1000.0, 1000.0, 1000.4, 1001.0]
    written.write(sample(at=500.0))
    written.close()
    assert [o["time"] for o in objects(file)] == [500.0]
    assert len(list(RecordingReader(str(tmp_path / "x.jsonl.1")))) == 4


def test_gzip_is_rotated_under_names_that_still_say_so(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl.gz"
    written = recording_file(file, rotate_bytes=4096, keep=3)
    for second in range(3000):
        written.write(sample(at=1000.0 + second, groups=(Group(f"n{second}", "idle", 4, None),)))
        if second % 10 == 9:
            written.flush()
    written.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["x.jsonl.1.gz", "x.jsonl.2.gz", "x.jsonl.3.gz", "x.jsonl.gz"]
    newest = [reading.at for reading in RecordingReader(str(tmp_path / "x.jsonl.1.gz"))]
    assert newest == sorted(newest)


def test_a_pulse_is_told_from_a_full_reading(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    full = sample(at=1000.0)
    slots = full.postgres.slots._replace(visible=full.postgres.slots.visible + 2)
    written = recording_file(file)
    written.write(full)
    written.write(full.with_slots(slots)._replace(at=1001.0))
    written.close()
    first, second = RecordingReader(str(file))
    assert isinstance(first, Sample)
    assert isinstance(second, Sample)
    assert (first.full, second.full) == (True, False)
    assert second.postgres.slots.visible == first.postgres.slots.visible + 2
    assert second.holders == first.holders


@pytest.mark.majors(17)
def test_a_person_at_a_terminal_is_told_that_it_goes_on(pg: Postgres, tmp_path: Path) -> None:
    """Once a minute; here the minute is made short."""
    ours, theirs = pty.openpty()
    code = (
        "import sys, pgheadroom.commands.recorder as r; r._PROGRESS_SECONDS = 0.5;"
        "from pgheadroom.commands import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    words = ("record", str(tmp_path / "x"), "--dsn", pg.dsn(), "--log-level", "error")
    recorder = subprocess.Popen(
        [sys.executable, "-c", code, *words], env=clean_environment(), stderr=theirs
    )
    os.close(theirs)
    said = b""
    try:
        while b" readings; ok, " not in said:
            said += os.read(ours, 4096)
    finally:
        recorder.terminate()
        assert recorder.wait(SECONDS) == 0
        os.close(ours)
    assert f"{address(pg.dsn())}: ".encode() in said
