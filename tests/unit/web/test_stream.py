"""Tests that the events of a fleet stay small, and that urgent ones are sent at once."""

import json
from typing import Any

from tests.support.readings import POLICY, sample

from pgheadroom.board import Board
from pgheadroom.model.reading import Failure, Group, Outcome
from pgheadroom.step import step
from pgheadroom.web.stream import All, One

FLEET = [f"db{number}" for number in range(450)]


def read(board: Board, target: str, at: float, count: int) -> None:
    reading = sample(at, (Group("api", "idle", count, 10.0),))
    board.publish(step(board.state(target), reading, POLICY))


class Listener:
    """One page that lists all targets, on a clock of its own."""

    def __init__(self, board: Board) -> None:
        self.now = 0.0
        self._all = All(board, lambda: self.now)
        self._heard = 0
        self.forget = self._all.forget

    def next(self) -> Any:  # noqa: ANN401 - it is JSON
        """Return what is told with the next beat."""
        self.now += 1
        self._heard, event = self._all.news(self._heard)
        kind, data, *rest = event.decode().split("\n")
        assert (kind, rest) == ("event: targets", ["", ""])
        return json.loads(data.removeprefix("data: "))


def names(event: Any) -> set[str]:  # noqa: ANN401 - it is JSON
    return {one["target"] for one in event["targets"]}


def test_the_first_event_is_about_all() -> None:
    event = Listener(Board(FLEET)).next()
    assert event["whole"] is True
    assert [one["target"] for one in event["targets"]] == event["order"]
    assert names(event) == set(FLEET)


def test_nothing_new_is_next_to_nothing() -> None:
    listener = Listener(Board(FLEET))
    listener.next()
    event = listener.next()
    assert (event["whole"], event["order"], event["targets"]) == (False, None, [])


def test_the_figures_of_a_fleet_are_told_by_turns() -> None:
    """All of them within a few beats, though all change at once; and none twice."""
    board = Board(FLEET)
    for target in FLEET:
        read(board, target, 1000.0, 4)
    listener = Listener(board)
    listener.next()
    for target in FLEET:
        read(board, target, 1001.0, 5)
    told = [names(listener.next()) for _ in range(3)]
    assert [len(some) for some in told] == [150, 150, 150]
    assert set.union(*told) == set(FLEET)
    assert names(listener.next()) == set()


def test_a_change_of_state_is_told_with_the_next_beat() -> None:
    board = Board(FLEET)
    listener = Listener(board)
    listener.next()
    for target in FLEET[:7]:
        failure = Failure(1000.0, Outcome.UNREACHABLE, "connection refused")
        board.publish(step(board.state(target), failure, POLICY))
    assert names(listener.next()) == set(FLEET[:7])


def test_who_missed_a_beat_is_told_all() -> None:
    board = Board(FLEET[:3])
    everything, now = All(board, lambda: now), 1.0
    heard, _ = everything.news(0)
    now = 2.0
    everything.news(heard)
    now = 3.0
    _, event = everything.news(heard)
    assert b'"whole": true' in event


def test_no_sample_falls_between_two_events() -> None:
    """Each event about a target tells the last seconds, not the last sample alone."""
    board = Board(["db"])
    one = One(board, "db")
    read(board, "db", 1000.0, 4)
    heard, _ = one.news(0)
    read(board, "db", 1001.0, 9)
    read(board, "db", 1002.0, 5)
    _, event = one.news(heard)
    data = json.loads(event.decode().split("\n")[1].removeprefix("data: "))
    assert [point["high"] for point in data["recent"]][-2:] == [9, 5]


def test_what_is_no_longer_watched_is_gone_from_the_list() -> None:
    """Its rows cannot be taken back one by one: who listens is told all of them anew, once."""
    board = Board(["a", "b", "c"])
    listener = Listener(board)
    board.when_gone(listener.forget)
    listener.next()
    board.follow(["c", "d", "a"])
    event = listener.next()
    assert event["whole"] is True
    assert names(event) == set(event["order"]) == {"a", "c", "d"}
    event = listener.next()
    assert (event["whole"], event["targets"]) == (False, [])
