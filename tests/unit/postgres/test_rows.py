"""Tests that an answer that no PostgreSQL gives is refused."""

import pytest

from pgheadroom.model.activity import Activity
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


def full(figures: list[tuple[bytes | None, bytes | None, bytes | None]]) -> list[rows.Row]:
    """Return a full answer, whose groups of four have these names, ages and figures."""
    application: list[rows.Row] = [
        (b"application", name, b"idle", b"4", age, b"shop", b"app", further)
        for name, age, further in figures
    ]
    settings = {b"max_connections": b"100", b"server_version_num": b"180000", b"is_superuser": None}
    return [
        *application,
        part(b"hidden", b"0", 3)[:8],
        *((b"setting", name, value, *[None] * 5) for name, value in settings.items()),
        (b"setting", b"server_version", b"18", *[None] * 5),
        *(part(name, b"true", 2)[:8] for name in (b"recovery", b"me", b"sees_all")),
        part(b"pid", b"7", 3)[:8],
        *(part(name, b"1.5", 4)[:8] for name in (b"started", b"cost")),
        (b"activity", None, b"5000000000", b"300", *[None] * 4),
    ]


def test_signs_of_activity_are_read() -> None:
    """Young connections of one name are summed, and of what idles the oldest is told."""
    answer = full(
        [
            (b"api", b"9.5", b"1 0 1 2"),
            (b"api", b"90.5", b"2 1 2 4 7.25"),
            (b"job", b"90.5", b"0 0 0 0 9.5"),
            (b"old", b"1e7", b"0 0 0 0 -0.5"),
        ]
    )
    found, _ = rows.sample(answer, 9.0, 0.1, announced_pid=7)
    assert found.holders.younger == {"api": (1, 3, 6)}
    assert found.postgres.activity == Activity(5_000_000_000, 300, 9.5)
    assert found.postgres.waiting == 3


def test_where_one_age_is_hidden_none_is_told() -> None:
    answer = full([(b"api", b"9.5", b"1 0 1 2"), (b"job", None, b"0 0 0 0")])
    found, _ = rows.sample(answer, 9.0, 0.1, announced_pid=7)
    assert found.holders.younger is None
    assert found.postgres.activity == Activity(5_000_000_000, 300, None)


@pytest.mark.parametrize(
    "further",
    [
        *(None, b"", b"0", b"0 1 2", b"0 2 1 3", b"0 1 2 5", b"0 -1 0 0", b"-1 0 0 0"),
        *(b"0 0 0 0 NaN", b"0 0 0 0 soon", b"0 0 0 0 1 2", b"0 0 0 " + b"9" * 30),
    ],
)
def test_figures_that_cannot_be_make_no_sense(further: bytes | None) -> None:
    answer = full([(b"api", b"9.5", further)])
    with pytest.raises(rows.SenselessError):
        rows.sample(answer, 9.0, 0.1, announced_pid=7)


@pytest.mark.parametrize("value", [b"-1", b"1e3", b"9" * 30, b"many"])
@pytest.mark.parametrize("column", [2, 3])
def test_counters_that_cannot_be_make_no_sense(column: int, value: bytes) -> None:
    *answer, counted = full([])
    forged = tuple(value if place == column else cell for place, cell in enumerate(counted))
    with pytest.raises(rows.SenselessError):
        rows.sample([*answer, forged], 9.0, 0.1, announced_pid=7)
    with pytest.raises(rows.SenselessError):
        rows.sample(answer, 9.0, 0.1, announced_pid=7)
