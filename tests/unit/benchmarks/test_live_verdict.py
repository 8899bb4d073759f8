"""Tests leads, blame and bars of a story that was played, and what is written down of it."""

import json
from itertools import pairwise

import pytest
from benchmarks.live.harmless import HARMLESS
from benchmarks.live.incidents import INCIDENTS
from benchmarks.live.receiver import Notice
from benchmarks.live.report import incidents, quiet
from benchmarks.live.story import Story
from benchmarks.live.verdict import (
    Run,
    as_json,
    bare_lead,
    crossings,
    misses,
    near_misses,
    truth,
    use,
)
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.storage import recording

STORIES = {story.name: story for story in (*INCIDENTS, *HARMLESS)}
LEAK = STORIES["leak"]
CRON = STORIES["cron"]
STORM = STORIES["storm"]


def told(
    at: float,
    *,
    firing: bool = True,
    severity: str = "critical",
    blamed: str | None = "reports",
    alert: str = "PostgresConnectionsExhaustionImminent",
) -> Notice:
    return Notice(at, firing, alert, severity, blamed, "7 of 97 slots free", "")


def played(story: Story, refused: float | None, *notices: Notice) -> Run:
    return Run(
        story.name,
        1,
        story.incident,
        story.least_lead,
        story.culprits,
        watched_from=900.0,
        began=1000.0,
        refused=refused,
        notices=notices,
        recorded=((1000.0, 10, 97), (1001.0, 90, 97)),
    )


@given(st.floats(1000, 1100), st.floats(0, 200))
def test_the_lead_is_from_the_page_to_the_refusal(paged: float, later: float) -> None:
    run = played(LEAK, 1000.0 + later, told(paged), told(paged + 1))
    assert run.lead == 1000.0 + later - paged
    assert bool(misses(run)) == (run.lead < 20)


def test_a_page_that_fires_since_before_counts_from_the_beginning() -> None:
    run = played(LEAK, 1050.0, told(990.0))
    assert run.lead == 50.0
    assert misses(run) == ["paged before it began: PostgresConnectionsExhaustionImminent"]


def test_a_page_that_was_over_before_it_began_is_no_warning() -> None:
    run = played(LEAK, 1050.0, told(950.0), told(960.0, firing=False))
    assert run.lead is None
    assert misses(run) == ["not paged"]


def test_a_ticket_is_no_page() -> None:
    ticket = told(1001.0, severity="warning")
    assert misses(played(LEAK, 1050.0, ticket)) == ["not paged"]
    assert misses(played(CRON, None, ticket)) == []
    assert played(CRON, None, ticket).tickets == [ticket]


def test_a_storm_may_be_paged_within_a_second_of_the_refusal() -> None:
    assert misses(played(STORM, 1002.0, told(1003.0, blamed="checkout"))) == []
    (missed,) = misses(played(STORM, 1002.0, told(1003.2, blamed="checkout")))
    assert missed == "lead -1.2 s, not -1 s"


def test_who_is_blamed_before_the_refusal_counts() -> None:
    early, late = told(1010.0, blamed="api"), told(1060.0)
    assert played(LEAK, 1050.0, early, late).blamed == "api"
    assert misses(played(LEAK, 1050.0, early, late)) == ["blames api, not reports"]
    assert played(LEAK, 1005.0, early, late).blamed == "api"
    assert played(LEAK, 1050.0, told(1010.0, blamed=None), told(1011.0)).blamed == "reports"


def test_a_harmless_story_may_not_page_nor_refuse() -> None:
    assert misses(played(CRON, None)) == []
    assert misses(played(CRON, None, told(1001.0))) == [
        "paged: PostgresConnectionsExhaustionImminent"
    ]
    assert misses(played(CRON, 1010.0)) == ["logins were refused: the story does not fit"]


def test_an_incident_that_does_not_fill_the_server_proves_nothing() -> None:
    (missed,) = misses(played(LEAK, None, told(1001.0)))
    assert missed.startswith("nobody was refused")


@given(st.lists(st.tuples(st.floats(0, 900), st.integers(0, 97)), max_size=50).map(sorted))
def test_stretches_near_the_limit_cover_every_sample_there(
    samples: list[tuple[float, int]],
) -> None:
    recorded = [(at, used, 97) for at, used in samples]
    stretches = near_misses(recorded)
    near = [at for at, used, limit in recorded if used >= 0.92 * limit]
    assert all(any(begin <= at <= end for begin, end in stretches) for at in near)
    assert {edge for stretch in stretches for edge in stretch} <= set(near)
    assert all(after[0] - before[1] > 300 for before, after in pairwise(stretches))


def test_a_bare_threshold_pages_each_time_that_use_rises_above_it() -> None:
    recorded = [(float(at), used, 100) for at, used in enumerate((81, 79, 80, 81, 90, 80, 95, 97))]
    assert crossings(recorded) == [0.0, 3.0, 6.0]
    assert crossings([]) == []


@given(st.lists(st.integers(0, 97), max_size=60), st.floats(1000, 1060))
def test_the_lead_of_a_bare_threshold_is_from_its_last_page(used: list[int], end: float) -> None:
    recorded = tuple((1000.0 + at, one, 97) for at, one in enumerate(used))
    lead = bare_lead(played(LEAK, end)._replace(recorded=recorded))
    earlier = [(at, one) for at, one, _ in recorded if at < end]
    if lead is None:
        assert all(one <= 77 for _, one in earlier)
    else:
        since = end - lead
        ever = [one for at, one in earlier if at >= since]
        assert ever[0] > 77
        # Above, and never again from below.
        assert sum(a <= 77 < b for a, b in pairwise(ever)) == 0


def test_use_is_read_from_samples_alone() -> None:
    lines = [
        '{"time":1.0,"knock":"ok","seconds":0.002}',
        (
            '{"time":2.0,"max_connections":100,"superuser_reserved_connections":3,'
            '"reserved_connections":0,"connections":[["api","idle",37],["api","active",3]]}'
        ),
        '{"time":3.0,"failure":"starting","detail":""}',
    ]
    assert use(recording.parse(line) for line in lines) == [(2.0, 40, 97)]


def test_the_truth_has_what_a_judge_asks_for() -> None:
    assert truth(played(LEAK, 1050.0)) == {
        "family": "live-leak",
        "incident": True,
        "onset": 1000.0,
        "exhaustion": 1050.0,
        "near_misses": [[1001.0, 1001.0]],
        "step": 1.0,
        "culprit": "reports",
    }
    harmless = truth(played(CRON, None))
    assert (harmless["onset"], harmless["exhaustion"], harmless["culprit"]) == (None, None, None)


def test_a_run_is_written_as_json() -> None:
    run = played(LEAK, 1050.0, told(1010.0))
    again = json.loads(json.dumps(as_json(run)))
    assert (again["lead"], again["blamed"], again["misses"]) == (40.0, "reports", [])
    assert again["notices"][0]["summary"] == "7 of 97 slots free"


def test_the_tables_have_a_row_for_each_run_and_as_many_cells_as_columns() -> None:
    runs = [
        played(LEAK, 1050.0, told(1010.0)._replace(summary="a|b")),
        played(LEAK, None),
        played(CRON, None, told(1001.0), told(1002.0, severity="warning")),
    ]
    for text, count in ((incidents(runs, STORIES), 2), (quiet(runs, STORIES), 1)):
        lines = text.splitlines()
        assert len(lines) == count + 2
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "MISSED: paged" in quiet(runs, STORIES)
    assert "| 40.0 |" in incidents(runs, STORIES)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_an_incident_has_a_culprit_and_a_harmless_story_none(story: Story) -> None:
    assert bool(story.culprits) == story.incident


def test_no_two_stories_have_one_name() -> None:
    assert len(STORIES) == len(INCIDENTS) + len(HARMLESS)
