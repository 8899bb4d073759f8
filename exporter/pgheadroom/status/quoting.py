r"""Quotes names for SQL that goes through psql, and for PgBouncer's console.

Names are chosen by strangers, so nothing of one is left to the reader of a statement: what is no
visible character, or would reorder those around it, is written as a code; a literal means the same
whatever ``standard_conforming_strings`` is; no line ends within a name, so that none of it can
begin with the backslash of a command of psql.
"""

from __future__ import annotations

import re
import unicodedata

WILD = "*"
"""What folding puts in the place of what varies."""

_ESCAPE = "!"
"""Of LIKE: a backslash would have to be doubled, and differently so under other settings."""
_LEFT_TO_RIGHT = frozenset({"L", "EN", "ES", "ET", "CS", "ON", "WS"})
"""Bidirectional classes that neither turn the text around nor, as combining marks, overprint it."""
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by class, but nothing is seen of them."""
_LONGEST = 63
"""Bytes that PostgreSQL keeps of a name: it would take a longer one for another."""
_TOLD_AS_CODE = re.compile(r"\\(?:u[0-9a-f]{4}|x[0-9a-f]{2})|\N{REPLACEMENT CHARACTER}")
_NO_NAME = re.compile(r"oid [0-9]+")
"""What a reading tells in the place of a name that is in no catalog."""


def visible(text: str) -> bool:
    """Say whether a reader of *text* sees each character of it, in the order they have."""
    return all(map(_visible, text))


def tellable(name: str) -> bool:
    r"""Say whether *name*, as it was told, is known to be what a role or a database is called.

    It is not where a reading has written a character of it as a code: ``a\u000ab`` may be two
    lines, or eight characters.
    """
    return (
        0 < len(name.encode(errors="replace")) <= _LONGEST
        and not _TOLD_AS_CODE.search(name)
        and not _NO_NAME.fullmatch(name)
    )


def literal(text: str) -> str:
    """Return the string *text* in SQL; what no string of PostgreSQL can hold, it will refuse."""
    if visible(text) and "\\" not in text:
        return "'" + text.replace("'", "''") + "'"
    return "E'" + "".join(map(_in_literal, text)) + "'"


def pattern(name: str) -> str:
    """Return the operand of LIKE that fits what folds into *name*, as far as a pattern can."""
    literally = re.sub(rf"[{_ESCAPE}%_]", rf"{_ESCAPE}\g<0>", name)
    return f"{literal(literally.replace(WILD, '%'))} ESCAPE '{_ESCAPE}'"


def fits(name: str, text: str) -> bool:
    """Say whether *text* fits the pattern of *name*, as PostgreSQL would."""
    first, *others = name.split(WILD)
    if not others:
        return text == name
    *middle, last = others
    if not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end


def identifier(name: str) -> str | None:
    """Return *name* as the name of a role or a database; None where it can't be shown as it is."""
    if not tellable(name) or not visible(name):
        return None
    return '"' + name.replace('"', '""') + '"'


def _visible(character: str) -> bool:
    return (
        character.isprintable()
        and character not in _BLANK
        and unicodedata.bidirectional(character) in _LEFT_TO_RIGHT
    )


def _in_literal(character: str) -> str:
    if character in "'\\":
        return 2 * character
    if _visible(character):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four digits
