"""Tests that the page of CloudNativePG's pooler is read, and others are refused in words."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.model.capacity import CapacityKind
from pgheadroom.pgbouncer.exporter_page import PageError, PageLimits, sample

LIMITS = PageLimits(most_clients=100, pool_size=20)
POOL = 'database="app",user="app"'
PAGE = f"""\
# HELP cnpg_pgbouncer_up 1 if PgBouncer is up, 0 otherwise.
# TYPE cnpg_pgbouncer_up gauge
cnpg_pgbouncer_up 1
# TYPE cnpg_pgbouncer_lists_used_clients gauge
cnpg_pgbouncer_lists_used_clients 37
# TYPE cnpg_pgbouncer_lists_login_clients gauge
cnpg_pgbouncer_lists_login_clients 2
# TYPE cnpg_pgbouncer_pools_cl_active gauge
cnpg_pgbouncer_pools_cl_active{{{POOL}}} 30
cnpg_pgbouncer_pools_cl_active{{database="pgbouncer",user="pgbouncer"}} 1
# TYPE cnpg_pgbouncer_pools_cl_waiting gauge
cnpg_pgbouncer_pools_cl_waiting{{{POOL}}} 4
# TYPE cnpg_pgbouncer_pools_sv_active gauge
cnpg_pgbouncer_pools_sv_active{{{POOL}}} 18
# TYPE cnpg_pgbouncer_pools_sv_wait_cancels gauge
cnpg_pgbouncer_pools_sv_wait_cancels{{{POOL}}} 1
# TYPE cnpg_pgbouncer_pools_maxwait gauge
cnpg_pgbouncer_pools_maxwait{{{POOL}}} 3
# TYPE cnpg_pgbouncer_pools_maxwait_us gauge
cnpg_pgbouncer_pools_maxwait_us{{{POOL}}} 250000
# TYPE cnpg_pgbouncer_pools_pool_mode gauge
cnpg_pgbouncer_pools_pool_mode{{{POOL}}} 2
# TYPE cnpg_pgbouncer_stats_total_wait_time gauge
cnpg_pgbouncer_stats_total_wait_time{{database="app"}} 7500000
# TYPE go_goroutines gauge
go_goroutines 9
"""


def test_the_page_of_cloudnativepg() -> None:
    found = sample(PAGE, LIMITS, 1000.0, 0.01)
    assert (found.main.used, found.main.limit, found.main.logins) == (37, 100, 2)
    (pool,) = found.pooler.pools
    assert (pool.database, pool.role, pool.mode) == ("app", "app", "transaction")
    assert (pool.active, pool.waiting, pool.wait_seconds) == (30, 4, 3.25)
    assert (pool.server_connections, pool.size) == (19, 20)
    assert found.pooler.waited_seconds == (("app", 7.5),)
    assert found.pooler.config.from_settings
    assert {(g.state, g.count) for g in found.holders.groups} == {("active", 30), ("waiting", 4)}
    assert len(found.limits_of(CapacityKind.POOL)) == 1


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("", "no pooler of CloudNativePG"),
        ("<html>", "not a page of metrics"),
        ("up 1\n", "no pooler of CloudNativePG"),
        (PAGE.replace("cnpg_pgbouncer_up 1", "cnpg_pgbouncer_up 0"), "its `up` is 0"),
        ("cnpg_pgbouncer_pools_cl_active 1\n", "not a page of metrics"),
    ],
)
def test_what_is_no_such_page_is_told(page: str, words: str) -> None:
    with pytest.raises(PageError) as caught:
        sample(page, LIMITS, 1000.0, 0.01)
    assert words in str(caught.value)


def test_hostile_names_are_printable() -> None:
    page = PAGE.replace('database="app"', 'database="\u202e\x07"')
    assert all(p.database.isprintable() for p in sample(page, LIMITS, 1000.0, 0.01).pooler.pools)


@given(st.text())
def test_nothing_else_happens_whatever_the_page(text: str) -> None:
    for page in (text, PAGE + text):
        with suppress(PageError):
            sample(page, LIMITS, 1000.0, 0.01)


@pytest.mark.parametrize("figure", ["NaN", "+Inf", "-Inf", "1e999"])
@pytest.mark.parametrize(
    "name",
    [
        "lists_used_clients",
        'pools_cl_waiting{database="a",user="b"}',
        'stats_total_wait_time{database="a"}',
    ],
)
def test_a_figure_that_is_no_number_is_told(figure: str, name: str) -> None:
    page = "cnpg_pgbouncer_up 1\ncnpg_pgbouncer_lists_used_clients 3\n"
    page += f"cnpg_pgbouncer_{name} {figure}\n"
    with pytest.raises(PageError, match="not a page of metrics"):
        sample(page, PageLimits(100, 20), 1e9, 0.1)
