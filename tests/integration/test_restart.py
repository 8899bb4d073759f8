"""Tests that a restart keeps firing alerts, their start times, and the history."""

import json
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.integration.conftest import MakeHeadroom
from tests.support.servers.alertmanager import Alertmanager
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

from pgheadroom.forecast.history import History
from pgheadroom.storage.snapshot_file import unpack

pytestmark = [pytest.mark.majors(17), pytest.mark.alertmanager]

NOBODY = "{route: {receiver: nobody}, receivers: [{name: nobody}]}"
LOW = 'pgheadroom_alert{alertname="PostgresConnectionsLow",severity="warning",target="db"}'
HOLD_SECONDS = 3

MakeAlertmanager = Callable[[str], Alertmanager]


def config(server: Postgres, state: Path, alertmanager: Alertmanager) -> str:
    return f"""
targets: {{db: "{server.dsn()}"}}
state_directory: {state}
alertmanager_urls: ["{alertmanager.url}"]
interval_seconds: 0.2
low_free_ratio: 0.5
low_hold_seconds: {HOLD_SECONDS}
resolve_hold_seconds: 1
"""


def low(server: Alertmanager) -> dict[str, Any]:
    """Return the alert about few slots, once *server* was told of it."""

    def found() -> dict[str, Any] | None:
        name = "PostgresConnectionsLow"
        return next((a for a in server.alerts() if a["labels"]["alertname"] == name), None)

    return until(found, 20, "alert about few slots")


def history(state: Path, now: float) -> History:
    return unpack((state / "db.json.gz").read_bytes(), "db", now).usage.history


def saved(daemon: Headroom) -> float:
    return daemon.metric('pgheadroom_state_saves_total{outcome="ok"}') or 0


def fill(clients: Clients, server: Postgres, number: int) -> list[Session]:
    return clients.fill(server.tcp, number, application_name="leaky-7")[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_fired_before_goes_on_firing_since_then(
    pg: Postgres,
    make_headroom: MakeHeadroom,
    make_alertmanager: MakeAlertmanager,
    clients: Clients,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    """Told to an Alertmanager that knows nothing of before, and until its cause is gone."""
    state = tmp_path / "state"
    daemon = make_headroom(config(pg, state, make_alertmanager(NOBODY)))
    daemon.ready()
    held: list[Session] = []
    for free in range(13, 5, -1):  # a climb, and not all at once
        held += fill(clients, pg, 1)
        slots = 'pgheadroom_slots_free{target="db",tier="ordinary"}'
        until(lambda: daemon.metric(slots) == free, 5, "slot less")  # noqa: B023 - called here only
    until(lambda: daemon.metric(LOW) == 1, 20, "alert")
    # An alert that begins is no matter for the next minute.
    until(lambda: saved(daemon) >= 1, 5, "state on disk")
    (begins,) = [x for x in daemon.log.read().splitlines() if 'event="alert begins"' in x]
    assert "level=warning" in begins
    assert "alertname=PostgresConnectionsLow severity=warning" in begins
    status = daemon.stop(number)
    assert status == (0 if number is signal.SIGTERM else -signal.SIGKILL)
    began = history(state, 4e9).began
    assert began is not None

    other = make_alertmanager(NOBODY)
    again = make_headroom(config(pg, state, other))
    assert again.metric(LOW) == 1, "from the very first page on"
    since = datetime.fromisoformat(low(other)["startsAt"]).timestamp()
    assert began < since < (state / "db.json.gz").stat().st_mtime
    again.ready()
    assert again.metric(LOW) == 1
    for session in held:
        session.close()
    until(lambda: again.metric(LOW) == 0, 20, "end of the alert")
    until(lambda: not other.alerts(), 20, "word of that")
    assert again.stop() == 0
    remembered = history(state, 4e9).began
    assert remembered is not None
    assert remembered <= began
    log = again.log.read()
    assert 'event="state restored"' in log
    assert log.count('event="alert was firing before the restart"') == 1
    assert 'event="alert begins"' not in log
    assert log.count('event="alert ends" target=db') == 1
    assert "level=error" not in log
    assert "level=warning" not in log


def test_a_second_daemon_on_the_directory_watches_all_the_same(
    pg: Postgres,
    make_headroom: MakeHeadroom,
    make_alertmanager: MakeAlertmanager,
    tmp_path: Path,
) -> None:
    settings = config(pg, tmp_path / "state", make_alertmanager(NOBODY))
    first, second = make_headroom(settings), make_headroom(settings)
    second.ready()
    assert second.metric('pgheadroom_up{target="db"}') == 1
    assert 'reason="another pgheadroom uses it"' in second.log.read()
    assert "cannot save state" not in first.log.read()
    assert first.stop() == 0
    assert second.stop() == 0
    assert 'event="state saved again"' in second.log.read()


def test_systemd_says_where(pg: Postgres, make_headroom: MakeHeadroom, tmp_path: Path) -> None:
    """The first of its directories, when no setting names one."""
    settings = f'targets: {{db: "{pg.dsn()}"}}'
    one, two = tmp_path / "one", tmp_path / "two"
    daemon = make_headroom(settings, STATE_DIRECTORY=f"{one}:{two}")
    daemon.ready()
    assert daemon.stop() == 0
    assert history(one, 4e9).began is not None
    assert not two.exists()
    silent = make_headroom(settings)
    silent.ready()
    assert "pgheadroom_state_saved_timestamp_seconds" not in silent.page()
    assert silent.stop() == 0
    assert {file.name for file in silent.folder.iterdir()} == {"log", "pgheadroom.yaml"}


def full(server: Postgres, clients: Clients) -> None:
    """Take every slot there is, with none left for us to come back to."""
    fill(clients, server, 1000)


def test_restarted_while_the_server_is_full_it_knows_the_limits_and_the_last_use(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, tmp_path: Path
) -> None:
    """With their age, on the metrics and in the API; a second restart forgets nothing either."""
    settings = f"""
targets: {{db: "{pg.dsn()}"}}
state_directory: {tmp_path / "state"}
interval_seconds: 0.2
"""
    daemon = make_headroom(settings)
    daemon.ready()
    held, _ = clients.fill(pg.tcp, 6, application_name="checkout")
    used = 'pgheadroom_slots_used{target="db"}'
    until(lambda: daemon.metric(used) == 7, 5, "six sessions and our own")
    name = 'pgheadroom_connections{application_name="checkout",state="idle",target="db"}'
    until(lambda: daemon.metric(name) == 6, 5, "their name")
    sampled = 'pgheadroom_sample_timestamp_seconds{target="db"}'
    assert daemon.stop() == 0
    ended = time.time()
    full(pg, clients)
    for _ in range(2):
        daemon = make_headroom(settings)
        refused = 'pgheadroom_target_state{state="full",target="db"}'
        until(lambda: daemon.metric(refused) == 1, 10, "refusal")  # noqa: B023 - called here only
        for series, value in (
            ('pgheadroom_up{target="db"}', 0),
            ('pgheadroom_max_connections{target="db"}', 20),
            ('pgheadroom_slots_limit{target="db",tier="ordinary"}', 15),
            ('pgheadroom_slots_free{target="db",tier="ordinary"}', 0),
            ('pgheadroom_slots_free{target="db",tier="superuser"}', 0),
            (used, 7),
            (name, 6),
        ):
            assert daemon.metric(series) == value, series
        assert 0 < ended - (daemon.metric(sampled) or 0) < 2
        view = json.loads(daemon.page("/api/v1/targets/db"))
        assert view["slots"]["limit"]["ordinary"] == 15
        assert view["slots"]["free"]["ordinary"] == 0
        assert view["sample"]["time"] == daemon.metric(sampled)
        told = {alert["alertname"]: alert["description"] for alert in view["alerts"]}
        assert "Last known, at " in told["PostgresConnectionsExhausted"]
        assert daemon.stop() == 0
    assert held
    clients.close()
    daemon = make_headroom(settings)
    until(lambda: daemon.metric(used) == 1, 10, "sample")
    assert (daemon.metric(sampled) or 0) > ended


def test_started_while_the_server_is_full_it_serves_what_the_refusal_says(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients
) -> None:
    full(pg, clients)
    daemon = make_headroom(f'targets: {{db: "{pg.dsn()}"}}')
    daemon.ready()
    for tier in ("ordinary", "reserved", "superuser"):
        assert daemon.metric(f'pgheadroom_slots_free{{target="db",tier="{tier}"}}') == 0
        assert daemon.metric(f'pgheadroom_exhaustion_seconds{{target="db",tier="{tier}"}}') == 0
    assert "pgheadroom_slots_limit{" not in daemon.page()
