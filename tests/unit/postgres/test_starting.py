"""Tests that logins in progress are distinguished from other processes that start."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.postgres.starting import Answer, Logins, Starting


def look(*pids: int, clients: tuple[int, ...] = (), others: tuple[int, ...] = ()) -> Starting:
    """Return a look at *pids* that start; of the earlier ones some have a row now."""
    return Starting(frozenset(pids), frozenset(clients), frozenset(clients + others))


def begun(*pids: int, now: float = 100.0, most_seconds: float = 1.5) -> Logins:
    logins = Logins()
    logins.begin(look(*pids), now, most_seconds)
    return logins


def test_nobody_starts() -> None:
    logins = begun()
    assert logins.answer(100.0) == Answer(look=0, logins=0, sure=True)
    assert logins.unexplained == ()


def test_what_has_the_row_of_a_client_now_was_a_login() -> None:
    logins = begun(7)
    assert logins.answer(100.0) is None
    assert logins.unexplained == (7,)
    logins.again(look(8, clients=(7,)), 100.01)
    assert logins.answer(100.01) == Answer(look=0, logins=1, sure=True)


def test_what_has_another_row_now_was_none() -> None:
    logins = begun(7, 8, 9)
    logins.again(look(9, clients=(8,), others=(7,)), 100.01)
    assert logins.answer(100.01) is None
    logins.again(look(10, others=(9,)), 100.02)
    assert logins.answer(100.02) == Answer(look=1, logins=0, sure=True)


def test_the_newest_look_that_is_explained_counts() -> None:
    logins = begun(7)
    logins.again(look(others=(7,)), 100.01)
    assert logins.answer(100.01) == Answer(look=1, logins=0, sure=True)


def test_what_starts_for_long_is_a_login_that_waits_for_somebody() -> None:
    logins = begun(7)
    logins.again(look(7), 100.2)
    assert logins.answer(100.2) is None
    logins.again(look(7, 8), 100.25)
    assert logins.answer(100.25) == Answer(look=1, logins=1, sure=True)


def test_what_has_been_a_login_in_one_sample_is_one_in_the_next() -> None:
    logins = begun(7)
    logins.begin(look(7), 101.0, 1.5)
    assert logins.answer(101.0) == Answer(look=0, logins=1, sure=True)


def test_a_pid_that_was_gone_in_between_starts_anew() -> None:
    logins = begun(7)
    logins.begin(look(), 101.0, 1.5)
    logins.begin(look(7), 102.0, 1.5)
    assert logins.answer(102.0) is None


def test_where_workers_have_been_starting_it_takes_longer_to_tell() -> None:
    """Two dozen of them on a busy server are not done after a quarter of a second."""
    logins = begun(7, 8)
    logins.again(look(7, others=(8,)), 100.2)
    logins.again(look(7), 101.4)
    assert logins.answer(101.4) is None
    logins.again(look(7), 101.5)
    assert logins.answer(101.5) == Answer(look=3, logins=1, sure=True)
    logins.begin(look(7, 9), 102.0, 1.5)
    logins.again(look(7, 9), 103.0)
    assert logins.answer(103.0) is None
    logins.again(look(7, clients=(9,)), 103.1)
    assert logins.answer(103.1) == Answer(look=2, logins=1, sure=True)


def test_but_never_longer_than_it_may() -> None:
    logins = begun(7, 8, most_seconds=0.5)
    logins.again(look(7, others=(8,)), 100.1)
    logins.again(look(7), 100.5)
    assert logins.answer(100.5) is not None


def test_what_is_gone_before_it_had_a_row_is_looked_for_elsewhere() -> None:
    """It may have been a refused login or a worker; the next look is free of it."""
    logins = begun(7)
    logins.again(look(), 100.01)
    assert logins.answer(100.01) == Answer(look=1, logins=0, sure=True)


def test_where_there_is_always_somebody_who_is_gone_at_once_he_is_not_counted() -> None:
    logins, now = begun(1), 100.0
    for pid in range(2, 11):
        assert logins.answer(now) is None
        now += 0.01
        logins.again(look(pid), now)
    assert logins.answer(100.11) == Answer(look=8, logins=0, sure=True)


def test_what_is_gone_late_may_have_been_a_login_that_hung() -> None:
    logins = begun(7)
    logins.again(look(7, 8), 100.2)
    logins.again(look(8), 100.21)
    assert logins.answer(100.21) is None
    logins.again(look(8, 9), 101.7)
    assert logins.answer(101.7) == Answer(look=2, logins=1, sure=True)
    logins.begin(look(5), 103.0, 1.5)
    logins.again(look(5, 6), 104.0)
    logins.again(look(6, 4), 104.1)
    logins.again(look(4, 3), 105.0)
    answer = logins.answer(105.0)
    assert answer is not None
    assert not answer.sure


def test_a_larger_server_is_looked_at_less_often() -> None:
    small = [*islice(begun(7).pauses(100), 8)]
    assert small[:4] == [0.01, 0.02, 0.04, 0.08]
    assert max(small) == 0.25
    large = [*islice(begun(7).pauses(5000), 3)]
    assert large == [0.1, 0.2, 0.25]


PIDS = st.frozensets(st.integers(1, 12), max_size=6)


@given(st.lists(st.tuples(PIDS, PIDS, PIDS, st.floats(0.001, 0.3)), max_size=12), st.floats(0.1, 2))
def test_there_is_an_answer_in_the_end_and_it_counts_nobody_who_did_not_start(
    looks: list[tuple[frozenset[int], frozenset[int], frozenset[int], float]], most: float
) -> None:
    logins, now = Logins(), 100.0
    logins.begin(Starting(frozenset({1, 2, 3})), now, most)
    seen = [3]
    for pids, clients, others, seconds in looks:
        now += seconds
        logins.again(Starting(pids, clients - pids, (clients | others) - pids), now)
        seen.append(len(pids))
    now += most + 0.001
    logins.again(Starting(frozenset({1})), now)
    seen.append(1)
    answer = logins.answer(now)
    assert answer is not None
    assert 0 <= answer.logins <= seen[answer.look]
