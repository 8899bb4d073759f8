"""Tests the import of the past, from a real Prometheus and from recordings, also at start."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.conftest import MakeHeadroom
from tests.support.fixtures.programs import MakePrometheus
from tests.support.parts.orphans import follow_parent
from tests.support.servers.headroom import clean_environment, run
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.prometheus import Prometheus
from tests.support.servers.wait import until

from pgheadroom.forecast.usage import Usage
from pgheadroom.postgres.whereabouts import address
from pgheadroom.state import State
from pgheadroom.storage.directory import StateDirectory
from pgheadroom.storage.snapshot import taken
from pgheadroom.storage.snapshot_file import pack, unpack

prometheus_only = pytest.mark.prometheus

STEP = 60
DAYS = 3
HIGHEST = 85
LIMIT = 97


def rhythm(at: float) -> int:
    """Return how many connections the shop has: by day more than by night, 85 at most."""
    return round(45 + (HIGHEST - 45) * math.sin(at / 86_400 * math.tau))


def own(target: str, server: str, instance: str = "a:10187") -> dict[str, Callable[[float], float]]:
    """Return the series of a pgheadroom: the shop, and two logins in progress."""
    who = f'job="pgheadroom",instance="{instance}",target="{target}",server="{server}"'
    return {
        f"pgheadroom_max_connections{{{who}}}": lambda _: 100,
        f'pgheadroom_reserved_slots{{{who},tier="superuser"}}': lambda _: 3,
        f"pgheadroom_slots_used{{{who}}}": rhythm,
        f'pgheadroom_connections{{{who},application_name="shop",state="idle"}}': rhythm,
        f'pgheadroom_target_state{{{who},state="ok"}}': lambda _: 1,
    }


def peer(server: str, *, names: bool) -> dict[str, Callable[[float], float]]:
    """Return the series of a postgres_exporter; without *names* as its older versions had them."""
    who = f'job="postgres",instance="exporter:9187",server="{server}"'
    more = ',application_name="shop",usename="u",backend_type="client backend"' * names
    return {
        f'pg_up{{job="postgres",instance="exporter:9187",server="{server}"}}': lambda _: 1,
        f"pg_settings_max_connections{{{who}}}": lambda _: 100,
        f"pg_settings_superuser_reserved_connections{{{who}}}": lambda _: 3,
        f'pg_stat_activity_count{{{who},datname="shop",state="idle"{more}}}': rhythm,
    }


def openmetrics(series: dict[str, Callable[[float], float]], start: int, end: int) -> Iterator[str]:
    families: dict[str, list[str]] = {}
    for name in series:
        families.setdefault(name.partition("{")[0], []).append(name)
    for family, members in families.items():
        yield f"# TYPE {family} gauge\n"
        for name in members:
            for at in range(start, end, STEP):
                yield f"{name} {series[name](at)} {at}\n"
    yield "# EOF\n"


@pytest.fixture
def begun() -> int:
    """Return since when Prometheus knows the servers."""
    return (int(time.time()) // 300 - 1) * 300 - DAYS * 86_400


MakePast = Callable[[dict[str, Callable[[float], float]]], Prometheus]


@pytest.fixture
def make_past(
    make_prometheus: MakePrometheus, promtool: Path, tmp_path: Path, begun: int
) -> MakePast:
    """Return a function that starts a Prometheus which has known series for three days."""

    def make(series: dict[str, Callable[[float], float]]) -> Prometheus:
        text = tmp_path / "history.om"
        text.write_text("".join(openmetrics(series, begun, begun + DAYS * 86_400)))
        server = make_prometheus("scrape_configs: []\n")
        server.stop()
        subprocess.run(
            [
                promtool,
                *("tsdb", "create-blocks-from", "openmetrics"),
                text,
                server.folder / "data",
            ],
            check=True,
            capture_output=True,
        )
        server.start()
        return server

    return make


def configured(folder: Path, state: Path, **targets: str) -> str:
    """Write a configuration and return where it is."""
    file = folder / "pgheadroom.yaml"
    lines = "".join(f'  {name}: "{dsn}"\n' for name, dsn in targets.items())
    file.write_text(f"targets:\n{lines}state_directory: {state}\n")
    return str(file)


def usage(state: Path, target: str) -> Usage:
    return unpack((state / f"{target}.json.gz").read_bytes(), target, time.time()).usage


def measured(state: Path, target: str, minutes: int = 30) -> Usage:
    """Leave what a daemon has measured that ended just now; and return it."""
    measured_now, now = Usage(), time.time()
    for second in range(-60 * minutes, 0):
        measured_now = measured_now.add(now + second, 33, {"shop": 33}, LIMIT)
    directory = StateDirectory(state)
    snapshot = taken(State(target)._replace(usage=measured_now), now)
    directory.write(target, pack(snapshot, target))
    directory.close()
    return measured_now


@prometheus_only
def test_the_days_before_are_imported_below_what_was_measured(
    make_past: MakePast, tmp_path: Path, begun: int
) -> None:
    """Of our own series by name, of an exporter's by address, of an old one without names."""
    prometheus = make_past(
        own("orders", "db1#701")
        | peer("db2:5432", names=True)
        | peer("db3:5433", names=False)
        | own("elsewhere", "db9")
    )
    state = tmp_path / "state"
    before = measured(state, "orders")
    words = (
        *("import", "--prometheus", prometheus.url, "--config"),
        configured(
            tmp_path,
            state,
            orders="host=db1",
            billing="host=db2",
            intranet="host=db3 port=5433",
        ),
    )
    dry = run(*words, "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert sorted(path.name for path in state.iterdir()) == [".lock", "orders.json.gz"]
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert dry.stdout.replace(", if it were kept", "") == done.stdout
    orders, billing, intranet = re.split(r"^(?=\w)", done.stdout, flags=re.MULTILINE)[1:]
    for text in (orders, billing, intranet):
        assert f"highest  {HIGHEST} of {LIMIT} in use" in text
        assert "history  reaches back 3 d" in text
    assert "note" not in orders
    assert "Only totals are imported" in intranet
    assert "Only totals" not in billing
    after = usage(state, "orders")
    assert after.known_since is not None
    assert begun - 16384 <= after.known_since <= begun  # the bucket that it began in
    assert after.history.rungs[:3] == before.history.rungs[:3]
    (newest,) = after.history.rungs[9][-1:]
    assert newest.high == before.history.rungs[9][-1].high == 33
    assert max(bucket.high for bucket in after.history.rungs[14]) == HIGHEST
    # Three days have three peaks; the past may begin just after one, and the last be too new.
    assert [peak.height for peak in after.cycles.peaks].count(HIGHEST) >= 2
    assert {*after.history.rungs[13][0].spans} == {"shop"}
    assert {*usage(state, "billing").history.rungs[13][0].spans} == {"shop"}
    assert usage(state, "intranet").history.rungs[13][0].spans == {}

    files = {path.name: path.read_bytes() for path in state.iterdir()}
    again = run(*words)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.count("nothing older was found; it is known since") == 3
    assert {path.name: path.read_bytes() for path in state.iterdir()} == files


@prometheus_only
def test_what_fits_no_server_or_two_is_not_imported(make_past: MakePast, tmp_path: Path) -> None:
    prometheus = make_past(own("orders", "db9") | peer("db2:5432", names=True))
    state = tmp_path / "state"
    config = configured(tmp_path, state, orders="host=db1", x="host=db5")
    words = ("import", "--prometheus", prometheus.url, "--config", config)
    done = run(*words)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "pgheadroom: orders (at db1): its name is there, but of another server: db9",
        "pgheadroom: x (at db5): nothing there has its name or its address",
        "pgheadroom: Prometheus has: db2:5432 (postgres_exporter), orders (pgheadroom)",
        "pgheadroom: configured: orders (at db1), x (at db5)",
        "pgheadroom: name them with --map TARGET=NAME, or import fewer with --target TARGET",
    ]
    assert not [*state.glob("*.gz")]
    done = run(*words, "--map", "orders=orders", "--map", "x=db2:5432", "--since", "26h")
    assert done.returncode == 0, done.stderr
    assert "note     It was measured at db9, and the target is at db1." in done.stdout
    assert "reaches back 1 d 2 h" in done.stdout


@prometheus_only
@pytest.mark.majors(17)
def test_the_daemon_imports_after_its_start_and_samples_all_the_while(
    make_past: MakePast,
    make_headroom: MakeHeadroom,
    pg: Postgres,
    tmp_path: Path,
) -> None:
    """The page, the metric, the API and check say how much is known."""
    where = address(pg.dsn())
    prometheus = make_past(own("db", where) | own("other", "elsewhere"))
    config = (
        f'targets: {{db: "{pg.dsn()}", lost: "host={LOOPBACK} port={free_port()}"}}\n'
        f"state_directory: {tmp_path / 'state'}\ninterval_seconds: 0.2\n"
        f"import_prometheus_url: {prometheus.url}\n"
    )
    daemon = make_headroom(config)
    daemon.ready()
    until(lambda: "history imported" in daemon.log.read(), 60, "import")
    line = 'pgheadroom_history_seconds{target="db"}'
    until(lambda: (daemon.metric(line) or 0) > 2.9 * 86_400, 10, "three days")
    view = json.loads(daemon.page("/api/v1/targets/db"))
    assert view["history_seconds"] > 2.9 * 86_400
    known = "the weekly rhythm is known after a week"
    assert re.fullmatch(rf"history: 3 d( \d h)?; {known}", view["status"]["history"])
    assert view["state"] == "ok"
    assert not [alert for alert in view["alerts"] if alert["severity"] == "critical"]
    lines = daemon.log.read()
    assert lines.count("history imported") == 1
    assert re.search(r"history not imported.*reason=.lost \(at [^)]*\): nothing there", lines)
    assert "bug" not in lines
    assert daemon.metric('pgheadroom_bugs_total{job="import"}') == 0
    assert daemon.stop() == 0
    done = run("check", "--config", str(daemon.config))
    assert re.search(rf"ok   history: 3 d( \d h)?; {known}", done.stdout), done.stdout
    again = make_headroom(config)
    again.ready()
    until(lambda: "history" in again.log.read(), 60, "a word about the history")
    assert "history imported" not in again.log.read()


@pytest.mark.majors(17)
def test_a_prometheus_that_is_away_is_a_line_of_log(
    make_headroom: MakeHeadroom, pg: Postgres
) -> None:
    daemon = make_headroom(
        f'targets: {{db: "{pg.dsn()}"}}\ninterval_seconds: 0.2\n'
        f"import_prometheus_url: http://{LOOPBACK}:{free_port()}\n"
    )
    daemon.ready()
    until(lambda: "history not imported yet" in daemon.log.read(), 20, "complaint")
    (line,) = [one for one in daemon.log.read().splitlines() if "history not" in one]
    assert "retry_seconds=10" in line
    assert daemon.metric('pgheadroom_up{target="db"}') == 1
    assert daemon.stop() == 0


def recording(path: Path, begun: float, hours: float, step: int = 15) -> Path:
    with path.open("w") as file:
        for second in range(0, round(3600 * hours), step):
            sample = {
                "time": begun + second,
                "max_connections": 100,
                "superuser_reserved_connections": 3,
                "reserved_connections": 0,
                "connections": [["shop", "idle", rhythm(begun + second)]],
            }
            file.write(json.dumps(sample) + "\n")
    return path


def test_recordings_are_imported_in_order_of_their_time(tmp_path: Path) -> None:
    now, state = time.time(), tmp_path / "state"
    before = measured(state, "orders")
    late = recording(tmp_path / "late.jsonl", now - 40 * 3600, 39.9)
    early = recording(tmp_path / "early.jsonl", now - 60 * 3600, 25)
    config = configured(tmp_path, state, orders="host=db1", x="host=db2")
    words = ("import", str(late), str(early), "--config", config)
    done = run(*words, "--target", "orders")
    assert (done.returncode, done.stderr) == (0, "")
    assert "history  reaches back 2 d 1" in done.stdout
    after = usage(state, "orders")
    assert after.history.rungs[:3] == before.history.rungs[:3]
    assert after.known_since is not None
    assert now - 60 * 3600 - 8192 <= after.known_since <= now - 60 * 3600 + 1
    content = (state / "orders.json.gz").read_bytes()
    assert "nothing older was found" in run(*words, "--target", "orders").stdout
    assert (state / "orders.json.gz").read_bytes() == content


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "give --prometheus URL, or FILE ... and --target NAME"),
        (("a.jsonl",), "a recording is of one target: give --target NAME, once"),
        (("a.jsonl", "--target", "z"), "no target z is configured; there are: x"),
        (("--prometheus", "http://h:1", "--map", "x"), "--map: give TARGET=NAME"),
        (("--prometheus", "http://h:1", "--map", "z=1"), "no target z is configured"),
        (("--prometheus", "http://h:1", "--since", "500d"), "within the last 400 days"),
        (("--prometheus", "http://u:gar-nicht-geheim@h"), "no login in the URL"),
        (("a.jsonl", "--target", "x", "--since", "5d"), "--since needs --prometheus URL"),
        (("a.jsonl", "--target", "x"), "a.jsonl: cannot read it"),
    ],
)
def test_what_cannot_be_meant(words: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    config = configured(tmp_path, tmp_path / "state", x="host=db")
    done = run("import", *words, "--config", config)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "gar-nicht-geheim" not in done.stderr


def test_without_a_directory_there_is_no_place_for_a_history() -> None:
    done = run("import", "--prometheus", "http://h:1", "--dsn", "host=db", STATE_DIRECTORY="")
    assert done.returncode == 2
    assert "import needs a state_directory" in done.stderr


def test_a_running_daemon_keeps_its_directory(tmp_path: Path) -> None:
    state = tmp_path / "state"
    file = recording(tmp_path / "a.jsonl", time.time() - 7200, 1)
    config = configured(tmp_path, state, x="host=db")
    daemons = StateDirectory(state)
    daemons.take()
    done = run("import", str(file), "--target", "x", "--config", config)
    assert done.returncode == 1
    assert f"{state} is in use by a running pgheadroom" in done.stderr
    assert "import_prometheus_url" in done.stderr
    dry = run("import", str(file), "--target", "x", "--config", config, "--dry-run")
    assert dry.returncode == 0
    assert "if it were kept" in dry.stdout
    daemons.close()
    assert run("import", str(file), "--target", "x", "--config", config).returncode == 0


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_one_that_is_ended_leaves_what_was_there(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """While it waits for a Prometheus that has accepted and does not answer."""
    state = tmp_path / "state"
    measured(state, "x", 1)
    content = (state / "x.json.gz").read_bytes()
    with socket.create_server((LOOPBACK, 0)) as silent:
        silent.settimeout(30)
        url = f"http://{LOOPBACK}:{silent.getsockname()[1]}"
        config = configured(tmp_path, state, x="host=db")
        with subprocess.Popen(
            [sys.executable, "-m", "pgheadroom", "import", "--prometheus", url, "--config", config],
            env=clean_environment(),
            preexec_fn=follow_parent(signal.SIGKILL),  # noqa: PLW1509 - one libc call, no locks taken
        ) as process:
            connection, _ = silent.accept()
            with connection:
                os.kill(process.pid, number)
                assert process.wait(20) == status
    assert (state / "x.json.gz").read_bytes() == content
    directory = StateDirectory(state)
    directory.take()
    directory.close()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    state = tmp_path / "state"
    measured(state, "x", 1)
    content = (state / "x.json.gz").read_bytes()
    file = recording(tmp_path / "a.jsonl", time.time() - 7200, 1)

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pgheadroom", "import", str(file), "--target", "x"),
            *("--config", configured(tmp_path, state, x="host=db")),
        ],
        env=clean_environment(),
        preexec_fn=small,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"cannot keep a history in {state}: File too large" in done.stderr
    assert (state / "x.json.gz").read_bytes() == content
    assert sorted(path.name for path in state.iterdir()) == [".lock", "x.json.gz"]
