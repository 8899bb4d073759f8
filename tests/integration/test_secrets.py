"""Tests that a planted password shows up nowhere: log, page, API, error, process list."""

import signal
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.integration.conftest import MakeHeadroom
from tests.support.servers.headroom import Headroom, run
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.process import send
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(15, 18)

SECRET = "gar-nicht-geheim-4711"  # noqa: S105 - planted, to be looked for


@pytest.fixture
def guarded(pg: Postgres) -> Postgres:
    pg.sql("create role app login")
    pg.require_scram("app", password=SECRET)
    return pg


def _is(daemon: Headroom, line: str, value: float) -> bool:
    return daemon.metric(line) == value


@pytest.mark.parametrize("level", ["info", "debug"])
def test_not_in_anything_that_the_daemon_says(
    guarded: Postgres, make_headroom: MakeHeadroom, tmp_path: Path, level: str
) -> None:
    """Through a good life, a wrong password, a lost server and an unparsable DSN."""
    file = tmp_path / "password"
    file.write_text(SECRET)
    garbled = tmp_path / "garbled"
    garbled.write_bytes(SECRET.encode() + b"\xff")
    good = guarded.dsn(user="app", password=SECRET)
    uri = f"postgresql://app:{SECRET}x@127.0.0.1:{guarded.port}/postgres"
    daemon = make_headroom(
        f"""
log_level: {level}
targets:
  good: "{good}"
  filed: {{dsn: "{guarded.dsn(user="app")}", password_file: "{file}"}}
  wrong: "{uri}"
  down: "host=127.0.0.1 port={free_port()} user=app password={SECRET}"
  unknown: "host=nowhere.invalid user=app password={SECRET}"
  garbled: {{dsn: "{good}", password_file: "{garbled}"}}
  sung: {{dsn: "{guarded.dsn()}", canary_dsn: "{good}"}}
  hoarse: {{dsn: "{guarded.dsn()}", canary_dsn: "{uri}"}}
  mute: {{dsn: "{guarded.dsn()}", canary_dsn: "host=nowhere.invalid password={SECRET}"}}
  whistled: {{dsn: "{guarded.dsn()}", canary_dsn: "{guarded.dsn(user="app")}",
    canary_password_file: "{file}"}}
""",
        PGHEADROOM_TARGETS__ENVIRONMENT__DSN=good,
    )
    targets = {"good": 1, "filed": 1, "environment": 1}
    targets |= dict.fromkeys(("wrong", "down", "unknown", "garbled"), 0)
    canaries = {"sung": 1, "hoarse": 0, "mute": 0, "whistled": 1}
    for target, value in targets.items():
        line = f'pgheadroom_up{{target="{target}"}}'
        until(partial(_is, daemon, line, value), 20, f"{line} {value}")
    for target, value in canaries.items():
        line = f'pgheadroom_canary_up{{target="{target}"}}'
        until(partial(_is, daemon, line, value), 20, f"{line} {value}")
    said = [daemon.page(path) for path in ("/", "/metrics", "/api/v1/targets")]
    for target in (*targets, *canaries):
        paths = (f"/probe?target={target}", f"/targets/{target}", f"/api/v1/targets/{target}")
        said += [daemon.page(path) for path in paths]
    for query in ("", "?target=wrong", "?target=good"):
        with urlopen(f"{daemon.url}/api/v1/stream{query}", timeout=10) as stream:  # noqa: S310 - our own daemon
            said += [stream.readline().decode() for _ in range(5)]
    good_config = daemon.config.read_text()
    daemon.config.write_text(
        good_config + f"  more: 'postgresql://u:{SECRET}/x@h/d'\nfoo: {SECRET}"
    )
    send(daemon.pid, signal.SIGHUP)
    until(lambda: "targets.more.dsn" in daemon.log.read(), 10, "reload that is refused")
    guarded.restart()
    failed = 'pgheadroom_failures_total{state="unreachable",target="down"}'
    until(lambda: (daemon.metric(failed) or 0) >= 2, 10, "second failure")
    said.append(Path(f"/proc/{daemon.pid}/cmdline").read_text())
    environment = Path(f"/proc/{daemon.pid}/environ")
    assert SECRET in environment.read_text(), "which is for the daemon's user alone:"
    assert environment.stat().st_mode & 0o777 == 0o400
    daemon.stop(signal.SIGTERM)
    said.append(daemon.log.read())
    assert len(said[-1].splitlines()) > 8
    for text in said:
        assert SECRET not in text


def test_not_in_what_the_commands_print(guarded: Postgres) -> None:
    wrong = f"host=127.0.0.1 port={guarded.port} user=app password={SECRET}x"
    for words in (
        ("once", "--dsn", wrong),
        ("check", "--dsn", wrong),
        ("once", "--json", "--dsn", wrong),
        ("check", "--dsn", guarded.dsn(), "--canary-dsn", wrong),
        ("check", "--dsn", guarded.dsn(), "--canary-dsn", f"host=h sslmode={SECRET} x=y"),
        ("check", "--canary-dsn", wrong),
        ("check", "--dsn", wrong + " nonsense"),
        ("check", "--dsn", f"host=h sslmode={SECRET}"),
        ("once", "--dsn", f"service=missing password={SECRET}"),
        ("check", "--dsn", f"postgresql://app:{SECRET}/x@h/d"),
        ("check", f"postgresql://app:{SECRET}@h/d"),
        ("check", "--targets", f"a b=postgresql://app:{SECRET}@h/d"),
        ("check", "--targets", f"postgresql://app:{SECRET}@h/d"),
        ("check", f"--dns=postgresql://app:{SECRET}@h/d"),
    ):
        done = run(*words)
        assert done.returncode in (1, 2)
        assert SECRET not in done.stdout + done.stderr, words


def test_an_environment_that_is_no_text_is_no_bug() -> None:
    done = run("once", "--dsn", f"host=127.0.0.1 port={free_port()}", PGPASSWORD=f"\udcff{SECRET}")
    assert done.returncode == 1
    assert "libpq's environment cannot be parsed" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_not_in_what_is_said_of_the_environment() -> None:
    for name, value in {
        "PGHEADROOM_DSN": f"postgresql://u:{SECRET}@h/d?x=1",
        "PGHEADROOM_CANARY_DSN": f"postgresql://u:{SECRET}@h/d?x=1",
        "PGHEADROOM_TARGETS__A__CANARY_DSN": f"postgresql://u:{SECRET}@h/d?x=1",
        "PGHEADROOM_TARGETS": f'{{"a": {SECRET}',
        "PGHEADROOM_TARGETS__A": f"postgresql://u:{SECRET}@h/d?x=1",
        "PGHEADROOM_TARGETS__A__DNS": f"postgresql://u:{SECRET}@h/d",
        "PGHEADROOM_DNS": f"postgresql://u:{SECRET}@h/d",
    }.items():
        done = run("check", **{name: value})
        assert done.returncode == 2
        assert SECRET not in done.stdout + done.stderr
