"""Tests that no command stumbles over its output: a reader that leaves, a disk that is full."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.servers.headroom import clean_environment, run
from tests.support.servers.ports import free_port

from pgheadroom.commands.cli import COMMANDS
from pgheadroom.commands.dashboards import NAMES

FULL = "pgheadroom: cannot write to standard output: No space left on device\n"
PROGRAM = (sys.executable, "-m", "pgheadroom")


def shell(line: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run *line*, in which "$@" is pgheadroom with *words*; its status is that of the pipe."""
    return subprocess.run(
        [*("bash", "-c", f"set -o pipefail; {line}", "bash"), *PROGRAM, *words],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def nobody() -> tuple[str, str]:
    """Return a target that refuses every connection."""
    return "--dsn", f"host=127.0.0.1 port={free_port()} user=x"


@pytest.fixture
def words(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Return a command; DIR in it is a directory, and NOBODY a target that is not there."""
    given: str = request.param
    places = {"DIR": [str(tmp_path)], "NOBODY": [*nobody()]}
    return [word for part in given.split() for word in places.get(part, [part])]


COMMAND_LINES = {
    "rules": 0,
    "rules --format prometheusrule": 0,
    "dashboards DIR": 0,
    "once NOBODY": 1,
    "once --json NOBODY": 1,
    "check NOBODY": 1,
    "check --json NOBODY": 1,
    "--version": 0,
    "--help": 0,
    **{f"{name} --help": 0 for name in COMMANDS},
}
of_each = pytest.mark.parametrize(
    ("words", "status"), COMMAND_LINES.items(), ids=COMMAND_LINES, indirect=["words"]
)


@of_each
def test_a_reader_that_leaves_is_no_error(words: list[str], status: int) -> None:
    """The status is the one that the command would have had."""
    done = shell('"$@" | true', *words)
    assert (done.returncode, done.stderr) == (status, "")


@of_each
def test_a_full_disk_is_told_in_one_line(words: list[str], status: int) -> None:
    done = shell('"$@" > /dev/full', *words)
    assert (done.returncode, done.stderr) == (1, FULL), status


def test_a_reader_of_one_line_gets_it() -> None:
    done = shell('"$@" | head -n 1', "rules")
    assert (done.returncode, done.stderr) == (0, "")
    assert run("rules").stdout.startswith(done.stdout)
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("line", ['"$@" | true', '"$@" > /dev/full'])
def test_what_is_no_output_is_done_all_the_same(tmp_path: Path, line: str) -> None:
    shell(line, "dashboards", str(tmp_path), PYTHONUNBUFFERED="1")
    assert len([json.loads(file.read_text()) for file in tmp_path.iterdir()]) == len(NAMES)


def test_what_is_wrong_with_the_arguments_counts_more_than_the_disk() -> None:
    done = shell('"$@" > /dev/full', "rules", "--no-such-flag")
    assert (done.returncode, done.stderr) == (2, "pgheadroom: no such flag: --no-such-flag\n")


@pytest.mark.parametrize(("words", "status"), [(("rules", "x"), 2), (("rules",), 1)])
def test_the_status_is_right_where_nothing_can_be_told(words: tuple[str, ...], status: int) -> None:
    assert shell('"$@" > /dev/full 2>&1', *words).returncode == status


def test_a_recording_on_a_full_disk_ends() -> None:
    """It would go on for ever, and record nothing."""
    done = shell('"$@" > /dev/full', "record", *nobody())
    assert done.returncode == 1
    assert done.stderr.endswith(FULL)
    assert "Traceback" not in done.stderr
    assert "unexpected exception" not in done.stderr
