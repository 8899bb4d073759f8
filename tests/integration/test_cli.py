"""Tests what the commands print, what they refuse, and how they exit."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import clean_environment, run
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until

from pgheadroom import __version__
from pgheadroom.commands.arguments import ExitStatus
from pgheadroom.config.settings import Settings
from pgheadroom.postgres.whereabouts import address

SECRET = "gar-nicht-geheim-4711"  # noqa: S105 - planted, to be looked for


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"pgheadroom {__version__}\n")


@pytest.mark.parametrize("command", ["serve", "once", "check"])
def test_help_tells_every_setting(command: str) -> None:
    done = run(command, "--help-all")
    assert done.returncode == 0
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in done.stdout
    assert "(0.1 to 60, default: 1)" in " ".join(done.stdout.split())
    overview = run("--help").stdout
    assert f"\n  {command} " in overview


@pytest.mark.parametrize("words", [(), ("serve",), ("once",), ("check",)])
def test_without_a_target_it_says_how_to_name_one(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "no target is configured" in done.stderr
    for way in ("--dsn", "--config", "PGHEADROOM_DSN", "PGSERVICE", "pgheadroom demo"):
        assert way in done.stderr


def test_an_unknown_command() -> None:
    done = run("watch")
    assert done.returncode == 2
    known = "serve, once, check, top, record, demo, backtest, import, rules, dashboards"
    assert done.stderr == f"pgheadroom: no such command: watch; there are {known}\n"


def test_wrong_settings_are_all_told(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(f"interval_seconds: 0\ntargets: {{a: 'postgresql://u:{SECRET}@h/d?x=1'}}\n")
    done = run("check", "--config", str(file), "--read-timeout-seconds", "long")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("pgheadroom: ") for line in lines)
    assert SECRET not in done.stderr


@pytest.mark.majors(15, 18)
def test_once_is_a_table_and_json(pg: Postgres, clients: Clients) -> None:
    pg.sql("create role reports login connection limit 4")
    clients.fill(pg.tcp, 3, user="reports", application_name="[bold]nightly[/bold]")
    done = run("once", "--dsn", pg.dsn())
    assert done.returncode == 0, done.stderr
    assert "[bold]nightly[/bold]" in done.stdout
    assert f"PostgreSQL {pg.major}." in done.stdout
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    ordinary = 15 if pg.major >= 16 else 17
    assert rows["limit"][0] == str(ordinary)
    assert rows["free"][0] == str(ordinary - 4)
    assert rows["reports"] == ["3", "4"]
    found = json.loads(run("once", "--json", "--dsn", pg.dsn()).stdout)
    slots, applications = found[0]["slots"], found[0]["applications"]
    assert slots["free"] == {"ordinary": ordinary - 4, "reserved": 13, "superuser": 16}
    nightly = next(one for one in applications if one["application_name"].startswith("[bold]"))
    assert (nightly["application_name"], nightly["states"]) == ("[bold]nightly[/bold]", {"idle": 3})
    assert found[0]["state"] == found[0]["knock"]["state"] == "ok"
    assert found[0]["limits"]["roles"] == [{"name": "reports", "limit": 4, "used": 3}]


@pytest.mark.majors(17)
def test_check_in_json(pg: Postgres) -> None:
    (found,) = json.loads(run("check", "--dsn", pg.dsn(), "--json").stdout)
    assert found["works"]
    assert {check["grade"] for check in found["checks"]} <= {"good", "missing"}
    assert any("ordinary slots free" in check["words"] for check in found["checks"])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("postgresql://u:gar-nicht-geheim-4711@h/d",), "no such command; there are serve, once"),
        (("--interval-seconds", "2", "once"), "the command comes first: pgheadroom once ..."),
        (("once", "host=db1"), "unexpected argument; use --dsn CONNINFO"),
        (("rules", "x"), "unexpected argument\n"),
        (("once", "--jso"), "no such flag: --jso; did you mean --json?"),
        (("servee",), "no such command: servee; did you mean serve?"),
        (("dashboards",), "missing: DIR"),
    ],
)
def test_what_nothing_takes_is_told(words: tuple[str, ...], complaint: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.majors(17)
def test_check_says_what_works_and_what_is_missing(pg: Postgres, tmp_path: Path) -> None:
    pg.sql("create role bare login")
    pg.sql("create role ready login in role pg_monitor, pg_use_reserved_connections")
    done = run("check", "--dsn", pg.dsn(user="ready"), "--state-directory", str(tmp_path))
    assert done.returncode == 0
    assert "WARN" not in done.stdout
    assert "ok   history: none yet; the daily rhythm is known after a day" in done.stdout
    done = run("check", "--dsn", pg.dsn(user="bare"))
    assert done.returncode == 0
    assert "GRANT pg_monitor TO bare;" in done.stdout
    assert "GRANT pg_use_reserved_connections TO bare;" in done.stdout
    assert "WARN history: none is kept" in done.stdout
    assert "Set state_directory." in done.stdout
    done = run(
        *("check", "--targets", f"good={pg.dsn()}"),
        *("--targets", f"bad=host=127.0.0.1 port={free_port()} user=x"),
    )
    assert done.returncode == 1
    assert "FAIL no sample: unreachable" in done.stdout
    assert "check host and port" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_once_gives_the_hint_that_check_gives() -> None:
    target = f"host=127.0.0.1 port={free_port()} user=x"
    done = run("once", "--dsn", target)
    assert (done.returncode, done.stderr) == (1, "")
    told = " ".join(done.stdout.split())
    assert "Connection refused Nothing listens there: check host and port" in told
    assert "run `pgheadroom check`." in told
    (found,) = json.loads(run("check", "--json", "--dsn", target).stdout)
    assert found["checks"][0]["fix"] in told


@pytest.mark.majors(17)
def test_libpqs_variables_are_enough(pg: Postgres) -> None:
    done = run("once", PGHOST="127.0.0.1", PGPORT=str(pg.port), PGUSER="postgres")
    assert done.returncode == 0
    assert f"{address(f'host=127.0.0.1 port={pg.port}')}  ok" in done.stdout


@pytest.mark.majors(17)
def test_a_connection_string_that_ends_with_a_newline(pg: Postgres) -> None:
    """A secret that was made by echo."""
    uri = f"postgresql://postgres@127.0.0.1:{pg.port}/postgres\n"
    done = run("check", PGHEADROOM_DSN=uri, PGHEADROOM_CANARY_DSN=uri)
    assert done.returncode == 0, done.stdout
    assert "canary logs in" in done.stdout


def test_a_file_of_ours_that_is_missing_is_told_once(
    make_postgres: MakePostgres, tmp_path: Path
) -> None:
    """It is no news of the server, which is neither down nor out of reach."""
    missing = tmp_path / "no-such-root.crt"
    server = make_postgres(tls=True)
    done = run("check", "--dsn", server.dsn(sslmode="verify-ca", sslrootcert=str(missing)))
    assert done.returncode == 1
    told = f'root certificate file "{missing}" does not exist'
    assert f"no sample: error: 127.0.0.1:{server.port}: {told}" in " ".join(done.stdout.split())
    assert done.stdout.count(str(missing)) == 1
    assert "knock" not in done.stdout


def test_a_signal_during_the_imports_ends_it() -> None:
    """The first process of a container has no handler but its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pgheadroom", "--version"],
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
    )
    bit = 1 << (signal.SIGTERM - 1)

    def handled() -> bool:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) & bit)

    until(handled, 10, "handler")
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, ExitStatus.INTERRUPTED), (signal.SIGTERM, ExitStatus.TERMINATED)],
)
def test_a_signal_before_there_is_a_result(number: signal.Signals, status: ExitStatus) -> None:
    """As a shell says it of any program."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "pgheadroom", "once", "--dsn", f"host=127.0.0.1 port={port}"],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        mute.settimeout(10)
        with mute.accept()[0]:
            process.send_signal(number)
            assert process.communicate(timeout=10) == (b"", b"")
    assert process.returncode == status
