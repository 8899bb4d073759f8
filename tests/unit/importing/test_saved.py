"""Tests what becomes of a target's file in the state directory when its past is imported."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.importing.test_past import POLICY, START, sample

from pgheadroom.importing.past import Past
from pgheadroom.importing.saved import Kept, UnusableStateError, keep, kept, resolutions
from pgheadroom.state import State
from pgheadroom.step import step
from pgheadroom.storage.directory import StateDirectory
from pgheadroom.storage.snapshot import taken

DAY = 86_400.0
NOW = START + 20 * DAY


def past_of(days: float, end: float, before: float | None = None) -> Past:
    past = Past(POLICY, before)
    for n in range(int(days * 1440)):
        past.add(sample(end - START - days * DAY + 60 * n, 20 + n % 30))
    return past


def measured(begun: float, seconds: int = 600) -> State:
    state = State("db")
    for n in range(seconds):
        state = step(state, sample(begun - START + n, 97), POLICY)
    return state


def test_what_was_measured_stays_with_all_that_was_known(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path)
    state = measured(NOW - 600)
    assert state.alerts
    keep(directory, "db", taken(state, NOW))
    before = kept(directory, "db", NOW)
    since = before.usage.known_since
    assert since is not None
    keep(directory, "db", before.with_past(past_of(3, NOW, since)))
    after = kept(directory, "db", NOW)
    assert before.snapshot is not None
    assert after.snapshot is not None
    for field in ("active", "identifier", "last", "events", "at"):
        assert getattr(after.snapshot, field) == getattr(before.snapshot, field)
    assert after.usage.known_since is not None
    assert NOW - after.usage.known_since >= 3 * DAY - 3600
    for rung, was in zip(after.usage.history.rungs[:5], before.usage.history.rungs, strict=False):
        assert rung == was
    directory.close()


def test_to_do_it_twice_changes_nothing(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path)
    keep(directory, "db", Kept("db").with_past(past_of(5, NOW)))
    once = kept(directory, "db", NOW)
    past = past_of(5, NOW, once.usage.known_since)
    assert past.summary is None
    assert once.snapshot is not None
    assert once.snapshot.at == NOW - 60
    directory.close()


def test_what_cannot_be_used_is_told_and_stays(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path / "none")
    assert kept(directory, "db", NOW) == Kept("db")
    assert not (tmp_path / "none").exists()
    directory = StateDirectory(tmp_path)
    file = tmp_path / "db.json.gz"
    file.write_bytes(b"nonsense")
    with pytest.raises(UnusableStateError, match=f"{file} cannot be used: it is not gzip"):
        kept(directory, "db", NOW)
    assert file.read_bytes() == b"nonsense"
    file.unlink()
    file.mkdir()
    with pytest.raises(UnusableStateError, match="cannot read"):
        kept(directory, "db", NOW)


def test_a_file_under_the_former_name_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "default.json.gz").write_bytes(b"")
    with pytest.raises(UnusableStateError, match="start the daemon once"):
        kept(StateDirectory(tmp_path), "db1", NOW, unnamed=True)
    assert kept(StateDirectory(tmp_path), "db1", NOW) == Kept("db1")


def test_resolutions_are_told() -> None:
    words = resolutions(past_of(12, NOW).usage.history)
    assert words.startswith("reaches back 1")
    assert words.endswith(" h 6 min")
    assert resolutions(Kept("db").usage.history) == "nothing"
