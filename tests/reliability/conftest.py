"""Gives tests of reliability a daemon, servers, and a network to break."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from tests.reliability.trial import Trial
from tests.support.fixtures.logs import show_on_failure
from tests.support.servers.cable import Cable
from tests.support.servers.namespace import Namespace, may_be_made
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session


class MakeTrial(Protocol):
    """Makes the trial of a fault: of a daemon that watches *dsn* and a calm server."""

    def __call__(
        self,
        fault: str,
        dsn: str,
        *servers: Postgres,
        passes: Sequence[str] = (),
        password_file: Path | None = None,
        counter: Session | None = None,
        two_seconds: float = 0.5,
        storm: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Trial:
        """Return the trial; it begins when its context is entered.

        *servers* are those that the fault strikes, *passes* the states that may be seen beside ok.
        """
        ...


@pytest.fixture
def trial(request: pytest.FixtureRequest, pg: Postgres, tmp_path: Path) -> MakeTrial:
    """Return a maker of trials, beside the calm server `pg`."""

    def make(
        fault: str,
        dsn: str,
        *servers: Postgres,
        passes: Sequence[str] = (),
        password_file: Path | None = None,
        counter: Session | None = None,
        two_seconds: float = 0.5,
        storm: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Trial:
        folder = tmp_path / "headroom"
        folder.mkdir()
        made = Trial(
            folder,
            fault,
            dsn,
            pg,
            servers,
            passes=set(passes),
            password_file=password_file,
            counter=counter,
            two_seconds=two_seconds,
            storm=storm,
            environment=environment or {},
        )
        show_on_failure(request, "log of pgheadroom", made.daemon.log.read)
        return made

    return make


MakeNamespace = Callable[..., Namespace]


@pytest.fixture
def make_namespace() -> Iterator[MakeNamespace]:
    """Return a maker of networks of the test's own."""
    if not may_be_made():
        text = "network namespaces and links between them take root and /dev/net/tun"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
    with ExitStack() as stack:

        def make(files: dict[Path, Path] | None = None) -> Namespace:
            made = Namespace(files)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def apart(make_namespace: MakeNamespace) -> Iterator[tuple[Namespace, Namespace, Cable]]:
    """Return two networks and the cable between them."""
    here, there = make_namespace(), make_namespace()
    cable = Cable(here, there)
    yield here, there, cable
    cable.close()
