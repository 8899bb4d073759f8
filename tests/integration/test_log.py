"""Tests that a log line is one line, whatever is in it, in the format that was asked for."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.log import LogFormat, configure

HOSTILE = 'x\nlevel=error event="all slots gone"\r\x1b[31m\u202e" target=db'


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def written(format_: LogFormat, value: str) -> str:
    stream = io.StringIO()
    configure(format_, "info", stream)
    structlog.get_logger("test").warning("something happened", name=value, target="db")
    logging.getLogger("library").error("it said %s", value)
    return stream.getvalue()


@pytest.mark.parametrize("format_", ["logfmt", "json"])
def test_a_hostile_name_forges_nothing(format_: LogFormat) -> None:
    text = written(format_, HOSTILE)
    lines = text.splitlines()
    assert len(lines) == 2
    assert all(character.isprintable() for line in lines for character in line)


@given(st.text())
def test_two_events_are_two_lines(value: str) -> None:
    for format_ in ("logfmt", "json"):
        assert len(written("json" if format_ == "json" else "logfmt", value).splitlines()) == 2


def test_json_gives_back_what_went_in() -> None:
    first, second = map(json.loads, written("json", "plain").splitlines())
    assert (first["event"], first["name"], first["target"]) == (
        "something happened",
        "plain",
        "db",
    )
    assert (first["level"], first["logger"]) == ("warning", "test")
    assert second["event"] == "it said plain"


def test_logfmt_begins_with_when_how_bad_and_what() -> None:
    line = written("logfmt", "plain").splitlines()[0]
    assert line.startswith("ts=2")
    assert ' level=warning event="something happened" target=db name=plain' in line


def test_a_quote_does_not_end_a_value() -> None:
    line = written("logfmt", 'a" level=error b="').splitlines()[0]
    assert r'name="a\" level=error b=\""' in line


def test_below_the_level_nothing_is_said() -> None:
    stream = io.StringIO()
    configure("logfmt", "warning", stream)
    structlog.get_logger("test").info("chatter")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("format_", ["logfmt", "json"])
def test_a_traceback_shows_no_values(format_: LogFormat) -> None:
    """As of a bug in code that holds a password."""
    stream = io.StringIO()
    configure(format_, "debug", stream)
    secret = "gar-nicht-" + "geheim"
    try:
        _fail(secret)
    except KeyError:
        structlog.get_logger("test").exception("bug")
    (line,) = stream.getvalue().splitlines()
    assert "in _fail" in line
    assert secret not in line


def _fail(password: str) -> None:
    raise KeyError(len(password))
