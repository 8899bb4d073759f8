"""Tests that writing to standard output never raises, and that what failed is known afterwards."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TextIO

import pytest

from pgheadroom.commands.output import Output, complaint, failure

FULL = Path("/dev/full")


class Pipe:
    """A pipe: what is written to *stream* is read from the descriptor *reader*."""

    def __init__(self) -> None:
        self.reader, ours = os.pipe()
        self.stream: TextIO = open(ours, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - a descriptor

    def read(self) -> bytes:
        """Return what has arrived, some of it at least."""
        return os.read(self.reader, 1 << 16)

    def leave(self) -> None:
        """Close the reader's end."""
        os.close(self.reader)
        self.reader = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.stream.close()
    if made.reader >= 0:
        made.leave()


@contextmanager
def full_disk_at(stream: TextIO) -> Iterator[None]:
    """Let *stream* go to a full disk for a while."""
    before = os.dup(stream.fileno())
    with FULL.open("w") as full:
        os.dup2(full.fileno(), stream.fileno())
    yield
    os.dup2(before, stream.fileno())
    os.close(before)


def test_it_is_written_line_by_line(pipe: Pipe) -> None:
    with redirect_stdout(Output(pipe.stream)) as output:
        output.write("grün\nhalf a line")
        assert pipe.read() == "grün\nhalf a line".encode()
        output.write("held back")
        assert complaint() is None
        assert pipe.read() == b"held back"
        assert failure() is None


def test_it_passes_for_what_it_replaces(pipe: Pipe) -> None:
    output = Output(pipe.stream)
    assert output.fileno() == pipe.stream.fileno()
    assert (output.encoding, output.errors) == (pipe.stream.encoding, pipe.stream.errors)
    assert not output.isatty()


def test_a_reader_that_leaves_is_nothing_to_tell(pipe: Pipe) -> None:
    with redirect_stdout(Output(pipe.stream)) as output:
        output.write("taken\n")
        pipe.leave()
        for _ in range(1000):
            output.write("x" * 100 + "\n")
        assert isinstance(failure(), BrokenPipeError)
        assert complaint() is None


def test_a_full_disk_is_told_in_the_words_of_the_system() -> None:
    with FULL.open("w") as stream, redirect_stdout(Output(stream)) as output:
        output.write("held back")
        assert failure() is None
        assert complaint() == "cannot write to standard output: No space left on device"
        for _ in range(1000):
            output.write("x" * 100 + "\n")
        told = failure()
        assert told is not None
        assert told.errno == errno.ENOSPC


def test_nothing_follows_what_was_lost(pipe: Pipe) -> None:
    """Else a file would have a gap, and look whole, when there is room again."""
    with redirect_stdout(Output(pipe.stream)) as output:
        with full_disk_at(pipe.stream):
            output.write("lost\n")
        output.write("late\n")
        assert complaint() is not None
    pipe.stream.close()
    assert pipe.read() == b""


def test_a_reader_that_is_slow_is_waited_for(pipe: Pipe) -> None:
    """Another process can set the pipe that we share to not block."""
    os.set_blocking(pipe.stream.fileno(), False)
    read: list[bytes] = []

    def reader() -> None:
        time.sleep(0.1)
        while not read or b"end" not in read[-1]:
            read.append(pipe.read())

    thread = threading.Thread(target=reader, daemon=True)
    thread.start()
    with redirect_stdout(Output(pipe.stream)) as output:
        output.write("x" * (1 << 20) + "end\n")
        assert failure() is None
    thread.join(10)
    assert sum(map(len, read)) == (1 << 20) + 4


def test_another_stream_never_fails(capsys: pytest.CaptureFixture[str]) -> None:
    print("x")  # noqa: T201 - it is standard output that is tested
    assert failure() is None
    assert complaint() is None
    assert capsys.readouterr().out == "x\n"
