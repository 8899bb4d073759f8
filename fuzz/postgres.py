"""Fuzzes what a server may answer: errors, messages, rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fuzz.harness import Harness
from pgheadroom.model.names import NameFolder
from pgheadroom.model.reading import Outcome
from pgheadroom.postgres import refusal, rows
from pgheadroom.postgres.knock import UnusableError, admits, message, parse_error
from pgheadroom.state import State
from pgheadroom.step import Policy, step

_POLICY = Policy(NameFolder().fold)
_LOOP = asyncio.new_event_loop()


def _judged(said: refusal.Refusal) -> None:
    for was_alive in (False, True):
        assert refusal.outcome(said, was_alive=was_alive) in Outcome
    assert "\n" not in said.detail


def error_text(data: bytes) -> None:
    """What libpq tells of an error."""
    _judged(refusal.parse(data.decode(errors="replace")))


def first_answer(data: bytes) -> None:
    """What a knock is answered with."""
    reader = asyncio.StreamReader(limit=64 * 1024, loop=_LOOP)
    reader.feed_data(data)
    reader.feed_eof()
    try:
        kind, payload = done(message(reader))
        if kind == b"E":
            _judged(parse_error(payload))
        else:
            admits(kind, payload)
    except (UnusableError, EOFError):
        pass


def done(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what *work* returns
    """Return what *work* does, which has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def _cells(line: bytes) -> rows.Row:
    """Return a row: its cells are apart by tabs, and ~ is NULL."""
    return tuple(None if cell == b"~" else cell for cell in line.split(b"\t"))


def _sensible(read: Callable[[], Any]) -> Any:  # noqa: ANN401 - what *read* returns
    try:
        return read()
    except rows.SenselessError:
        return None


def answer(data: bytes) -> None:
    """The rows of a full reading, or the row of a pulse."""
    table = [_cells(line) for line in data.split(b"\n")]
    _sensible(lambda: rows.pulse(table[0], 1000.0, 0.1))
    _sensible(lambda: rows.starting(table[0]))
    read = _sensible(lambda: rows.sample(table, 1000.0, 0.1, 7))
    if read is not None:
        found, _ = read
        state = step(State("db"), found, _POLICY)
        step(state, found._replace(at=1010.0), _POLICY)


_FULL = b"""application\tapi\tidle\t4\t10.5\tshop\tapp\t0 1 2 3
application\tapi\tidle in transaction\t1\t10.5\tshop\tapp\t0 0 0 1 7.5
application\tpsql\t~\t1\t~\t~\t~\t0 0 0 0
activity\t~\t123456\t789\t~\t~\t~
hidden\t~\t~\t2\t~\t~\t~
role\treports\t8\t3\t~\t~\t~
database\tshop\t36\t5\t~\t~\t~
sessions\tshop\t1 2 3\t100\t~\t~\t~
setting\tmax_connections\t100\t~\t~\t~\t~
setting\tserver_version_num\t170010\t~\t~\t~\t~
setting\tserver_version\t17.10\t~\t~\t~\t~
setting\tis_superuser\toff\t~\t~\t~\t~
recovery\t~\tfalse\t~\t~\t~\t~
me\t~\tpgheadroom\t~\t~\t~\t~
sees_all\t~\ttrue\t~\t~\t~\t~
reserve\t~\tfalse\t~\t~\t~\t~
pid\t~\t~\t7\t~\t~\t~
started\t~\t~\t~\t500.0\t~\t~
cost\t~\t~\t~\t0.001\t~\t~"""

HARNESSES = (
    Harness(
        "error-text",
        error_text,
        (
            b'connection to server at "127.0.0.1", port 5432 failed: FATAL:  53300: sorry, too many'
            b" clients already\nLOCATION:  InitProcess, proc.c:455\n",
            b'connection to server on socket "/x" failed: Connection refused\n\tIs it running?\n',
        ),
        share=150,
        words=("FATAL:  53300: ", "LOCATION:  InitPostgres, postinit.c:1\n", "08P01", "57P03"),
    ),
    Harness(
        "first-answer",
        first_answer,
        (
            b"R\0\0\0\x08\0\0\0\0",
            b"R\0\0\0\x08\0\0\0\x0a",
            b"E\0\0\0\x1dSFATAL\0C53300\0Mfull\0RInit\0\0",
            b"v\0\0\0\x0c\0\0\0\0\0\0\0\0",
        ),
        share=60,
        longest=256,
    ),
    Harness(
        "rows",
        answer,
        (
            *(_FULL, b"9\t500.0\t2", b"9\t500.0\t{7,8}\t{7}\t{7}"),
            _FULL.replace(b"hidden\t~\t~\t2", b"hidden\t~\t{7,8}\t~"),
            _FULL.replace(b"psql\t~\t1\t~", b"psql\t~\t1\t5.5"),
        ),
        share=60,
        words=("nan", "inf", "-1", "1e400", "9" * 40, "\t~", "setting\t", "\nhidden\t"),
    ),
)
