"""Tests that an answer that no PostgreSQL gives is refused."""

import pytest

from pgheadroom.model.blockers import Blockers
from pgheadroom.postgres import rows
from pgheadroom.postgres.starting import Starting

GOOD = (b"12", b"1767229198.5", b"3")
OLDER = (b"12", b"1767229198.5", b"{41,42}", b"{40}", b"{40,39}")


def test_a_pulse_is_read() -> None:
    pulse = rows.pulse(GOOD, at=1.0, duration_seconds=0.5)
    assert (pulse.visible, pulse.started_at, pulse.hidden) == (12, 1767229198.5, 3)


def test_a_pulse_of_14_to_16_tells_who_is_starting() -> None:
    pulse = rows.pulse(OLDER, at=1.0, duration_seconds=0.5)
    assert (pulse.visible, pulse.started_at, pulse.hidden) == (12, 1767229198.5, 0)
    assert rows.starting(OLDER) == Starting(
        frozenset({41, 42}), frozenset({40}), frozenset({39, 40})
    )
    assert rows.starting((*OLDER[:2], None, None, None)) == Starting()


@pytest.mark.parametrize("column", [0, 2])
@pytest.mark.parametrize("value", [b"-1", b"1e3", b"9" * 30, b"\xff", b"NaN"])
def test_what_is_no_count_makes_no_sense(column: int, value: bytes) -> None:
    row = [*GOOD]
    row[column] = value
    with pytest.raises(rows.SenselessError):
        rows.pulse(tuple(row), at=1.0, duration_seconds=0.5)


@pytest.mark.parametrize("column", [2, 3, 4])
@pytest.mark.parametrize("value", [b"{-1}", b"{1e3}", b"{" + b"9" * 30 + b"}", b"\xff", b"{x,1}"])
def test_what_are_no_pids_make_no_sense(column: int, value: bytes) -> None:
    row = [*OLDER]
    row[column] = value
    with pytest.raises(rows.SenselessError):
        rows.starting(tuple(row))


@pytest.mark.parametrize("value", [b"NaN", b"inf", b"-1e300", b"soon"])
def test_what_is_no_moment_makes_no_sense(value: bytes) -> None:
    with pytest.raises(rows.SenselessError):
        rows.pulse((GOOD[0], value, GOOD[2]), at=1.0, duration_seconds=0.5)


def test_a_row_that_is_too_short_makes_no_sense() -> None:
    with pytest.raises(rows.SenselessError):
        rows.pulse((), at=1.0, duration_seconds=0.5)
    with pytest.raises(rows.SenselessError):
        rows.starting(GOOD)


def session(pid: bytes, waits: bytes | None, name: bytes | None = b"api") -> rows.Row:
    kind, state = b"client backend", b"active"
    return b"session", pid, name, kind, state, b"9.5", waits, b"shop", b"a\xe2\x80\xaeb"


def part(name: bytes, value: bytes | None, column: int) -> rows.Row:
    return (name, *((value if place == column else None) for place in range(1, 9)))


QUEUE = [
    session(b"41", None, b"1 2,3}"),
    session(b"42", b"-0.2"),
    session(b"43", b"7.5"),
    part(b"edges", b"43 42", 2),
    part(b"edges", b"42 41", 2),
    part(b"waiting", b"3", 1),
    part(b"cost", b"0.004", 5),
]


def test_who_blocks_whom_is_read() -> None:
    them, cost = rows.who_blocks(QUEUE, at=9.0)
    assert cost == 0.004
    assert (them.at, them.waiting, them.looked_at) == (9.0, 3, 2)
    (root,) = them.roots
    assert (root.pid, root.application_name, root.role) == (41, "1 2,3}", r"a\u202eb")
    assert (root.transaction_seconds, root.longest_wait_seconds) == (9.5, 7.5)


def test_a_prepared_transaction_has_no_process() -> None:
    queue = [*QUEUE[1:4], part(b"edges", b"42 0", 2), *QUEUE[5:]]
    for more in ([], [(b"prepared", *(None,) * 4, b"60", None, b"shop", b"app")]):
        (root,) = rows.who_blocks([*queue, *more], at=9.0)[0].roots
        assert (root.pid, root.kind, root.state) == (0, "prepared transaction", "prepared")
        assert (root.blocks, root.application_name) == (2, "")
        assert (root.database, root.role, root.transaction_seconds) == (
            ("shop", "app", 60.0) if more else ("", "", None)
        )


def test_that_nobody_waits_any_more_is_read() -> None:
    assert rows.who_blocks([part(b"waiting", b"0", 1), QUEUE[-1]], at=9.0) == (Blockers(9.0), 0.004)


@pytest.mark.parametrize(
    "row",
    [
        part(b"edges", b"43 42 ", 2),
        part(b"edges", b"", 2),
        part(b"edges", b"43 -1", 2),
        part(b"edges", b"43 x", 2),
        part(b"edges", b"9" * 5000, 2),
        part(b"edges", b",".join(b"%d 41" % pid for pid in range(100, 151)), 2),
        part(b"edges", b" ".join(b"%d" % pid for pid in range(100, 302)), 2),
        part(b"session", b"NaN", 1),
        (b"session", b"41"),
        (),
    ],
)
def test_a_queue_that_is_none_makes_no_sense(row: rows.Row) -> None:
    with pytest.raises(rows.SenselessError):
        rows.who_blocks([*QUEUE, row], at=9.0)
    with pytest.raises(rows.SenselessError):
        rows.who_blocks(QUEUE[:-2], at=9.0)
