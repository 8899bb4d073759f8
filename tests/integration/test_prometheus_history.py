"""Tests backtests over a real Prometheus: our series, postgres_exporter's, gaps, refusals."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.fixtures.programs import MakePrometheus
from tests.support.needs import need
from tests.support.servers.daemon import HttpDaemon
from tests.support.servers.headroom import run
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.prometheus import Prometheus

from pgheadroom.backtest.prometheus import histories
from pgheadroom.backtest.prometheus_api import PrometheusApi, PrometheusError, selector
from pgheadroom.model.activity import Activity
from pgheadroom.model.reading import Sample
from pgheadroom.net.credentials import Credentials

pytestmark = pytest.mark.prometheus

STEP = 15
SAMPLES = 960  # four hours
USER = "reader"
PASSWORD = "nur-zum-testen"  # noqa: S105 - of a server that lives for one test
HASH = "$2y$04$abcdefghijklmnopqrstuusIrEep2UNLroMeixP/sd3Pe4NnQxwYa"  # bcrypt of it
GAP = range(400, 560)  # no series at all for 40 minutes
DOWN = range(700, 720)  # the server could not be read
FULL = 900  # from here on every ordinary slot is taken

Value = Callable[[int], float | None]


def held(index: int) -> int:
    """Return how many connections the leaking application has."""
    return min(70, 70 * index // FULL)


def visible(value: Value) -> Value:
    return lambda i: None if i in GAP else value(i)


def own() -> dict[str, Value]:
    """Return the series of a pgheadroom that watches `orders`: 2 hidden, 25 steady, a leak."""
    who = 'job="pgheadroom",instance="here:10187",target="orders"'
    connections = f"pgheadroom_connections{{{who},application_name="
    return {
        f"pgheadroom_max_connections{{{who}}}": lambda _: 100,
        f'pgheadroom_reserved_slots{{{who},tier="superuser"}}': lambda _: 3,
        f'pgheadroom_reserved_slots{{{who},tier="reserved"}}': lambda _: 0,
        f'pgheadroom_reserved_slots{{{who},tier="provider"}}': lambda _: 0,
        f"pgheadroom_slots_hidden{{{who}}}": lambda _: 2,
        f"pgheadroom_slots_used{{{who}}}": lambda i: 27 + held(i),
        f'{connections}"web",state="idle"}}': lambda _: 25,
        f'{connections}"unnamed",state="starting"}}': lambda _: 2,
        f'{connections}"checkout",state="idle"}}': held,
        f"pgheadroom_transactions_total{{{who}}}": lambda i: 5_000_000_000 + 100 * i,
        f'pgheadroom_sessions_total{{{who},database="shop",end="open"}}': lambda i: 3 * i,
        f'pgheadroom_sessions_total{{{who},database="wiki",end="open"}}': lambda i: 4 * i,
        f'pgheadroom_sessions_total{{{who},database="wiki",end="fatal"}}': lambda i: 9 * i,
        f'pgheadroom_target_state{{{who},state="ok"}}': lambda i: float(i not in DOWN),
        f'pgheadroom_target_state{{{who},state="unreachable"}}': lambda i: float(i in DOWN),
    }


def peer(instance: str, *, names: bool, server_label: bool) -> dict[str, Value]:
    """Return the series of a postgres_exporter; without *names* as its older versions had them."""
    base = f'job="postgres",instance="{instance}"'
    who = base + (f',server="{instance.replace("9187", "5432")}"' if server_label else "")

    def count(datname: str, application: str, kind: str = "client backend") -> str:
        more = f',application_name="{application}",usename="u",backend_type="{kind}"' * names
        return f'pg_stat_activity_count{{{who},datname="{datname}",state="idle"{more}}}'

    def up(value: Callable[[int], float]) -> Value:
        return lambda i: None if i in DOWN else value(i)

    return {
        f"pg_up{{{base}}}": lambda i: float(i not in DOWN),
        f"pg_settings_max_connections{{{who}}}": up(lambda _: 100),
        f"pg_settings_superuser_reserved_connections{{{who}}}": up(lambda _: 3),
        count("shop", "checkout"): up(held),
        count("intranet", "web"): up(lambda _: 27),
        # Newer collectors give these no label `server`, whatever the others have.
        f'pg_stat_database_xact_commit{{{base},datname="shop"}}': up(lambda i: 100 * i),
        f'pg_stat_database_xact_commit{{{who},datname="intranet"}}': up(lambda i: 10 * i),
        f'pg_stat_database_xact_commit{{{base},server="x",datname="else"}}': up(lambda _: 1e9),
        **(
            {
                count("intranet", ""): up(lambda _: 0),
                count("shop", "", "parallel worker"): up(lambda _: 50),
            }
            if names
            else {}
        ),
    }


def openmetrics(series: dict[str, Value], start: int) -> Iterator[str]:
    families: dict[str, list[str]] = {}
    for name in series:
        families.setdefault(name.partition("{")[0], []).append(name)
    for family, members in families.items():
        yield f"# TYPE {family} gauge\n"
        for name in members:
            for index in range(SAMPLES):
                value = visible(series[name])(index)
                if value is not None:
                    yield f"{name} {value} {start + STEP * index}\n"
    yield "# EOF\n"


@pytest.fixture
def start() -> int:
    return int(time.time()) // STEP * STEP - 6 * 3600


@pytest.fixture
def prometheus(
    make_prometheus: MakePrometheus, promtool: Path, tmp_path: Path, start: int
) -> Prometheus:
    series = {
        **own(),
        **peer("new:9187", names=True, server_label=False),
        **peer("old:9187", names=False, server_label=True),
        'pg_settings_max_connections{job="postgres",instance="bare:9187"}': lambda _: 100,
    }
    text = tmp_path / "history.om"
    text.write_text("".join(openmetrics(series, start)))
    server = make_prometheus("scrape_configs: []\n")
    server.stop()
    subprocess.run(
        [promtool, *("tsdb", "create-blocks-from", "openmetrics"), text, server.folder / "data"],
        check=True,
        capture_output=True,
    )
    server.start()
    return server


PAGES = "exit status 1: a critical alert would have fired"


def test_it_replays_what_was(prometheus: Prometheus, start: int, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    words = ("backtest", "--prometheus", prometheus.url, "--since", str(start - 600))
    done = run(*words, "--until", str(start + STEP * (SAMPLES - 1)), "--html", str(report))
    assert done.returncode == 1
    left_out = "pg_settings_max_connections is there, but no pg_stat_activity_count"
    assert done.stderr.splitlines() == [
        f"pgheadroom: bare:9187 is left out: {left_out}",
        f"report: {report}",
        PAGES,
    ]
    told = re.split(r"^(?=\S)", done.stdout, flags=re.MULTILINE)[1:]
    new, old, ours, together, verdict = told
    assert new.startswith("new:9187\n")
    assert old.startswith("old:5432\n")
    assert ours.startswith("orders\n")
    assert together.startswith("all 3 histories\n")
    assert "pages" in verdict
    counted = re.search(rf"  samples  ([0-9,]+), {len(DOWN)} readings failed", ours)
    assert counted
    # A value lives for 5 minutes where nothing says that its series ended: 19 or 20 steps of 15 s,
    # by the version of Prometheus.
    lived = int(counted[1]) - (SAMPLES - len(GAP) - len(DOWN))
    assert lived in (19, 20)
    for told_one in (ours, new, old):
        assert "highest  97 of 97 slots" in told_one
        assert "PostgresConnectionsExhausted" in told_one
        assert "no slot was free at" in told_one
    assert "of checkout" in ours
    assert "of checkout" in new
    assert "of database shop" in old
    assert "has no application_name here: connections are told apart by database" in old
    assert "application_name here" not in new
    assert "From postgres_exporter" in new
    assert "note" not in ours
    # Where nothing was known, nothing is drawn: the area of an application is in three pieces.
    text = report.read_text()
    area = re.search(r'class="area c\d" d="([^"]+)">\s*<title>checkout', text)
    assert area
    assert area[1].count("M") == 3


async def test_counters_of_the_server_come_along(prometheus: Prometheus, start: int) -> None:
    """What an exporter does not count is not known; ages no exporter keeps for each connection."""
    api = PrometheusApi(prometheus.url)
    end = start + STEP * 20.0
    found: dict[str, list[Activity | None]] = {}
    for server in (await histories(api, float(start), end)).histories:
        async for reading in server.readings(api, float(start), end, STEP):
            assert isinstance(reading, Sample)
            assert reading.holders.younger is None
            found.setdefault(server.name, []).append(reading.postgres.activity)
    assert found["orders"] == [Activity(5_000_000_000 + 100 * i, 7 * i) for i in range(21)]
    assert found["old:5432"] == [Activity(110 * i) for i in range(21)]


def test_one_target_as_lines(prometheus: Prometheus, start: int) -> None:
    words = ("backtest", "--prometheus", prometheus.url + "/", "--since", "8h", "--format=jsonl")
    done = run(*words, "--target", "orders", "--step", "60")
    assert (done.returncode, done.stderr) == (1, f"{PAGES}\n")
    changes = [json.loads(line) for line in done.stdout.splitlines()]
    assert {change["target"] for change in changes} == {"orders"}
    pages = [change for change in changes if "Exhaust" in change["alert"]]
    assert [change["severity"] for change in pages].count("critical") >= 1
    assert pages[0]["application_name"] == "checkout"
    assert start < pages[0]["time"] <= start + STEP * FULL + 60
    done = run(*words, "--target", "order")
    assert done.returncode == 2
    assert "no target order; there are: bare:9187, new:9187, old:5432, orders" in done.stderr
    done = run(*words, "--target", "bare:9187")
    assert done.returncode == 2
    assert "no pg_stat_activity_count" in done.stderr


def test_what_cannot_be_asked(prometheus: Prometheus) -> None:
    asked = ("backtest", "--prometheus", prometheus.url)
    done = run(*asked, "--since", "30m")
    assert done.returncode == 2
    assert "has neither pgheadroom_max_connections (of pgheadroom) nor" in done.stderr
    done = run("backtest", "--prometheus", f"{prometheus.url}/nowhere", "--since", "8h")
    assert done.returncode == 2
    assert "is it Prometheus?" in done.stderr
    done = run("backtest", "--prometheus", f"http://127.0.0.1:{free_port()}", "--since", "8h")
    assert done.returncode == 2
    assert "cannot reach http://127.0.0.1:" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture
def strict() -> Iterator[HttpDaemon]:
    """Start a Prometheus that wants a password and loads next to nothing, and has itself."""
    scrape = "scrape_configs: [{job_name: p, static_configs: [{targets: ['127.0.0.1:1']}]}]\n"
    server = HttpDaemon(
        scrape,
        lambda folder, port: [
            *(need("prometheus"), f"--config.file={folder / 'config.yml'}"),
            *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={LOOPBACK}:{port}"),
            *("--query.max-samples=1", f"--web.config.file={folder / 'web.yml'}"),
        ],
    )
    (server.folder / "web.yml").write_text("{}")
    with server:
        # Read with every request; readiness is asked for without a password.
        (server.folder / "web.yml").write_text(f"basic_auth_users: {{{USER}: '{HASH}'}}\n")
        yield server


def test_a_login(strict: HttpDaemon, tmp_path: Path) -> None:
    asked = ("backtest", "--prometheus", strict.url, "--since", "8h")
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    done = run(*asked)
    assert done.returncode == 2
    assert "does not let us in (401): give --username and --password-file" in done.stderr
    done = run(*asked, "--bearer-token-file", str(password))
    assert "does not let us in (401)" in done.stderr
    done = run(*asked, "--username", USER, "--password-file", str(password))
    assert done.returncode == 2
    assert "Prometheus has neither" in done.stderr  # so we were let in
    assert PASSWORD not in done.stderr
    done = run(*asked, "--username", USER, "--password-file", str(tmp_path / "none"))
    assert f"cannot read {tmp_path / 'none'}: No such file or directory" in done.stderr


async def test_too_much_at_once_is_told_with_a_cure(strict: HttpDaemon, tmp_path: Path) -> None:
    now = time.time()
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    api = PrometheusApi(strict.url, Credentials(USER, password))
    with pytest.raises(PrometheusError, match=r"too many samples.*a longer --step"):
        await api.query_range("vector(1) or vector(2)", now - 3600, now, 15)
    with pytest.raises(PrometheusError, match=r"maximum resolution.*a longer --step"):
        await api.query_range("vector(1)", now - 86400, now, 1)
    with pytest.raises(PrometheusError, match="parse error"):
        await api.query_range("sum by", now - 3600, now, 15)


def test_labels_are_quoted() -> None:
    assert selector("up", {"job": 'a"b\\c\nd'}) == '{__name__=~"up",job="a\\"b\\\\c\\nd"}'
