"""Watches a server for a test: the daemon's own sampler, driven one reading at a time."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pgheadroom.board import Board
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.names import NameFolder
from pgheadroom.pgbouncer.source import pgbouncer_sources
from pgheadroom.postgres.login import ConnectOptions
from pgheadroom.postgres.session import Session
from pgheadroom.postgres.source import CanarySource, SampleSource, postgres_sources
from pgheadroom.state import State
from pgheadroom.step import Policy
from pgheadroom.watch.sampler import OnReading, Sampler

TARGET = "db"


class Watch:
    """One target, its sampler and its board."""

    def __init__(
        self,
        options: ConnectOptions,
        policy: Policy | None = None,
        on_reading: OnReading | None = None,
        kind: TargetKind = TargetKind.POSTGRES,
    ) -> None:
        self._board = Board({options.name: Identity(kind=kind)})
        policy = policy or Policy(NameFolder().fold)
        poolers = kind is TargetKind.PGBOUNCER
        self.sources = pgbouncer_sources(options) if poolers else postgres_sources(options)
        self._sampler = Sampler(TARGET, self.sources, policy, self._board, on_reading)

    @property
    def session(self) -> Session:
        """The session beneath, for what the state does not tell."""
        samples = self.sources[0]
        assert isinstance(samples, SampleSource)
        session = samples._session  # noqa: SLF001 - tests may look
        assert isinstance(session, Session)
        return session

    @property
    def backend_pid(self) -> int:
        """Whose process serves us; it changes when the connection is replaced."""
        connection = self.session._connection  # noqa: SLF001 - tests may look
        assert connection is not None
        return connection.backend_pid

    @property
    def canary_let_in_late(self) -> bool:
        """Whether a login of the canary that hung has ended since."""
        logins = self.sources[-1]
        assert isinstance(logins, CanarySource)
        return logins._canary._logins.answered  # noqa: SLF001 - tests may look

    async def lose_prepared(self) -> None:
        """Have the server forget what our session prepared."""
        connection = self.session._connection  # noqa: SLF001 - tests may look
        assert connection is not None
        await connection.query(b"DEALLOCATE ALL")

    @property
    def state(self) -> State:
        """What is known now."""
        return self._board.state(TARGET)

    async def sample(self) -> State:
        """Take a reading (or none, while a back-off lasts) and return what is known then."""
        return await self._take("sample")

    async def knock(self) -> State:
        """Knock, and return what is known then."""
        return await self._take("knock")

    async def canary_login(self) -> State:
        """Send the canary, if it is its time, and return what is known then."""
        return await self._take("canary")

    async def _take(self, name: str) -> State:
        for source in self.sources:
            if source.name == name:
                await self._sampler.take(source)
        return self.state

    def close(self) -> None:
        """Give the connection up."""
        self._sampler.close()


Watcher = Callable[..., Watch]


@pytest.fixture
def watch() -> Iterator[Watcher]:
    """Return a maker of watches; all of them end with the test.

    Tests wait for no back-off: an attempt that failed may be repeated at once.
    """
    opened: list[Watch] = []

    def make(
        conninfo: str,
        kind: TargetKind = TargetKind.POSTGRES,
        **options: Any,  # noqa: ANN401 - whatever ConnectOptions takes
    ) -> Watch:
        options = {"backoff_first_seconds": 0.0, **options}
        made = Watch(ConnectOptions(TARGET, conninfo, **options), kind=kind)
        opened.append(made)
        return made

    yield make
    for one in opened:
        one.close()
