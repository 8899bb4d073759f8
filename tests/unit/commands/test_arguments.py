"""Tests what the command line is taken for, and how what is wrong with it is told."""

import argparse
import errno
import io
import re
from contextlib import redirect_stderr

import pytest

from pgheadroom import __version__
from pgheadroom.commands.arguments import (
    EXIT_STATUSES,
    Answered,
    ExitStatus,
    complain,
    fail,
    parse,
)
from pgheadroom.commands.cli import COMMANDS, main
from pgheadroom.commands.help.groups import GROUPS
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings

SECRET = "postgresql://u:sesame@h/d"  # noqa: S105 - planted, to be looked for


def parsed(line: str) -> argparse.Namespace:
    return parse(line.split(), COMMANDS)


def problems(line: str) -> list[str]:
    """Return what is wrong with *line*, whether it is told at once or with the settings."""
    try:
        return [*parsed(line).problems]
    except ConfigurationError as error:
        return [*error.problems]


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("", "serve"),
        ("--listen :1", "serve"),
        ("serve", "serve"),
        ("once --json", "once"),
        ("backtest -", "backtest"),
        ("--", "serve"),
    ],
)
def test_the_first_word_is_the_command(line: str, command: str) -> None:
    options = parsed(line)
    assert (options.command, options.problems) == (command, [])


@pytest.mark.parametrize("line", ["record --keep 3 file", "record file --keep 3"])
def test_flags_stand_before_or_after_the_arguments(line: str) -> None:
    options = parsed(line)
    assert (options.file, options.keep, options.problems) == ("file", "3", [])


@pytest.mark.parametrize("line", ["rules --", "once --json --", "serve --", "top --"])
def test_two_dashes_with_nothing_after_them_are_allowed(line: str) -> None:
    assert problems(line) == []


def test_what_follows_two_dashes_is_an_argument() -> None:
    assert parsed("dashboards -- --json").directory.name == "--json"
    assert parsed("record -- -file").file == "-file"
    assert parsed("backtest a -- -b").files == ["a", "-b"]


@pytest.mark.parametrize("line", ["rules -- x", "rules -- --format", "dashboards -- a --b"])
def test_an_argument_after_two_dashes_is_no_flag(line: str) -> None:
    assert problems(line) == ["unexpected argument"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--json once", "once --json ..."),
        ("--json check --dsn host=x", "check --json ..."),
        ("--json=yes once", "once --json ..."),
        ("--format jsonl backtest file", "backtest --format ..."),
        ("--since 3d --step 15s backtest", "backtest --since ... --step ..."),
        ("--interval-seconds 2 once", "once ..."),
        ("-- once", "once ..."),
    ],
)
def test_a_command_that_comes_late_is_told_with_its_flags(line: str, told: str) -> None:
    """Values are not repeated."""
    assert problems(line) == [f"the command comes first: pgheadroom {told}"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("once top", "give one command at a time: once or top"),
        ("once --json --jso", "no such flag: --jso; did you mean --json?"),
        ("once --jso -- --jso", "no such flag: --jso; did you mean --json?"),
        ("--no-such-flag", "no such flag: --no-such-flag"),
        (
            "--intervall-seconds 2",
            "no such flag: --intervall-seconds; did you mean --interval-seconds?",
        ),
        ("record --rotate-byte 2", "no such flag: --rotate-byte; did you mean --rotate-bytes?"),
        ("once -x", "no such flag: -x"),
        ("rules x", "unexpected argument"),
        ("watch", f"no such command: watch; there are {', '.join(COMMANDS)}"),
        ("servee", "no such command: servee; did you mean serve?"),
        ("dashboards", "missing: DIR; see --help"),
        ("backtest --format csv", "--format: 'csv' is not allowed; give text or jsonl"),
        ("top --target", "--target: no value is given"),
        ("once --json=yes", "--json: no value is allowed; it stands alone"),
    ],
)
def test_what_is_wrong_is_told_in_our_words(line: str, told: str) -> None:
    assert problems(line) == [told]


def test_every_unknown_flag_is_told() -> None:
    assert problems("once --a --b=1 c") == ["no such flag: --a", "no such flag: --b"]


@pytest.mark.parametrize(
    "line", ["{}", "once {}", "rules {}", "once -- {}", "--x={} once", "-- {}", "--{}", "once --{}"]
)
def test_a_connection_string_is_not_repeated(line: str) -> None:
    found = problems(line.format(SECRET))
    assert found
    assert "sesame" not in "".join(found)


def test_where_there_are_settings_the_way_to_give_one_is_told() -> None:
    (told,) = problems(f"once {SECRET}")
    assert told == "unexpected argument; use --dsn CONNINFO to give a connection string"


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Answered):
        parsed("--version")
    assert capsys.readouterr().out == f"pgheadroom {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main([name, "--help"]) == ExitStatus.OK
    said = capsys.readouterr().out
    assert said.startswith(f"usage: pgheadroom {name}")
    assert COMMANDS[name].DESCRIPTION.splitlines()[0] in said


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, set[str]]:
    """Return what is printed, and the settings among its flags."""
    assert main(words) == ExitStatus.OK
    said = capsys.readouterr().out
    flags = {flag.replace("-", "_") for flag in re.findall(r"^  --([a-z-]+)", said, re.MULTILINE)}
    return said, flags & set(Settings.model_fields)


@pytest.mark.parametrize("name", ["serve", "once", "check", "top", "record", "demo"])
def test_the_short_help_lists_what_matters_and_the_long_one_everything(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    short, few = listed(capsys, name, "--help")
    assert 6 <= len(few) <= 10
    assert f"--help-all lists {len(Settings.model_fields) - len(few)} more settings." in short
    whole, every = listed(capsys, name, "--help-all")
    assert every == set(Settings.model_fields)
    for heading in GROUPS:
        assert f"\n{heading}:\n" in whole
    if name in ("once", "check", "top", "record"):
        assert not few.intersection(GROUPS["serving"] + GROUPS["alertmanagers"])


def test_every_setting_is_in_one_group() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(Settings.model_fields)


@pytest.mark.parametrize("columns", ["80", "100", "200"])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for words in ((name, "--help"), (name, "--help-all"), ("--help",)):
        if "--help-all" in words and name in ("rules", "dashboards"):
            continue
        said, _ = listed(capsys, *words)
        assert max(map(len, said.splitlines())) <= min(int(columns), 100)


@pytest.mark.parametrize("words", ["-h", "--help"])
def test_the_overview_lists_commands_and_exit_statuses(
    capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert main([words]) == ExitStatus.OK
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    for name, command in COMMANDS.items():
        assert [name, command.HELP] in lines
    for status, meaning in EXIT_STATUSES.items():
        assert [str(int(status)), meaning] in lines


def test_every_exit_status_is_explained() -> None:
    assert [*EXIT_STATUSES] == [*ExitStatus]


def test_complaints_begin_with_our_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert complain(["one", "two"]) is ExitStatus.USAGE
    assert fail("three") is ExitStatus.NOT_OK
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "pgheadroom: one\npgheadroom: two\npgheadroom: three\n")


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, _text: str, /) -> int:
        """Fail."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_complaints_that_cannot_be_written_keep_the_status() -> None:
    with redirect_stderr(Full()):
        assert complain(["one"]) is ExitStatus.USAGE
