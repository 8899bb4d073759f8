"""Tests that a thinned curve keeps every peak and every gap, and stays small."""

from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.backtest.curve import REST, UsageSeries


def curve(totals: list[int]) -> UsageSeries:
    found = UsageSeries()
    for second, total in enumerate(totals):
        found.add(float(second), {("api", "idle"): total}, 97, 100)
    return found


@given(st.lists(st.integers(0, 200), min_size=1, max_size=300), st.integers(1, 40))
def test_no_peak_is_lost_and_no_point_is_made_up(totals: list[int], columns: int) -> None:
    picture = curve(totals).thinned(columns, 8, 0.0, float(len(totals) - 1))
    points = [point for run in picture.runs for point in run]
    assert len(points) <= 2 * (columns + 1)
    assert max(point.used for point in points) == max(totals)
    assert min(point.used for point in points) == min(totals)
    assert all(point.used == totals[int(point.at)] for point in points)
    times = [point.at for point in points]
    assert times == sorted(set(times))


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 50), max_size=6), min_size=1
    ),
    st.integers(1, 6),
)
def test_names_come_and_go_and_the_sum_stays(samples: list[dict[str, int]], names: int) -> None:
    found = UsageSeries()
    for second, counts in enumerate(samples):
        found.add(float(second), {(name, "idle"): n for name, n in counts.items()}, 97, 100)
    picture = found.thinned(1000, names, 0.0, float(len(samples)))
    assert len(picture.names) <= names
    assert picture.summed is (REST in picture.names)
    for point in (point for run in picture.runs for point in run):
        counts = samples[int(point.at)]
        assert point.used == sum(counts.values())
        for name, count in zip(picture.names, point.counts, strict=True):
            assert name == REST or counts.get(name, 0) == count


def test_who_grows_is_drawn_above_who_is_steady() -> None:
    found = UsageSeries()
    for second in range(50):
        found.add(float(second), {("leak", "idle"): second, ("web", "idle"): 60}, 97, 100)
    assert found.thinned(10, 8, 0.0, 49.0).names == ("web", "leak")


def test_gaps_stay_gaps() -> None:
    """A pause of more than five beats, or a failed reading, however short."""
    found = UsageSeries()
    for second in (*range(10), *range(30, 40), *range(44, 50)):
        if second == 35:
            found.gap()
        found.add(float(second), {("api", "idle"): 3}, 97, 100)
    runs = found.thinned(1000, 8, 0.0, 50.0).runs
    assert [(run[0].at, run[-1].at) for run in runs] == [(0, 9), (30, 34), (35, 49)]


def test_a_stretch_of_it() -> None:
    picture = curve(list(range(100))).thinned(1000, 8, 20.0, 29.5)
    points = [point for run in picture.runs for point in run]
    assert (points[0].at, points[-1].at) == (20.0, 29.0)
    empty = curve([1, 2]).thinned(10, 8, 50.0, 60.0)
    assert (empty.names, empty.runs) == ((), ())
