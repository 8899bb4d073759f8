"""Tests that a quoted name is read back as itself, whatever it is, and that nothing is hidden."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pgheadroom.status.quoting import fits, identifier, literal, pattern, tellable, visible

NASTY = st.sampled_from("'\"\\!%_*;:-/$\n\r\t \u202e\u200b\u2066\ufeff\u3164\u05d0\u0301nu0x")
NAMES = st.text(st.one_of(NASTY, st.characters(codec="utf-8", exclude_characters="\0")))
HOSTILE = (
    "x' OR true; --",
    "\\' OR true; --",
    "\\",
    "\n\\! id",
    ":'x' :\"y\" :z",
    "$$ $1 E'",
    "right\u202eleft",
    "zero\u200bwidth\u3164",
    "*!*%_",
    "\u05d0\u05d1",
    "a\U000e0101b",
)
SIMPLE_ESCAPES = {"\\": "\\", "n": "\n"}


def read(text: str, *, standard: bool) -> tuple[str, str]:
    """Read a literal as PostgreSQL's scan.l does; return its value and what follows it."""
    codes = text.startswith("E") or not standard
    assert re.match(r"E?'", text)
    at, found = text.index("'") + 1, ""
    while True:
        if text.startswith("''", at):
            found, at = found + "'", at + 2
        elif text[at] == "'":
            return found, text[at + 1 :]
        elif codes and text[at] == "\\":
            code = re.compile(r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(\\))").match(text, at)
            assert code, "no other code is used"
            found += code[3] or chr(int(code[1] or code[2], 16))
            at = code.end()
        else:
            found, at = found + text[at], at + 1


def like(operand: str, text: str) -> bool:
    """Say whether *text* is LIKE what is written as *operand*, by a way of its own."""
    value, escape = read(operand, standard=True)
    assert escape == " ESCAPE '!'"
    parts = re.findall(r"!.|.", value, re.DOTALL)
    regex = "".join(".*" if part == "%" else re.escape(part[-1]) for part in parts)
    assert not [part for part in parts if part == "_"], "none stands for any character"
    return re.fullmatch(regex, text, re.DOTALL) is not None


def require_read_back(name: str) -> None:
    for standard in (True, False):
        assert read(literal(name) + ";", standard=standard) == (name, ";")


@given(NAMES)
@example("")
def test_a_literal_is_read_back_whatever_the_setting(name: str) -> None:
    require_read_back(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_read_back(name: str) -> None:
    require_read_back(name)


@given(NAMES)
def test_all_of_a_literal_is_seen(name: str) -> None:
    quoted = literal(name)
    assert quoted.isprintable()
    assert visible(quoted)
    classes = {unicodedata.bidirectional(one) for one in quoted}
    assert classes <= {"L", "EN", "ES", "ET", "CS", "ON", "WS"}
    assert not set(quoted) & set("\u3164\u2800\u115f\u1160\uffa0")


def test_a_plain_name_stays_readable() -> None:
    assert literal("nest-api") == "'nest-api'"
    assert literal("it's") == "'it''s'"
    assert literal("caf\u00e9 \u4ef7\u683c") == "'caf\u00e9 \u4ef7\u683c'"
    assert literal("a\\b") == r"E'a\\b'"
    assert literal("a\nb\u202e\U000e0101") == r"E'a\u000ab\u202e\U000e0101'"
    assert pattern("billing-*") == "'billing-%' ESCAPE '!'"
    assert pattern("50%_!\\*") == r"E'50!%!_!!\\%' ESCAPE '!'"


@given(NAMES, st.lists(NAMES, min_size=1, max_size=4))
def test_a_pattern_fits_what_was_folded_into_it(name: str, varying: list[str]) -> None:
    """A star in the name itself fits a star, too."""
    assert like(pattern(name), name)
    folded = "*".join([name, *varying])
    raw = "17".join([name, *varying])
    assert like(pattern(folded), raw)
    assert fits(folded, raw)


@given(st.text("ab*%_\\!'", max_size=6), st.text("ab%_\\!'", max_size=8))
def test_we_find_what_the_server_would(name: str, text: str) -> None:
    if "*" in name:
        assert fits(name, text) == like(pattern(name), text)
    else:
        assert fits(name, text) == (text == name)


def test_many_stars_take_no_time() -> None:
    assert not fits("a*" * 31 + "b", "a" * 63)
    assert fits("a*" * 31, "a" * 63)


@given(NAMES)
def test_an_identifier_is_all_seen_and_read_back(name: str) -> None:
    quoted = identifier(name)
    if quoted is None:
        return
    assert quoted.isprintable()
    assert visible(quoted)
    assert re.fullmatch('"([^"]|"")+"', quoted)
    assert quoted[1:-1].replace('""', '"') == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a\nb",
        "\x7f",
        "a\u202eb",
        "a\u200bb",
        "\u3164",
        "\u05d0",
        r"a\u000ab",
        r"\xff",
        "x" * 64,
    ],
)
def test_what_cannot_be_seen_or_told_is_no_identifier(name: str) -> None:
    assert identifier(name) is None


@pytest.mark.parametrize(
    "name", ["shop", 'a"b', "a b; DROP", "a\\b", "caf\u00e9", "x" * 63, "\\u12"]
)
def test_what_can_be_seen_is_an_identifier(name: str) -> None:
    assert identifier(name) is not None


def test_what_a_reading_wrote_as_a_code_is_not_known() -> None:
    assert not tellable(r"a\u000ab")
    assert not tellable(r"a\u1f4a9b")
    assert not tellable(r"a\xe9")
    assert not tellable("oid 16384")
    assert not tellable("a\ufffd")
    assert tellable("oids 16384")
    assert tellable(r"a\users")
