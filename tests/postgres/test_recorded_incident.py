"""Tests that a backtest of a recording gives the daemon's alerts at the same seconds."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from tests.postgres.conftest import TARGET, Watch
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import run
from tests.support.servers.postgres import Postgres

from pgheadroom.backtest.replay import Replay
from pgheadroom.model.alert import AlertName, Key
from pgheadroom.model.names import NameFolder
from pgheadroom.model.reading import Probe, ProbeKind, Recorded
from pgheadroom.model.thresholds import Thresholds
from pgheadroom.postgres.canary import APPLICATION_NAME
from pgheadroom.postgres.login import ConnectOptions
from pgheadroom.step import Policy
from pgheadroom.storage.recording_reader import RecordingReader
from pgheadroom.storage.recording_writer import RecordingFile

pytestmark = pytest.mark.majors(15, 18)

ROUNDS = 120
"""More than an incident takes; the test ends with the incident."""


async def test_a_live_incident_is_played_back(
    pg: Postgres, clients: Clients, tmp_path: Path
) -> None:
    """With a canary: nobody but it is refused at first, and it says what no sample can."""
    pg.sql("create role app login")
    policy = Policy(NameFolder().fold, thresholds=Thresholds(resolve_hold_seconds=1.0))
    file = tmp_path / "incident.jsonl"
    recording = RecordingFile(file, rotate_bytes=1 << 30, keep=1)
    readings: list[Recorded] = []

    def note(_target: str, reading: Recorded) -> None:
        readings.append(reading)
        recording.write(reading)

    canary = ConnectOptions(
        TARGET, pg.dsn(user="app"), application_name=APPLICATION_NAME, backoff_first_seconds=0.0
    )
    options = ConnectOptions(TARGET, pg.dsn(), canary=canary, backoff_first_seconds=0.0)
    watched = Watch(options, policy, note)
    said: list[tuple[bool, Key, int]] = []
    fired: set[Key] = set()
    try:
        for number in range(ROUNDS):
            if number == 3:
                _, refused = clients.fill(pg.tcp, user="app")
                assert refused is not None
            if number == 9:
                clients.close()
            for take in (watched.sample, watched.knock, watched.canary_login):
                state = await take()
                now = {alert.key for alert in state.alerts}
                at = round(max(reading.at for reading in readings))
                said += [(False, key, at) for key in fired - now]
                said += [(True, key, at) for key in now - fired]
                fired = now
            if number > 9 and not fired:
                break
            await asyncio.sleep(0.2)
    finally:
        watched.close()
        recording.close()
        pg.sql("drop role app")
    assert {key[0] for _, key, _ in said} >= {AlertName.EXHAUSTED, AlertName.REFUSED}
    assert fired == set()
    assert any(
        isinstance(reading, Probe) and reading.kind is ProbeKind.CANARY
        for reading in RecordingReader(str(file))
    )

    replay = Replay(TARGET, policy)
    for reading in RecordingReader(str(file)):
        replay.add(reading)
    changes = replay.account.changes
    again = [(change.firing, change.alert.key, round(change.at)) for change in changes]
    assert sorted(again, key=str) == sorted(said, key=str)

    told = run("backtest", "--resolve-hold-seconds=1", str(file)).stdout
    ours = r"^ +pgheadroom: \d+ pages?; .* for nothing; \d+ more about what"
    assert re.search(ours, told, re.MULTILINE)
    assert "    A bare 80 % rule: " in told
    lines = run("backtest", "--format=jsonl", "--resolve-hold-seconds=1", str(file)).stdout
    objects = [json.loads(line) for line in lines.splitlines()]
    assert objects
    assert ["bare_threshold_seconds" in one for one in objects] == [
        one["severity"] == "critical" and one["state"] == "firing" for one in objects
    ]
