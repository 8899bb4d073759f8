"""Tests that sampling goes on when the daemon's or the server's clock is stepped by an hour."""

from pathlib import Path

import pytest
from tests.reliability.conftest import MakeTrial
from tests.reliability.trial import LONG
from tests.support.fixtures.postgres import MakePostgres
from tests.support.needs import need
from tests.support.servers.postgres import Postgres
from tests.support.servers.scratch import make_folder, remove_folder
from tests.support.servers.stepclock import StepClock

pytestmark = pytest.mark.majors(18)

HOUR = 3600
STEPS = {"back": -HOUR, "forward": HOUR} if LONG else {"back": -HOUR}


@pytest.mark.parametrize("way", STEPS)
def test_the_servers_clock(trial: MakeTrial, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    folder = make_folder()
    clock = StepClock(need("faketime"), folder)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    with Postgres(need("postgres18")) as server:
        monkeypatch.undo()
        with trial(f"server clock {way}", server.dsn(), server) as tried:
            before = epoch(server)
            clock.step(STEPS[way])
            assert abs(epoch(server) - before - STEPS[way]) < 60
            tried.lasts(2, 10)
            tried.over()
        assert tried.observer.states == ["ok"]
    remove_folder(folder)


def epoch(server: Postgres) -> float:
    return float(server.sql("select extract(epoch from clock_timestamp())")[0][0] or 0)


@pytest.mark.parametrize("way", STEPS)
def test_the_daemons_clock(
    make_postgres: MakePostgres, trial: MakeTrial, tmp_path: Path, way: str
) -> None:
    clock = StepClock(need("faketime"), tmp_path)
    server = make_postgres()
    with trial(f"daemon clock {way}", server.dsn(), server, environment=clock.environment) as tried:
        before = tried.observer.look().faulty
        clock.step(STEPS[way])
        tried.over()
        tried.lasts(2, 10)
        assert abs(tried.observer.look().faulty - before - STEPS[way]) < 60
    assert tried.observer.states == ["ok"]
