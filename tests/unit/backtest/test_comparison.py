"""Tests who was earlier, and which pages were for nothing, on histories that a hand can check."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.histories import START, reading
from tests.support.readings import POLICY

from pgheadroom.backtest.comparison import (
    Comparison,
    Tally,
    bare_seconds,
    compare,
    for_nothing,
    total,
)
from pgheadroom.backtest.replay import BacktestResult, Episode, FullPeriod, Replay, Stretch
from pgheadroom.backtest.text import bare_words, periods, tallies
from pgheadroom.backtest.threshold import BarePage
from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.model.reading import Failure, Outcome

HOUR = 3600.0


def page(start: float, end: float | None, name: AlertName = AlertName.IMMINENT) -> Episode:
    return Episode(Alert(name, Severity.CRITICAL, start, "soon"), start, end)


def ticket(start: float, end: float | None) -> Episode:
    return Episode(Alert(AlertName.EXPECTED, Severity.WARNING, start, "soon"), start, end)


def result(
    ours: list[Episode], bare: list[BarePage], *full: tuple[float, float], last: float = 90_000.0
) -> BacktestResult:
    account = BacktestResult("db", first=0.0, last=last, episodes=ours, bare_pages=bare)
    account.shortages = [FullPeriod(*one) for one in full]
    account.nearly_full = [Stretch(*one) for one in full]
    return account


TWICE = result(
    [
        ticket(100.0, None),
        page(9_280.0, 10_100.0),
        page(9_900.0, 10_200.0, AlertName.UNKNOWN),
        page(49_760.0, 50_300.0),
    ],
    [
        BarePage(500.0, 515.0),
        BarePage(530.0, 545.0),
        BarePage(9_760.0, 9_790.0),
        BarePage(9_805.0, 10_210.0),
        BarePage(50_015.0, 50_200.0),
    ],
    (10_000.0, 10_050.0),
    (50_000.0, 50_090.0),
)
"""Full twice. Ours: 12 and 4 minutes before. The bare rule: 4 before, 15 s after, twice nothing."""


def test_who_paged_when() -> None:
    found = compare(TWICE)
    assert [(one.ours, one.bare) for one in found.periods] == [(720.0, 240.0), (240.0, -15.0)]
    assert found.ours == Tally(2, 0, (720.0, 240.0))
    assert found.bare == Tally(5, 2, (240.0,))
    assert found.others == 1


def test_it_is_said_in_words() -> None:
    found = compare(TWICE)
    assert [*periods(found)] == [
        (
            "full at 1970-01-01 02:46:40: pgheadroom paged 12 min before, "
            "the bare rule 4 min before: pgheadroom 8 min earlier"
        ),
        (
            "full at 1970-01-01 13:53:20: pgheadroom paged 4 min before, "
            "the bare rule 15 s after: pgheadroom 4 min 15 s earlier"
        ),
    ]
    assert [*tallies(found)] == [
        (
            "pgheadroom: 2 pages; before it was full 2 of 2 times: 12 min and 4 min before; "
            "none for nothing; 1 more about what a bare rule cannot see."
        ),
        "A bare 80 % rule: 5 pages; before it was full 1 of 2 times: 4 min before; 2 for nothing.",
    ]


def test_each_page_of_ours_says_what_the_bare_rule_did() -> None:
    seconds = [bare_seconds(TWICE, episode) for episode in TWICE.episodes]
    assert seconds == [None, -480.0, None, -255.0]
    assert [bare_words(TWICE, episode) for episode in TWICE.episodes] == [
        "",
        "a bare 80 % rule would have paged 8 min later",
        "",
        "a bare 80 % rule would have paged 4 min 15 s later",
    ]


@pytest.mark.parametrize(
    ("ours", "bare", "words"),
    [
        ([], [], "pgheadroom paged not at all, the bare rule not at all"),
        ([page(940.0, None)], [], "1 min before, the bare rule not at all: only pgheadroom paged"),
        ([], [BarePage(940.0)], "not at all, the bare rule 1 min before: only the bare rule paged"),
        ([page(1000.0, None)], [BarePage(1000.0)], "at that moment, the bare rule at that moment"),
        ([page(940.0, None)], [BarePage(910.0)], "1 min 30 s before: pgheadroom 30 s later"),
    ],
)
def test_a_full_period_that_one_of_them_missed(
    ours: list[Episode], bare: list[BarePage], words: str
) -> None:
    (said,) = periods(compare(result(ours, bare, (1000.0, 1100.0))))
    assert said.endswith(words)


def test_many_full_periods_are_summed_up() -> None:
    full = [(n * 10_000.0, n * 10_000.0 + 60) for n in range(1, 8)]
    ours = [page(start - 60.0 * n, end) for n, (start, end) in enumerate(full, 1)]
    found = compare(result(ours, [], *full))
    assert [*periods(found)][-1] == "and 2 more times"
    assert [*tallies(found)] == [
        (
            "pgheadroom: 7 pages; before it was full 7 of 7 times: "
            "1 min to 7 min before, 4 min in the median; none for nothing."
        ),
        "A bare 80 % rule: no page; never before it was full.",
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (700.0, 730.0, False),  # nearly full 300 s later
        (699.0, 730.0, True),
        (1050.0, 1060.0, False),
        (1100.0, 1110.0, False),
        (1101.0, 1110.0, True),
        (5000.0, 6400.0, False),  # over for an hour when the last slot went
        (5000.0, 6399.0, True),
        (10_050.0, 10_060.0, False),  # it was full
        (19_700.0, 19_730.0, True),
        (19_701.0, 19_730.0, False),  # the history ends before anybody can tell
        (15_000.0, None, True),
    ],
)
def test_one_definition_of_a_page_for_nothing_for_both(
    start: float, end: float | None, *, expected: bool
) -> None:
    account = result(
        [page(start, end)], [BarePage(start, end)], (10_000.0, 10_100.0), last=20_000.0
    )
    account.nearly_full = [Stretch(1000.0, 1100.0), Stretch(10_000.0, 10_100.0)]
    assert for_nothing(account, account.episodes[0]) is expected
    assert for_nothing(account, account.bare_pages[0]) is expected
    found = compare(account)
    assert found.ours.for_nothing == found.bare.for_nothing == expected


@pytest.mark.parametrize(
    ("bare", "seconds"),
    [
        ([BarePage(900.0, 1010.0)], 100.0),  # still fired when ours began
        ([BarePage(900.0, 999.0)], None),
        ([BarePage(900.0, 999.0), BarePage(1100.0)], -100.0),
        ([BarePage(1201.0)], None),
    ],
)
def test_a_page_about_no_full_period_is_compared_while_it_fires(
    bare: list[BarePage], seconds: float | None
) -> None:
    account = result([page(1000.0, 1200.0)], bare)
    assert bare_seconds(account, account.episodes[0]) == seconds


def test_ninety_two_percent_is_nearly_full() -> None:
    """92 % of 97 ordinary slots are 89.24: 90 are enough. 300 s apart is still one stretch."""
    replay = Replay("db", POLICY)
    for at, count in ((0, 89), (30, 90), (60, 20), (330, 90), (660, 91), (690, 20)):
        replay.add(reading(START + at, {"web": count}))
    assert replay.account.nearly_full == [
        Stretch(START + 30, START + 330),
        Stretch(START + 660, START + 660),
    ]


def test_several_histories_are_totalled() -> None:
    quiet = compare(result([], [BarePage(10.0, 25.0)]))
    found = total([compare(TWICE), quiet])
    assert found.periods == compare(TWICE).periods
    assert (found.ours, found.bare) == (Tally(2, 0, (720.0, 240.0)), Tally(6, 3, (240.0,)))
    assert found.others == 1


def consistent(found: Comparison) -> None:
    for tally in (found.ours, found.bare):
        assert 0 <= tally.for_nothing <= tally.pages
        # A page that goes on from one full period to the next was before both.
        assert len(tally.leads) <= len(found.periods) * bool(tally.pages)
        assert all(lead > 0 for lead in tally.leads)


COUNTS = st.lists(st.sampled_from([10, 40, 70, 79, 81, 84, 89, 91, 97, None]), max_size=60)


@settings(max_examples=60)
@given(st.lists(COUNTS, min_size=1, max_size=3), st.sampled_from([15.0, 60.0, 400.0]))
def test_nobody_has_more_pages_for_nothing_than_pages(
    histories: list[list[int | None]], every: float
) -> None:
    comparisons = []
    for counts in histories:
        replay = Replay("db", POLICY)
        for n, count in enumerate(counts):
            at = START + n * every
            refused = Failure(at, Outcome.FULL, "sorry, too many clients already")
            replay.add(refused if count is None else reading(at, {"web": count}))
        account = replay.account
        comparisons.append(found := compare(account))
        consistent(found)
        assert len(found.periods) == len(account.shortages)
        assert found.ours.pages + found.others == sum(e.pages for e in account.episodes)
        # The quick search finds what looking at each page finds.
        for one in found.periods:
            about = [p for p in account.bare_pages if reaches(p, one.period)]
            assert one.bare == (one.period.start - about[0].start if about else None)
    consistent(total(comparisons))


def reaches(bare: BarePage, period: FullPeriod) -> bool:
    return bare.start <= period.end and (bare.end is None or bare.end + HOUR >= period.start)
