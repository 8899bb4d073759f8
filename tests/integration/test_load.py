"""Tests that the daemon stays small and answers under misuse, many names and failing targets.

What the benchmarks do for minutes, for seconds: the bounds are wide, and none is about time.
"""

import pytest
from benchmarks import many_names, soak
from benchmarks.scrape_load import QUIET, loads
from benchmarks.support.http_load import ALL

from pgheadroom.web.limits import ClientLimits

pytestmark = [pytest.mark.postgres, pytest.mark.majors(17)]


def test_clients_that_misbehave_all_at_once() -> None:
    (load, quiet), _ = loads(4, 60, [ALL, QUIET], 5)
    assert load.answers["200"] > 0
    assert load.answers["cut off"] > 0
    assert load.peak_mib < load.before_mib + 64
    # It accepts a few before the first are gone.
    assert load.files < ClientLimits().connections + 200
    assert not load.failed_after
    assert quiet.took
    assert not quiet.failed


def test_thousands_of_names() -> None:
    looks = many_names.run(5000)
    assert [one.names for one in looks] == list(range(500, 5001, 500))
    assert max(one.series for one in looks) < 700
    assert looks[-1].resident_mib < looks[0].resident_mib + 8


@pytest.mark.prometheus
@pytest.mark.alertmanager
def test_nothing_grows_while_targets_fail() -> None:
    bars = soak.Bars(rise_mib=8, rise_count=6, late_seconds=2)
    missed = [fact for fact in soak.soak(20, 20, 3, bars) if not fact.holds]
    assert not missed
