"""Tests the reports of a backtest in each format, and which input it refuses."""

import contextlib
import gzip
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.servers.chromium import Launch
from tests.support.servers.headroom import clean_environment, run

from pgheadroom.model.alert import Severity
from pgheadroom.model.thresholds import Thresholds

START = 1767225600.0  # 2026-01-01 00:00:00 UTC
HOUR = 3600
NAME = "<script>document.title='owned'</script>"

PAGES = "exit status 1: a critical alert would have fired\n"

Row = tuple[str, str, int]
Connections = Callable[[int], list[Row]]


def quiet(_second: int) -> list[Row]:
    return [("web", "idle", 20), ("worker", "active", 10)]


def leak(second: int) -> list[Row]:
    """Return 30 connections, and NAME's, which are one more every 6 minutes until all are taken."""
    return [*quiet(second), (NAME, "idle", min(67, second // 360))]


def lines(connections: Connections, hours: float, step: int = 15) -> Iterator[str]:
    for second in range(0, round(hours * HOUR), step):
        sample = {
            "time": START + second,
            "max_connections": 100,
            "superuser_reserved_connections": 3,
            "reserved_connections": 0,
            "connections": connections(second),
        }
        yield json.dumps(sample) + "\n"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "quiet.jsonl").write_text("".join(lines(quiet, 2)))
    (folder / "leak.jsonl").write_text("".join(lines(leak, 8)))
    whole = "".join(lines(leak, 8)).encode()
    # As `record` writes it: of many members.
    parts = [gzip.compress(whole[i : i + 50_000]) for i in range(0, len(whole), 50_000)]
    (folder / "leak.jsonl.gz").write_bytes(b"".join(parts))
    return folder


def without_name(objects_: list[dict[str, object]]) -> list[dict[str, object]]:
    named = ("target", "description")
    return [{key: value for key, value in o.items() if key not in named} for o in objects_]


def objects(stdout: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_a_quiet_history_pages_nobody(recordings: Path) -> None:
    done = run("backtest", str(recordings / "quiet.jsonl"))
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert said[0] == "quiet"
    assert "2026-01-01 00:00:00 to 2026-01-01 01:59:45 UTC, 1 h 59 min" in done.stdout
    assert "100 slots, 97 of them ordinary" in done.stdout
    assert "30 of 97 slots" in done.stdout
    assert said[-1] == "Nobody would have been paged; no warning either."
    assert run("backtest", str(recordings / "quiet.jsonl"), "--format", "jsonl").stdout == ""


def test_a_leak_pages_long_before_the_end_and_names_who(recordings: Path) -> None:
    done = run("backtest", str(recordings / "leak.jsonl"))
    assert (done.returncode, done.stderr) == (1, PAGES)
    assert "no slot was free at 2026-01-01 06:42:00" in done.stdout
    found = re.search(
        r"pages?,.* at (\S+ \S+) UTC, .* before it was full, because of (.*)\.$",
        done.stdout.splitlines()[-1],
    )
    assert found
    assert found[1] < "2026-01-01 06:30"
    assert found[2] == NAME


def test_lines_for_programs(recordings: Path) -> None:
    done = run("backtest", "--format", "jsonl", str(recordings / "leak.jsonl"))
    assert (done.returncode, done.stderr) == (1, PAGES)
    changes = objects(done.stdout)
    assert changes
    firing: set[tuple[object, object]] = set()
    for change in changes:
        assert set(change) >= {"time", "target", "alert", "severity", "state", "application_name"}
        assert isinstance(change["summary"], str)
        assert isinstance(change["description"], str)
        assert change["target"] == "leak"
        key = change["alert"], change["severity"]
        assert change["state"] == ("resolved" if key in firing else "firing")
        firing ^= {key}
    assert [change["time"] for change in changes] == sorted(
        change["time"] for change in changes if isinstance(change["time"], float)
    )
    pages = [change for change in changes if change["severity"] == Severity.CRITICAL]
    assert pages[0]["application_name"] == NAME


def test_it_tells_what_a_bare_rule_would_have_done(recordings: Path) -> None:
    """The leak has 81 connections after 51 steps of 6 minutes: at 05:06, 96 min before 06:42."""
    rule = "compared with a bare rule: above {} of max_connections pages at once"
    done = run("backtest", str(recordings / "quiet.jsonl"), str(recordings / "leak.jsonl"))
    assert done.stdout.count(rule.format("80 %")) == 2
    ours, bare = (
        "pgheadroom: 2 pages; ",
        "A bare 80 % rule: 1 page; 1 h 36 min before it was full; ",
    )
    quiet_, leak_, all_ = re.split(r"^(?:leak|all 2 histories)$", done.stdout, flags=re.MULTILINE)
    assert "pgheadroom: no page.\n    A bare 80 % rule: no page.\n" in quiet_
    assert "full at 2026-01-01 06:42:00: pgheadroom paged " in leak_
    assert ", the bare rule 1 h 36 min before: pgheadroom " in leak_
    for part in (leak_, all_):
        assert ours in part
        assert f"{bare}none for nothing." in part

    stricter = run("backtest", "--compare-ratio=0.9", str(recordings / "leak.jsonl")).stdout
    assert rule.format("90 %") in stricter  # 91 connections: ten steps later
    assert "A bare 90 % rule: 1 page; 36 min before it was full; none for nothing." in stricter

    lines_ = objects(run("backtest", "--format=jsonl", str(recordings / "leak.jsonl")).stdout)
    for line in lines_:
        page = line["severity"] == Severity.CRITICAL and line["state"] == "firing"
        expected = line["time"] - (START + 51 * 360) if page else "absent"  # type: ignore[operator]
        assert line.get("bare_threshold_seconds", "absent") == expected
    assert len(lines_) >= 4


def test_gzip_stdin_and_a_plain_file_are_the_same(recordings: Path) -> None:
    expected = objects(run("backtest", "--format=jsonl", str(recordings / "leak.jsonl")).stdout)
    zipped = run("backtest", "--format=jsonl", str(recordings / "leak.jsonl.gz"))
    assert zipped.returncode == 1
    assert objects(zipped.stdout) == expected
    for file in ("leak.jsonl", "leak.jsonl.gz"):
        with (recordings / file).open("rb") as stdin:
            done = subprocess.run(
                [sys.executable, "-m", "pgheadroom", "backtest", "--format=jsonl", "-"],
                stdin=stdin,
                env=clean_environment(),
                capture_output=True,
                text=True,
                check=False,
            )
        assert without_name(objects(done.stdout)) == without_name(expected)


def test_several_files_are_several_histories(recordings: Path) -> None:
    files = [str(recordings / name) for name in ("quiet.jsonl", "leak.jsonl")]
    done = run("backtest", *files)
    assert done.returncode == 1
    heads = [line for line in done.stdout.splitlines() if line in ("quiet", "leak")]
    assert heads == ["quiet", "leak"]
    assert "UTC (leak)" in done.stdout.splitlines()[-1]


def test_thresholds_are_flags_variables_and_keys(recordings: Path, tmp_path: Path) -> None:
    """A page only when it is too late, and the leak is paged later than by default."""
    file = str(recordings / "leak.jsonl")
    config = tmp_path / "pgheadroom.yaml"
    config.write_text("paging_horizon_seconds: 60\n")
    first: list[object] = []
    for words, environment in (
        ((), {}),
        (("--paging-horizon-seconds", "60"), {}),
        ((), {"PGHEADROOM_PAGING_HORIZON_SECONDS": "60"}),
        (("--config", str(config)), {}),
    ):
        done = run("backtest", "--format=jsonl", file, *words, **environment)
        pages = [o for o in objects(done.stdout) if o["severity"] == Severity.CRITICAL]
        first.append(pages[0]["time"])
    assert first[1] == first[2] == first[3]
    assert str(first[0]) < str(first[1])


@pytest.mark.parametrize(
    ("words", "complaints"),
    [
        ([], ["give FILE ..., or --prometheus URL and --since 30d"]),
        (["x", "--prometheus", "http://p", "--since", "1d"], ["give FILE ..., or"]),
        (["x", "--format", "csv"], ["--format: 'csv' is not allowed; give text or jsonl"]),
        (
            ["x", "--compare-ratio", "80"],
            ["--compare-ratio: '80' is not allowed; give a share between 0 and 1, such as 0.8"],
        ),
        (["x", "--compare-ratio", "nan"], ["--compare-ratio: 'nan' is not allowed"]),
        (["-", "-"], ["the standard input (-) can be read only once"]),
        (
            ["x", "--since", "3d", "--paging-horizon-seconds", "soon", "--low-free-ratio", "2"],
            [
                "--paging-horizon-seconds: 'soon' is not allowed; give seconds, from 0 to 86400",
                "--low-free-ratio: '2' is not allowed; give a share from 0 to 1",
                "--since needs --prometheus URL",
            ],
        ),
        (["--prometheus", "http://p:1"], ["--prometheus needs --since"]),
        (
            ["--prometheus", "http://p:1", "--since", "1x", "--step", "1d", "--username", "me"],
            ["--since: '1x' is not a time", "--username and --password-file go together"],
        ),
        (["--prometheus", "http://p:1", "--since", "1d", "--step", "1d"], ["--step: '1d'"]),
        (["--prometheus", "p:9090", "--since", "1d"], ["--prometheus: not a URL"]),
        (["--prometheus", "http://p:1:2", "--since", "1d"], ["--prometheus: not a URL"]),
        (["--prometheus", "http://me:pw@p", "--since", "1d"], ["no login in the URL"]),
        (
            ["--prometheus", "http://p", "--since", "1d", "--until", "2d"],
            ["--since must be before"],
        ),
    ],
)
def test_wrong_arguments_are_all_told(words: list[str], complaints: list[str]) -> None:
    done = run("backtest", *words)
    assert (done.returncode, done.stdout) == (2, "")
    told = done.stderr.splitlines()
    assert all(line.startswith("pgheadroom: ") for line in told)
    assert len(told) == len(complaints)
    for complaint in complaints:
        assert complaint in done.stderr
    assert "pw@" not in done.stderr


def broken(place: int, line: str) -> bytes:
    """Return a recording whose line number *place* is *line*."""
    good = list(lines(quiet, 0.1))
    good[place - 1] = line + "\n"
    return "".join(good).encode()


FIRST = next(lines(quiet, 1)).strip()
KNOCK = '{"time":1767225600.0,"knock":"ok","seconds":0.1}'
"""As old as the first sample: allowed beside it, not after the second."""


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.jsonl", b"", ":1: the file is empty: there is no reading in it"),
        ("a.jsonl", b"\n\n", ":2: the file is empty"),
        ("a.jsonl", b"\x00\xff\xfe" * 999, ":1: not UTF-8"),
        ("a.jsonl", broken(7, "{"), ":7: not JSON: "),
        ("a.jsonl", broken(3, FIRST), ":3: time runs backwards: 1767225600.0 is not after"),
        ("a.jsonl", broken(2, FIRST), ":2: time runs backwards"),
        ("a.jsonl", broken(3, KNOCK), ":3: time runs backwards"),
        ("a.jsonl", broken(5, FIRST.replace("20", "-20")), ":5: a count of connections must be"),
        ("a.jsonl", FIRST[:50].encode(), ":1: not JSON"),
        ("a.jsonl", (FIRST + "\n" + FIRST[:50]).encode(), ":2: not JSON"),
        ("a.jsonl", b"[" * 9_000_000, ":1: a line of more than 8388608 bytes"),
        ("a.jsonl.gz", gzip.compress(broken(7, "{")), ":7: not JSON: "),
        ("a.jsonl.gz", gzip.compress(broken(7, ""))[:-20], ": damaged gzip: "),
        ("a.jsonl.gz", gzip.compress(FIRST.encode())[:15] + b"\xff" * 90, ":1: damaged gzip: "),
        ("a.jsonl.gz", gzip.compress((FIRST + "\n").encode()) + b"tail", ":2: damaged gzip: "),
        ("\x1b[31m.jsonl", b"{", "/\\u001b[31m.jsonl:1: not JSON"),
    ],
)
def test_a_file_that_is_no_use(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    report = tmp_path / "report.html"
    done = run("backtest", str(file), "--html", str(report))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"pgheadroom: {tmp_path}/")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not report.exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = run("backtest", str(tmp_path / "none"))
    assert done.returncode == 2
    assert (
        done.stderr == f"pgheadroom: {tmp_path}/none: cannot read it: No such file or directory\n"
    )
    assert "cannot read it: Is a directory" in run("backtest", str(tmp_path)).stderr


def test_a_report_that_cannot_be_written(recordings: Path, tmp_path: Path) -> None:
    done = run("backtest", str(recordings / "quiet.jsonl"), "--html", str(tmp_path / "no" / "x"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--html: cannot write" in done.stderr


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_in_a_real_browser(
    recordings: Path, tmp_path: Path, chromium: Launch, *, dark: bool
) -> None:
    """Nothing is loaded, nothing runs, and a hostile name stays text."""
    report = tmp_path / "report.html"
    files = [str(recordings / name) for name in ("leak.jsonl", "quiet.jsonl")]
    done = run("backtest", "--html", str(report), *files)
    assert (done.returncode, done.stderr) == (1, f"report: {report}\n{PAGES}")
    text = report.read_text()
    assert len(text) < 1_000_000
    assert not re.search(r"(src|href)=\"(?!#)|url\(|@import|<script|style=|\bon\w+=", text)
    more = ["--blink-settings=preferredColorScheme=0"] if dark else []
    done = subprocess.run(
        chromium.command(
            tmp_path / "profile",
            *("--dump-dom", "--enable-logging=stderr", "--v=0", *more, report.as_uri()),
        ),
        env=chromium.environment(clean_environment(), tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert "CONSOLE" not in done.stderr  # a refused style would be told there
    dom = done.stdout
    assert "<title>pgheadroom backtest</title>" in dom
    assert "&lt;script&gt;document.title='owned'&lt;/script&gt;, 67 at most" in dom
    assert dom.count("<svg viewBox") >= 2
    assert "PostgresConnectionsExhausted" in dom
    assert 'href="#h1">quiet</a>' in dom
    assert "97 slots for applications" in dom
    assert dom.count('<circle class="bare" cx=') >= 2  # a page of the bare rule, and the legend
    assert "Compared with a bare rule: above 80 % of max_connections" in dom
    assert "All of them, compared with a bare rule" in dom
    assert "<td>1 h 36 min before it was full</td>" in dom


def test_a_long_history_makes_no_large_page(tmp_path: Path) -> None:
    file, report = tmp_path / "long.jsonl", tmp_path / "report.html"

    def many(second: int) -> list[Row]:
        return [(f"app-{n}x", "idle", (second * (n + 3) // 7) % (n + 2)) for n in range(12)]

    file.write_text("".join(lines(many, 26, step=5)))
    assert run("backtest", "--html", str(report), str(file)).returncode in (0, 1)
    text = report.read_text()
    assert len(text) < 1_000_000
    assert "all others, " in text


def test_a_terminal_gets_colours_and_a_pipe_does_not(recordings: Path) -> None:
    words = [sys.executable, "-m", "pgheadroom", "backtest", str(recordings / "quiet.jsonl")]
    ours, theirs = pty.openpty()
    environment = clean_environment(TERM="xterm-256color")
    environment.pop("NO_COLOR", None)
    done = subprocess.run(words, stdout=theirs, stderr=theirs, env=environment, check=False)
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "\x1b[" in said
    assert "\x1b" not in run("backtest", str(recordings / "quiet.jsonl")).stdout


def test_long_work_shows_a_bar_to_a_person(tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    file.write_text("".join(lines(quiet, 10, step=1)))
    words = [sys.executable, "-m", "pgheadroom", "backtest", str(file)]
    ours, theirs = pty.openpty()
    environment = clean_environment(TERM="xterm-256color", COLUMNS="80")
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # the end of a terminal whose other side is closed
        while more := os.read(ours, 4096):
            said += more
    os.close(ours)
    assert process.wait() == 0
    assert "\u2501\u2501\u2501" in said.decode()  # a bar is drawn with heavy lines
    assert b"long" in said


def test_who_reads_no_further_is_no_error(recordings: Path) -> None:
    command = f"{sys.executable} -m pgheadroom backtest {recordings / 'leak.jsonl'} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "leak\n", PAGES)


def test_help_tells_every_threshold() -> None:
    done = run("backtest", "--help-all")
    assert done.returncode == 0
    for name in Thresholds.__slots__:
        assert f"--{name.replace('_', '-')} " in done.stdout
    assert "Exits 1 if a critical alert would have fired" in done.stdout
