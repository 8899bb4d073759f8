"""Tests that it is asked who blocks whom when sessions wait, and only then."""

import asyncio

import pytest
from tests.support.readings import sample

from pgheadroom.model.blockers import Blockers
from pgheadroom.model.reading import Sample
from pgheadroom.postgres.login import ConnectOptions
from pgheadroom.postgres.session import Session
from pgheadroom.postgres.source import BlockersSource


def waiting(count: int, at: float = 1000.0) -> Sample:
    found = sample(at)
    return found._replace(facts=found.postgres._replace(waiting=count))


class Scripted(Session):
    """A session that has read what it is told to have."""

    def __init__(self) -> None:
        super().__init__(ConnectOptions("db", ""))
        self.read_last: Sample | None = None
        self.answer: tuple[Blockers | None, float] = Blockers(1001.0, waiting=3), 0.001

    @property
    def newest(self) -> Sample | None:
        """What a test says."""
        return self.read_last

    async def who_blocks(self) -> tuple[Blockers | None, float]:
        """Return what a test says, a moment later."""
        await asyncio.sleep(0)
        return self.answer


class Clock:
    """Stands until a test sets it."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return what a test has set."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("pgheadroom.postgres.source.time.monotonic", made.monotonic)
    return made


@pytest.mark.parametrize(("count", "wanted"), [(None, False), (0, False), (1, False), (2, True)])
def test_a_queue_is_worth_a_question(clock: Clock, count: int | None, *, wanted: bool) -> None:
    session = Scripted()
    session.read_last = None if count is None else waiting(count)
    assert BlockersSource(session).wanted is wanted
    assert clock.now == 100.0


async def test_it_is_asked_again_when_its_time_has_come(clock: Clock) -> None:
    session = Scripted()
    session.read_last = waiting(2)
    source = BlockersSource(session)
    assert await source.read() == Blockers(1001.0, waiting=3)
    assert not source.wanted
    clock.now += 4.9
    assert not source.wanted
    clock.now += 0.2
    assert source.wanted


async def test_it_is_not_asked_twice_at_once(clock: Clock) -> None:
    session = Scripted()
    session.read_last = waiting(2)
    source = BlockersSource(session)
    reading = asyncio.create_task(source.read())
    await asyncio.sleep(0)
    assert not source.wanted
    await reading
    clock.now += 6
    assert source.wanted


async def test_a_dear_answer_is_asked_for_less_often(clock: Clock) -> None:
    session = Scripted()
    session.read_last = waiting(2)
    session.answer = None, 0.25
    source = BlockersSource(session)
    assert await source.read() is None
    clock.now += 124
    assert not source.wanted
    clock.now += 2
    assert source.wanted


async def test_when_it_is_over_the_next_full_reading_tells_whether_it_begins_again(
    clock: Clock,
) -> None:
    session = Scripted()
    session.read_last = waiting(2)
    session.answer = Blockers(1001.0, waiting=1), 0.001
    source = BlockersSource(session)
    assert await source.read() == Blockers(1001.0, waiting=1)
    clock.now += 20
    assert not source.wanted
    session.read_last = waiting(2, 1030.0)
    assert source.wanted
