"""Are logins under way told from other processes that start?"""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.logins import Answer, Logins, Starting


def look(*pids: int, clients: tuple[int, ...] = (), others: tuple[int, ...] = ()) -> Starting:
    """Return a look at *pids* that start; of the earlier ones some have a row now."""
    return Starting(frozenset(pids), frozenset(clients), frozenset(clients + others))


def begun(*pids: int, now: float = 100.0, most_seconds: float = 1.5) -> Logins:
    logins = Logins()
    logins.begin(look(*pids), now, most_seconds)
    return logins


def test_nobody_starts() -> None:
    logins = begun()
    assert logins.answer(100.0) == Answer(look=0, logins=0)
    assert logins.unexplained == ()


def test_what_has_the_row_of_a_client_now_was_a_login() -> None:
    logins = begun(7)
    assert logins.answer(100.0) is None
    assert logins.unexplained == (7,)
    logins.again(look(8, clients=(7,)), 100.01, 0.001)
    assert logins.answer(100.01) == Answer(look=0, logins=1)


def test_what_has_another_row_now_was_none() -> None:
    logins = begun(7, 8, 9)
    logins.again(look(9, clients=(8,), others=(7,)), 100.01, 0.001)
    assert logins.answer(100.01) is None
    logins.again(look(10, others=(9,)), 100.02, 0.001)
    assert logins.answer(100.02) == Answer(look=1, logins=0)


def test_the_newest_look_that_is_explained_counts() -> None:
    logins = begun(7)
    logins.again(look(others=(7,)), 100.01, 0.001)
    assert logins.answer(100.01) == Answer(look=1, logins=0)


def test_what_starts_for_long_is_a_login_that_waits_for_somebody() -> None:
    logins = begun(7)
    logins.again(look(7), 100.2, 0.001)
    assert logins.answer(100.2) is None
    logins.again(look(7, 8), 100.25, 0.001)
    assert logins.answer(100.25) == Answer(look=1, logins=1)


def test_what_has_been_a_login_in_one_sample_is_one_in_the_next() -> None:
    logins = begun(7)
    logins.begin(look(7), 101.0, 1.5)
    assert logins.answer(101.0) == Answer(look=0, logins=1)


def test_a_pid_that_was_gone_in_between_starts_anew() -> None:
    logins = begun(7)
    logins.begin(look(), 101.0, 1.5)
    logins.begin(look(7), 102.0, 1.5)
    assert logins.answer(102.0) is None


def test_on_a_server_that_is_short_of_processors_it_takes_longer_to_tell() -> None:
    logins = begun(7)
    logins.again(look(7), 100.1, 0.05)
    logins.again(look(7), 100.9, 0.01)
    assert logins.answer(100.9) is None
    logins.again(look(7), 101.0, 0.01)
    assert logins.answer(101.0) is not None


def test_but_never_longer_than_it_may() -> None:
    logins = begun(7, most_seconds=0.5)
    logins.again(look(7), 100.1, 3.0)
    logins.again(look(7), 100.5, 3.0)
    assert logins.answer(100.5) is not None


def test_what_is_gone_before_it_had_a_row_is_looked_for_elsewhere() -> None:
    """It may have been a refused login or a worker; the next look is free of it."""
    logins = begun(7)
    logins.again(look(), 100.01, 0.001)
    assert logins.answer(100.01) == Answer(look=1, logins=0)


def test_where_there_is_always_somebody_who_is_gone_at_once_he_is_not_counted() -> None:
    logins = begun(1)
    now = 100.0
    for pid in range(2, 30):
        now += 0.01
        logins.again(look(pid), now, 0.001)
        answer = logins.answer(now)
        if now < 100.25:
            assert answer is None
    assert answer is not None
    assert answer.logins == 0


def test_a_larger_server_is_looked_at_less_often() -> None:
    small = [*islice(begun(7).pauses(100), 8)]
    assert small[:4] == [0.004, 0.008, 0.016, 0.032]
    assert max(small) == 0.25
    large = [*islice(begun(7).pauses(5000), 3)]
    assert large == [0.08, 0.16, 0.25]


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
        logins.again(Starting(pids, clients - pids, (clients | others) - pids), now, seconds)
        seen.append(len(pids))
    now += most + 0.001
    logins.again(Starting(frozenset({1})), now, 0.001)
    seen.append(1)
    answer = logins.answer(now)
    assert answer is not None
    assert 0 <= answer.logins <= seen[answer.look]
