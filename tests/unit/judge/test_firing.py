"""Tests that an alert waits before it fires and before it resolves, and stays the same between."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.judge.finding import Finding, Words
from pgheadroom.judge.firing import Moment, next_alerts
from pgheadroom.model.alert import About, ActiveAlert, Alert, AlertName, Key, Severity


def saying(words: str) -> Callable[[], Words]:
    return lambda: (words, "web")


def finding(
    name: AlertName = AlertName.LOW,
    words: str = "few",
    *,
    about: About = (),
    hold: float = 10.0,
    lasts: float = 0.0,
    hysteresis: bool = False,
) -> Finding:
    return Finding(
        name,
        Severity.WARNING,
        saying(words),
        about=about,
        for_seconds=hold,
        keep_firing_seconds=lasts,
        hysteresis=hysteresis,
    )


def keeping(found: Finding) -> Finding:
    return finding(found.name, about=found.about, lasts=found.keep_firing_seconds, hysteresis=True)


LOW = finding()
EXPECTED = finding(AlertName.EXPECTED, "soon", hold=0.0, lasts=100.0)
ROLES = [finding(AlertName.ROLE, about=(("role", role),)) for role in ("a", "b")]
RESOLVE = 30.0

At = tuple[float, list[Finding]]


def moment(at: float, *, free: int = 10, blind: bool = False) -> Moment:
    blind_to = frozenset({AlertName.LOW, AlertName.ROLE}) if blind else frozenset[AlertName]()
    return Moment(at, free, 97, RESOLVE, blind_to)


def alerts(active: Mapping[Key, ActiveAlert]) -> list[Alert]:
    return [one.alert for one in active.values() if one.alert is not None]


def over(*found: At, free: int = 10) -> list[list[Alert]]:
    """Return what fires after each moment and what was found then."""
    active: dict[Key, ActiveAlert] = {}
    told: list[list[Alert]] = []
    for at, findings in found:
        active = next_alerts(active, findings, moment(at, free=free))
        told.append(alerts(active))
    return told


def steadily(found: Finding, *times: float) -> list[At]:
    return [(at, [found]) for at in times]


kinds = st.sampled_from([LOW, keeping(LOW), finding(hold=0.0), EXPECTED, *ROLES])
runs = st.lists(
    st.tuples(st.floats(0.1, 20), st.lists(kinds, max_size=3), st.integers(0, 97), st.booleans()),
    max_size=60,
)


@given(st.lists(st.tuples(st.floats(0.1, 20), st.sampled_from(["found", "keeps", "gone"]))))
def test_nothing_fires_before_it_held_or_resolves_before_it_was_gone(
    steps: list[tuple[float, str]],
) -> None:
    now, active, history = 0.0, dict[Key, ActiveAlert](), list[tuple[float, str]]()
    fires = False
    for pause, kind in steps:
        now += pause
        history.append((now, kind))
        found = [] if kind == "gone" else [finding(hysteresis=kind == "keeps")]
        active = next_alerts(active, found, moment(now))
        fired, fires = fires, bool(alerts(active))
        if not fired:
            # How long it has been found without a break; what only keeps does not count.
            since = now
            for at, was in reversed(history):
                if was != "found":
                    break
                since = at
            assert fires == (kind == "found" and now - since >= LOW.for_seconds)
        else:
            gone = now
            for at, was in reversed(history):
                if was != "gone":
                    break
                gone = at
            assert fires == (kind != "gone" or now - gone < RESOLVE)


@given(runs)
def test_an_alert_keeps_its_beginning_and_its_key_while_it_fires(
    steps: list[tuple[float, list[Finding], int, bool]],
) -> None:
    now, active, before = 0.0, dict[Key, ActiveAlert](), dict[Key, Alert]()
    for pause, findings, free, blind in steps:
        now += pause
        active = next_alerts(active, findings, moment(now, free=free, blind=blind))
        firing = alerts(active)
        assert len({alert.key for alert in firing}) == len(firing)
        for key, one in active.items():
            assert one.alert is None or one.alert.key == key
        for alert in firing:
            known = before.get(alert.key)
            assert alert.since == (now if known is None else known.since)
        before = {alert.key: alert for alert in firing}


@given(runs)
def test_the_same_findings_make_the_same_alerts(
    steps: list[tuple[float, list[Finding], int, bool]],
) -> None:
    def run() -> list[Mapping[Key, ActiveAlert]]:
        now, active, found = 0.0, dict[Key, ActiveAlert](), list[Mapping[Key, ActiveAlert]]()
        for pause, findings, free, blind in steps:
            now += pause
            active = next_alerts(active, findings, moment(now, free=free, blind=blind))
            found.append(active)
        return found

    assert run() == run()


@given(runs)
def test_what_only_keeps_never_raises(
    steps: list[tuple[float, list[Finding], int, bool]],
) -> None:
    now, active = 0.0, dict[Key, ActiveAlert]()
    for pause, findings, free, blind in steps:
        now += pause
        kept = [keeping(one) for one in findings]
        active = next_alerts(active, kept, moment(now, free=free, blind=blind))
        assert active == {}


@given(runs)
def test_nothing_is_remembered_of_what_neither_fires_nor_may_begin_to(
    steps: list[tuple[float, list[Finding], int, bool]],
) -> None:
    now, active = 0.0, dict[Key, ActiveAlert]()
    for pause, findings, free, blind in steps:
        now += pause
        active = next_alerts(active, findings, moment(now, free=free, blind=blind))
        for one in active.values():
            assert one.alert is not None or one.pending_since is not None


def test_the_words_are_those_of_a_finding_of_the_last_seconds() -> None:
    fewer = finding(words="fewer")
    told = over(*steadily(LOW, 0, 10), *steadily(fewer, 11, 20, 21))
    said = [alert.description for fires in told for alert in fires]
    assert said[0] == "few"
    assert said[-1] == "fewer"


def test_of_two_findings_of_a_key_the_first_counts() -> None:
    ((alert,),) = over((0, [finding(AlertName.EXPECTED, "first", hold=0.0), EXPECTED]))
    assert (alert.description, alert.application_name) == ("first", "web")


def test_each_role_has_an_alert_of_its_own() -> None:
    told = over(*[(at, ROLES) for at in (0.0, 10.0)], (20, ROLES[:1]), (50, ROLES[:1]))
    assert [[alert.about for alert in fires] for fires in told] == [
        [],
        [(("role", "a"),), (("role", "b"),)],
        [(("role", "a"),), (("role", "b"),)],
        [(("role", "a"),)],
    ]


def test_a_forecast_stands_for_a_while_after_it_was_last_seen() -> None:
    """Until 100 s after it was found, and for RESOLVE seconds from when that was noticed."""
    told = over((0, [EXPECTED]), (99, []), (100, []), (129, []), (130, []))
    assert [len(fires) for fires in told] == [1, 1, 1, 1, 0]


@pytest.mark.parametrize(("free", "stands"), [(10, True), (27, True), (28, False), (90, False)])
def test_a_forecast_is_off_early_when_slots_were_gained(free: int, *, stands: bool) -> None:
    active = next_alerts({}, [EXPECTED], moment(0, free=10))
    for at in (1.0, 1.0 + RESOLVE):
        active = next_alerts(active, [], moment(at, free=free))
    assert bool(alerts(active)) == stands


def test_what_was_gained_is_counted_from_the_worst_moment() -> None:
    active = next_alerts({}, [EXPECTED], moment(0, free=20))
    active = next_alerts(active, [], moment(1, free=4))
    for at in (2.0, 2.0 + RESOLVE):
        active = next_alerts(active, [], moment(at, free=20))
    assert alerts(active) == []


def resolved(found: Finding) -> Mapping[Key, ActiveAlert]:
    """Return what is left of an alert that stood for 100 s, with 10 slots free, and resolved."""
    active = next_alerts({}, [found], moment(0))
    for at in (100.0, 130.0):
        active = next_alerts(active, [], moment(at))
    assert alerts(active) == []
    return active


@pytest.mark.parametrize(
    ("at", "free", "news"),
    [
        (140, 10, False),  # the same again
        (229, 27, False),
        (230, 10, True),  # as long ago as it stood
        (140, 9, True),  # tighter than it ever was
        (140, 28, True),  # use had come down
    ],
)
def test_a_forecast_that_comes_back_is_news_only_if_something_changed(
    at: float, free: int, *, news: bool
) -> None:
    active = next_alerts(resolved(EXPECTED), [EXPECTED], moment(at, free=free))
    assert bool(alerts(active)) == news


def test_what_came_back_and_went_again_is_still_no_news() -> None:
    active = resolved(EXPECTED)
    for at, found in ((140, [EXPECTED]), (150, []), (160, [EXPECTED])):
        active = next_alerts(active, found, moment(at))
        assert alerts(active) == []


def test_a_resolved_forecast_is_forgotten_in_the_end() -> None:
    assert next_alerts(resolved(EXPECTED), [], moment(229)) != {}
    assert next_alerts(resolved(EXPECTED), [], moment(230)) == {}


def test_what_is_seen_and_not_foretold_is_news_each_time() -> None:
    lasting = finding(hold=0.0, lasts=100.0)
    active = next_alerts(resolved(lasting), [lasting], moment(140))
    assert len(alerts(active)) == 1


def test_while_blind_what_only_a_sample_tells_stays_as_it_is() -> None:
    active = next_alerts({}, [LOW], moment(0))
    active = next_alerts(active, [LOW], moment(10))
    blind = next_alerts(active, [], moment(1000, blind=True))
    assert blind == active
    assert alerts(next_alerts(blind, [], moment(1001))) == alerts(active)
    assert (
        alerts(next_alerts(next_alerts(blind, [], moment(1001)), [], moment(1001 + RESOLVE))) == []
    )
